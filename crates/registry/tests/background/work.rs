//! What the jobs do.

use std::time::Duration;

use store::blobs::MarkDamaged;
use store::jobs::{ClaimJobs, Enqueue, NewJob};

use crate::bench::Bench;
use crate::running::Running;

crate::both! {
    small_blobs_move_into_a_pack_and_stay_readable;
    a_damaged_copy_is_found_healed_and_its_bytes_go;
    a_store_that_is_away_marks_nothing_and_comes_back;
    a_lost_blob_is_said_and_heals_by_the_next_upload;
    what_was_away_for_one_read_comes_back;
    a_worker_killed_after_the_effect_leaves_it_done_once;
    a_job_that_nobody_knows_fails_and_waits;
    a_payload_that_cannot_be_read_is_dead_at_once;
}

const HOURS: Duration = Duration::from_secs(2 * 3600);

fn bytes(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from((index * 31 + seed * 7) % 251).expect("a byte")).collect()
}

fn job(bench: &Bench, kind: &'static str, payload: &str) -> NewJob {
    let (id, tenant, run_at) = (bench.registry.ambient().id(), bench.registry.tenant(), bench.now());
    NewJob { id, tenant, kind, dedupe: String::new(), payload: payload.to_owned(), run_at }
}

async fn enqueue(bench: &Bench, kind: &'static str, payload: &str) {
    let write = Enqueue { jobs: vec![job(bench, kind, payload)], revive: false, at: bench.now() };
    bench.registry.store().write(write).await.expect("enqueued");
}

async fn small_blobs_move_into_a_pack_and_stay_readable(bench: Bench) {
    let long_ago = bench.now().minus(HOURS);
    for number in 0..240 {
        bench.publish(&format!("file-{number}"), &bytes(number, number * 10), long_ago).await;
    }
    bench.publish("young", &bytes(99, 5000), bench.now()).await;
    let running = Running::start(&bench.registry);
    bench.until("the pack", async || bench.summary().await.inline_bytes == 5000).await;
    for number in 0..240 {
        assert_eq!(bench.fetch(&format!("file-{number}")).await.expect("its bytes"), bytes(number, number * 10));
    }
    let packs = bench.registry.blobs().list(blobs::Area::Packs, None, 10).await.expect("a list");
    assert_eq!(packs.len(), 1);
    let packed = async || {
        let of = |detail: &str| serde_json::from_str::<serde_json::Value>(detail).ok()?.get("copies")?.as_u64();
        let actions = bench.actions().await;
        actions
            .iter()
            .filter(|(action, _)| action == "blob.copies.packed")
            .filter_map(|(_, it)| of(it))
            .collect::<Vec<_>>()
    };
    bench.until("the events", async || packed().await.iter().sum::<u64>() == 239).await;
    assert!(packed().await.iter().all(|copies| *copies <= 200), "a few at a time: {:?}", packed().await);
    running.stop().await;
}

async fn damage(bench: &Bench, digest: model::Sha256Digest) {
    let copies = bench.registry.store().read(async |s| store::blobs::copies(s, digest).await).await.expect("copies");
    let act = bench.act(bench.now());
    let write = MarkDamaged { act, digest, copy: copies[0].id, why: "a test".to_owned() };
    bench.registry.store().write(write).await.expect("marked");
}

/// A byte flips on disk, a reader meets it, the same bytes are pushed again.
async fn a_damaged_copy_is_found_healed_and_its_bytes_go(bench: Bench) {
    let content = bytes(1, 3_000_000);
    let (_, key) = bench.publish("a", &content, bench.now()).await;
    let key = key.expect("a file");
    let file = bench.folder.path().join("blobs").join(key.as_str());
    let flip = std::fs::OpenOptions::new().write(true).open(&file).expect("the copy");
    std::os::unix::fs::FileExt::write_at(&flip, &[!content[2_000_000]], 2_000_000).expect("flipped");
    assert!(bench.fetch("a").await.is_err(), "never served");
    bench.publish("b", &content, bench.now()).await;
    assert_eq!(bench.fetch("a").await.expect("its bytes"), content);
    let running = Running::start(&bench.registry);
    bench.until("healing", async || bench.summary().await.damaged_copies == 0).await;
    enqueue(&bench, "trash.sweep", "{}").await;
    bench.until("the trash", async || bench.summary().await.waiting_trash == 0).await;
    assert!(!file.exists());
    assert_eq!(bench.fetch("a").await.expect("its bytes"), content);
    running.stop().await;
}

