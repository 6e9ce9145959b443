//! Packs, healing and damaged copies.

use model::{CopyId, Sha256Digest};
use store::blobs::{MarkDamaged, NewBody};
use store::copy::Copy;
use store::healing::{DeclareLost, Retire, casualties, healable, injured, lost};
use store::spill::{Packed, Spill, inline_copies, waiting};

use crate::engines::Bench;

crate::both! {
    inline_copies_move_into_a_pack;
    a_pack_that_nothing_needs_goes_to_the_trash;
    a_damaged_copy_is_retired_for_a_good_one;
    a_pack_moves_in_few_statements_and_never_all_at_once;
    a_pack_in_the_trash_takes_nothing;
    a_pack_stays_while_another_copy_lives_in_it;
    a_loss_is_said_once;
}

fn digest(byte: u8) -> Sha256Digest {
    Sha256Digest([byte; 32])
}

async fn publish_inline(bench: &Bench, names: &[u8]) {
    let repo = bench.repository("libs").await;
    for name in names {
        let bytes = vec![*name; usize::from(*name)];
        let blob = bench.blob(NewBody::Inline(bytes), *name, u64::from(*name));
        bench.publish(repo, &format!("file-{name}"), blob).await;
    }
}

async fn copies(bench: &Bench, byte: u8) -> Vec<Copy> {
    bench.store.read(async |s| store::blobs::copies(s, digest(byte)).await).await.expect("copies")
}

async fn pack(bench: &Bench, place: &str) -> Spill {
    let before = bench.ambient.now().plus(std::time::Duration::from_secs(1));
    let read = async |s: &mut store::Session<'_>| inline_copies(s, None, before, 100).await;
    let found = bench.store.read(read).await.expect("inline copies");
    let mut start = 0;
    let items = found
        .iter()
        .map(|inline| {
            let item = Packed { from: inline.copy, to: bench.ambient.id(), digest: inline.digest, start };
            start += inline.bytes.len() as u64;
            item
        })
        .collect();
    Spill { act: bench.act(), place: place.to_owned(), items }
}

async fn damage(bench: &Bench, byte: u8, copy: CopyId) -> bool {
    let write = MarkDamaged { act: bench.act(), digest: digest(byte), copy, why: "a test".to_owned() };
    bench.store.write(write).await.expect("marked")
}

async fn inline_copies_move_into_a_pack(bench: &mut Bench) {
    publish_inline(bench, &[0, 3, 5]).await;
    let before = bench.store.read(waiting).await.expect("an answer");
    assert_eq!(before.bytes, 8);
    assert!(before.oldest.is_some());
    let spill = pack(bench, "packs/aa/one").await;
    assert_eq!(spill.items.len(), 2, "the empty one stays");
    assert_eq!(bench.store.write(spill.clone()).await.expect("moved"), 2);
    assert_eq!(bench.count("SELECT count(*) FROM inline_bytes").await, 1);
    assert_eq!(bench.store.read(waiting).await.expect("an answer").oldest, None);
    for item in &spill.items {
        let byte = item.digest.0[0];
        let copy = copies(bench, byte).await.remove(0);
        assert_eq!((copy.place.as_str(), copy.start, copy.bytes), ("packs/aa/one", item.start, None));
        assert_eq!(copy.sums, vec![byte; 8]);
    }
    assert_eq!(bench.store.write(spill).await.map(|_| ()).ok(), Some(()), "a repetition moves nothing");
    assert_eq!(copies(bench, 5).await.len(), 1);
}

async fn a_pack_that_nothing_needs_goes_to_the_trash(bench: &mut Bench) {
    publish_inline(bench, &[3]).await;
    let spill = pack(bench, "packs/aa/one").await;
    assert!(!damage(bench, 3, copies(bench, 3).await[0].id).await);
    assert_eq!(bench.store.write(spill).await.expect("an answer"), 0, "a damaged copy is never copied");
    assert_eq!(bench.column::<String>("SELECT place FROM trash").await, ["packs/aa/one"]);
    assert_eq!(bench.count("SELECT count(*) FROM inline_bytes").await, 1);
}

/// How many statements a write has sent, on whatever thread it was applied.
struct Counted<W>(W);

impl<W: store::Write> store::Write for Counted<W> {
    type Out = (u64, W::Out);

    async fn apply(&self, tx: &mut store::Tx<'_>) -> store::Result<Self::Out> {
        let before = store::statements_sent();
        let out = self.0.apply(tx).await?;
        Ok((store::statements_sent() - before, out))
    }
}

async fn a_pack_moves_in_few_statements_and_never_all_at_once(bench: &mut Bench) {
    let names: Vec<u8> = (1..=60).collect();
    publish_inline(bench, &names).await;
    let spill = pack(bench, "packs/aa/one").await;
    let (first, rest) = spill.items.split_at(40);
    let part = |items: &[Packed]| Spill { act: bench.act(), place: spill.place.clone(), items: items.to_vec() };
    // A future of one thread, so that its statements are counted there.
    let (statements, moved) = bench.store.write(Counted(part(first))).await.expect("moved");
    assert_eq!(moved, 40);
    assert!(statements <= 10, "{statements} statements");
    assert_eq!(bench.count("SELECT count(*) FROM inline_bytes").await, 20, "the rest waits for its turn");
    assert_eq!(bench.store.write(part(rest)).await.expect("moved"), 20);
    assert_eq!(bench.count("SELECT count(DISTINCT start) FROM copies WHERE place = 'packs/aa/one'").await, 60);
    assert_eq!(bench.count("SELECT count(*) FROM copies WHERE kind = 'inline'").await, 0);
    assert_eq!(bench.store.write(part(rest)).await.expect("an answer"), 0);
    assert_eq!(bench.count("SELECT count(*) FROM trash").await, 0, "a pack in use stays");
    let many = vec![first[0].clone(); store::spill::AT_ONCE + 1];
    assert!(bench.store.write(part(&many)).await.is_err());
}

async fn a_pack_in_the_trash_takes_nothing(bench: &mut Bench) {
    publish_inline(bench, &[3]).await;
    let spill = pack(bench, "packs/aa/one").await;
    let trash = "INSERT INTO trash (place, created_at) VALUES ('packs/aa/one', 0)";
    bench.store.write(crate::engines::Raw(trash)).await.expect("trash");
    assert_eq!(bench.store.write(spill).await.expect("an answer"), 0);
    assert!(copies(bench, 3).await[0].bytes.is_some(), "it stays where it is");
}

/// Holds its locks for a while after its work, and says when it begins to.
struct Slow<W>(W, std::sync::Arc<tokio::sync::Notify>);

impl<W: store::Write> store::Write for Slow<W> {
    type Out = W::Out;