/// Everything in the folder goes elsewhere, as behind a volume that is gone, and comes back.
async fn a_store_that_is_away_marks_nothing_and_comes_back(bench: Bench) {
    let stamp = bench.registry.blobs().stamp("test 1").await.expect("stamped");
    bench.registry.expect_stamp(stamp);
    let content = bytes(1, 200_000);
    let (digest, key) = bench.publish("a", &content, bench.now()).await;
    let (here, away) = (bench.folder.path().join("blobs"), bench.folder.path().join("away"));
    std::fs::create_dir(&away).expect("a folder");
    let moved = |from: &std::path::Path, to: &std::path::Path| {
        for entry in std::fs::read_dir(from).expect("a folder") {
            let entry = entry.expect("an entry");
            std::fs::rename(entry.path(), to.join(entry.file_name())).expect("moved");
        }
    };
    moved(&here, &away);
    let refused = bench.fetch("a").await.expect_err("nothing to serve");
    assert_eq!(refused.code(), Some(model::Code::ServiceUnavailable));
    assert!(!bench.registry.check_blobs().await.healthy);
    assert_eq!(bench.summary().await.damaged_copies, 0);
    // Another copy is known to be damaged: healing does not find the good one, and does not take it for lost.
    let injure = Injure { copy: bench.registry.ambient().id(), digest };
    bench.registry.store().write(injure).await.expect("injured");
    enqueue(&bench, "blob.heal", &format!("{{\"digest\":\"{digest}\"}}")).await;
    let running = Running::start(&bench.registry);
    let tried = async || {
        let due = bench.registry.store().read(store::jobs::next_due).await.expect("an answer");
        due.is_some_and(|due| due > bench.now())
    };
    bench.until("an attempt", tried).await;
    running.stop().await;
    assert_eq!((bench.summary().await.damaged_copies, bench.summary().await.lost_blobs), (1, 0));
    moved(&away, &here);
    assert_eq!(bench.fetch("a").await.expect("its bytes"), content);
    assert!(bench.registry.check_blobs().await.healthy);
    // The store is there, the copy is not: that is damage.
    std::fs::remove_file(here.join(key.expect("a file").as_str())).expect("removed");
    assert!(bench.fetch("a").await.is_err());
    assert_eq!(bench.summary().await.damaged_copies, 2);
}

/// A second copy, damaged.
struct Injure {
    copy: model::CopyId,
    digest: model::Sha256Digest,
}

impl store::Write for Injure {
    type Out = ();

    async fn apply(&self, tx: &mut store::Tx<'_>) -> store::Result<()> {
        let sql = "INSERT INTO copies (id, digest, kind, place, start, sums, state, created_at)
             VALUES ($1, $2, 'file', 'blobs/aa/injured', 0, $3, 'damaged', 0)";
        tx.execute(sql, store::args![self.copy, self.digest, vec![0u8; 8]]).await.map(drop)
    }
}

async fn a_lost_blob_is_said_and_heals_by_the_next_upload(bench: Bench) {
    let content = bytes(2, 700_000);
    let (digest, key) = bench.publish("a", &content, bench.now()).await;
    bench.registry.blobs().remove(&key.expect("a file")).await.expect("removed");
    damage(&bench, digest).await;
    let running = Running::start(&bench.registry);
    let said = async || bench.actions().await.iter().any(|(action, _)| action == "blob.lost");
    bench.until("the loss", said).await;
    assert_eq!(bench.summary().await.lost_blobs, 1);
    bench.publish("b", &content, bench.now()).await;
    assert_eq!(bench.fetch("a").await.expect("its bytes"), content);
    // The schedule finds it; it is looked at when a process begins to lead.
    running.stop().await;
    let running = Running::start(&bench.registry);
    bench.until("healing", async || bench.summary().await.damaged_copies == 0).await;
    assert_eq!(bench.summary().await.lost_blobs, 0);
    running.stop().await;
}