    async fn apply(&self, tx: &mut store::Tx<'_>) -> store::Result<Self::Out> {
        let out = self.0.apply(tx).await?;
        self.1.notify_one();
        tx.execute("SELECT pg_sleep(0.5)", &[]).await?;
        Ok(out)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pack_whose_last_copies_go_at_the_same_time_goes_with_them() {
    let bench = Bench::postgres().await;
    publish_inline(&bench, &[3, 5]).await;
    bench.store.write(pack(&bench, "packs/aa/one").await).await.expect("moved");
    let mut retire = Vec::new();
    for byte in [3, 5] {
        let bad = copies(&bench, byte).await[0].id;
        damage(&bench, byte, bad).await;
        let fresh = Some(bench.blob(NewBody::Inline(vec![byte; usize::from(byte)]), byte, u64::from(byte)));
        retire.push(Retire { act: bench.act(), digest: digest(byte), fresh, damaged: vec![bad] });
    }
    let (second, first) = (retire.pop().expect("two"), retire.pop().expect("two"));
    let holds = std::sync::Arc::new(tokio::sync::Notify::new());
    let slow = bench.store.write(Slow(first, std::sync::Arc::clone(&holds)));
    let other = async {
        holds.notified().await;
        bench.store.write(second).await
    };
    let (first, second) = tokio::join!(slow, other);
    assert_eq!((first.expect("healed"), second.expect("healed")), (1, 1));
    assert_eq!(bench.column::<String>("SELECT place FROM trash").await, ["packs/aa/one"]);
}

async fn a_damaged_copy_is_retired_for_a_good_one(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    let stored = |place: &str| NewBody::Stored { kind: model::state::CopyKind::File, place: place.to_owned() };
    bench.publish(repo, "a", bench.blob(stored("blobs/aa/one"), 7, 9)).await;
    let bad = copies(bench, 7).await[0].id;
    assert!(!damage(bench, 7, bad).await);
    let look = async || bench.store.read(async |s| injured(s, digest(7)).await).await.expect("an answer");
    assert!(look().await.expect("injured").good.is_empty());
    assert_eq!(bench.store.read(casualties).await.expect("an answer"), (1, 1));
    assert!(bench.store.read(async |s| healable(s, 9).await).await.expect("an answer").is_empty());
    assert_eq!(bench.store.read(async |s| lost(s, 9).await).await.expect("an answer"), [digest(7)]);
    let retire = |fresh| Retire { act: bench.act(), digest: digest(7), fresh, damaged: vec![bad] };
    assert_eq!(bench.store.write(retire(None)).await.expect("an answer"), 0, "the last copy is never removed");
    // The same bytes are pushed again.
    bench.publish(repo, "b", bench.blob(stored("blobs/aa/two"), 7, 9)).await;
    assert_eq!(bench.store.read(async |s| healable(s, 9).await).await.expect("an answer"), [digest(7)]);
    assert!(bench.store.read(async |s| lost(s, 9).await).await.expect("an answer").is_empty());
    assert!(look().await.expect("injured").replaced);
    let third = bench.blob(stored("blobs/aa/three"), 7, 9);
    assert_eq!(bench.store.write(retire(Some(third))).await.expect("healed"), 1);
    assert!(look().await.is_none());
    assert_eq!(copies(bench, 7).await.len(), 2);
    assert_eq!(bench.column::<String>("SELECT place FROM trash").await, ["blobs/aa/one"]);
    assert_eq!(bench.count("SELECT count(*) FROM events WHERE action = 'blob.healed'").await, 1);
    // Late: nothing is damaged any more, so what was brought is not needed.
    let late = bench.blob(stored("blobs/aa/four"), 7, 9);
    assert_eq!(bench.store.write(retire(Some(late))).await.expect("an answer"), 0);
    assert_eq!(
        bench.column::<String>("SELECT place FROM trash ORDER BY place").await,
        ["blobs/aa/four", "blobs/aa/one"]
    );
}

async fn a_pack_stays_while_another_copy_lives_in_it(bench: &mut Bench) {
    publish_inline(bench, &[3, 5]).await;
    bench.store.write(pack(bench, "packs/aa/one").await).await.expect("moved");
    for byte in [3, 5] {
        let bad = copies(bench, byte).await[0].id;
        damage(bench, byte, bad).await;
        let fresh = Some(bench.blob(NewBody::Inline(vec![byte; usize::from(byte)]), byte, u64::from(byte)));
        let retire = Retire { act: bench.act(), digest: digest(byte), fresh, damaged: vec![bad] };
        assert_eq!(bench.store.write(retire).await.expect("healed"), 1);
        let trash = bench.count("SELECT count(*) FROM trash").await;
        assert_eq!(trash, u64::from(byte == 5), "the pack goes with its last copy");
    }
}

async fn a_loss_is_said_once(bench: &mut Bench) {
    publish_inline(bench, &[3]).await;
    let lost = || DeclareLost { act: bench.act(), digest: digest(3) };
    assert!(!bench.store.write(lost()).await.expect("an answer"), "a good copy is there");
    damage(bench, 3, copies(bench, 3).await[0].id).await;
    assert!(bench.store.write(lost()).await.expect("an answer"));
    assert!(!bench.store.write(lost()).await.expect("an answer"));
    assert_eq!(bench.count("SELECT count(*) FROM events WHERE action = 'blob.lost'").await, 1);
}