/// A copy that a read did not find is back: its folder was away, or its place in a pack was not readable.
async fn what_was_away_for_one_read_comes_back(bench: Bench) {
    let (file, row) = (bytes(4, 700_000), bytes(5, 700));
    let (_, key) = bench.publish("file", &file, bench.now()).await;
    let (inline, _) = bench.publish("row", &row, bench.now()).await;
    let here = bench.folder.path().join("blobs").join(key.expect("a file").as_str());
    let away = bench.folder.path().join("away");
    std::fs::rename(&here, &away).expect("moved");
    assert!(bench.fetch("file").await.is_err());
    damage(&bench, inline).await;
    let running = Running::start(&bench.registry);
    let said = async || bench.actions().await.iter().any(|(action, _)| action == "blob.lost");
    bench.until("the loss", said).await;
    bench.until("the other's healing", async || bench.summary().await.lost_blobs == 1).await;
    assert_eq!(bench.fetch("row").await.expect("its bytes"), row);
    std::fs::rename(&away, &here).expect("moved");
    // Lost blobs are looked at every hour, and when a process begins to lead.
    running.stop().await;
    let running = Running::start(&bench.registry);
    bench.until("healing", async || bench.summary().await.damaged_copies == 0).await;
    assert_eq!(bench.fetch("file").await.expect("its bytes"), file);
    running.stop().await;
}

/// The effect (bytes deleted) happened, the acknowledgement did not: the next worker does it again,
/// which changes nothing.
async fn a_worker_killed_after_the_effect_leaves_it_done_once(bench: Bench) {
    let content = bytes(3, 200_000);
    let (digest, _) = bench.publish("a", &content, bench.now()).await;
    // A second copy of the same bytes is not needed: its place goes to the trash.
    let (_, second) = bench.publish("b", &content, bench.now()).await;
    let second = second.expect("a file");
    assert_eq!(bench.summary().await.waiting_trash, 1);
    enqueue(&bench, "trash.sweep", "{}").await;
    let (act, until) = (bench.act(bench.now()), bench.now().plus(Duration::from_millis(300)));
    let claim = ClaimJobs { act, holder: "killed".to_owned(), until, limit: 1, max_attempts: 8 };
    assert_eq!(bench.registry.store().write(claim).await.expect("a claim").len(), 1);
    bench.registry.blobs().remove(&second).await.expect("the effect");
    let running = Running::start(&bench.registry);
    bench.until("the trash", async || bench.summary().await.waiting_trash == 0).await;
    bench.until("the job", async || bench.summary().await.pending_jobs == 0).await;
    assert_eq!(bench.fetch("a").await.expect("its bytes"), content);
    assert_eq!(
        bench.registry.store().read(async |s| store::blobs::copies(s, digest).await).await.expect("copies").len(),
        1
    );
    running.stop().await;
}

async fn a_job_that_nobody_knows_fails_and_waits(bench: Bench) {
    let running = Running::start(&bench.registry);
    enqueue(&bench, "no.such.job", "{}").await;
    let tried = async || {
        let due = bench.registry.store().read(store::jobs::next_due).await.expect("an answer");
        due.is_some_and(|due| due > bench.now())
    };
    bench.until("an attempt", tried).await;
    assert_eq!(bench.summary().await.dead_letters, 0);
    running.stop().await;
}

async fn a_payload_that_cannot_be_read_is_dead_at_once(bench: Bench) {
    let running = Running::start(&bench.registry);
    enqueue(&bench, "blob.heal", "{}").await;
    bench.until("its death", async || bench.summary().await.dead_letters == 1).await;
    let dead = async || bench.actions().await.iter().any(|(action, _)| action == "job.dead");
    bench.until("the event", dead).await;
    running.stop().await;
}
