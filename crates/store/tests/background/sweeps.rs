//! What is cleared away by itself: trash, pins, keys, uploads.

use std::time::Duration;

use model::Timestamp;
use store::blobs::NewBody;
use store::{idempotency, pins, trash};

use crate::engines::{Bench, Raw};

crate::both! {
    pins_end_and_give_back_what_nothing_entered;
    trash_is_emptied_and_its_places_stay_taken;
    old_answers_are_forgotten;
    a_key_belongs_to_one_attempt_at_a_time;
    uses_of_tokens_only_move_forward;
    counted_acts_become_events;
}

async fn pins_end_and_give_back_what_nothing_entered(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    bench.publish(repo, "a", bench.blob(NewBody::Inline(vec![1; 10]), 1, 10)).await;
    // Two more blobs that were received and charged, and not entered.
    let pin = |digest: u8, length: u64, until: i64, charged: u64| Pin {
        repo,
        digest,
        length,
        until: Timestamp(until),
        charged,
    };
    for pin in [pin(1, 10, 50, 0), pin(2, 100, 50, 100), pin(3, 1000, 51, 1000)] {
        bench.store.write(pin).await.expect("a pin");
    }
    bench
        .store
        .write(Raw("UPDATE allowances SET used = used + 1100 WHERE kind = 'bytes' AND shard = 0"))
        .await
        .expect("charged");
    let expire = |at| pins::Expire { act: bench.act_at(Timestamp(at)), limit: 10, keep_until: Timestamp(at) };
    assert!(!bench.store.read(async |s| pins::is_due(s, Timestamp(49)).await).await.expect("an answer"));
    assert_eq!(bench.store.write(expire(49)).await.expect("an answer"), 0);
    assert_eq!(bench.store.write(expire(50)).await.expect("an answer"), 2);
    let used = bench.count("SELECT CAST(sum(used) AS BIGINT) FROM allowances WHERE kind = 'bytes'").await;
    assert_eq!(used, 1010, "what the pin held is given back");
    assert_eq!(bench.count("SELECT count(*) FROM blobs").await, 3, "bytes stay until they are collected");
    assert_eq!(bench.count("SELECT count(*) FROM events WHERE action = 'upload.pins.expired'").await, 1);
    assert_eq!(bench.store.write(expire(51)).await.expect("an answer"), 1);
}

struct Pin {
    repo: model::RepoId,
    digest: u8,
    length: u64,
    until: Timestamp,
    charged: u64,
}

impl store::Write for Pin {
    type Out = ();

    async fn apply(&self, tx: &mut store::Tx<'_>) -> store::Result<()> {
        let digest = model::Sha256Digest([self.digest; 32]);
        let blob = "INSERT INTO blobs (digest, length, created_at) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING";
        tx.execute(blob, store::args![digest, self.length]).await?;
        let pin = "INSERT INTO pins (repo_id, digest, until, charged) VALUES ($1, $2, $3, $4)";
        tx.execute(pin, store::args![self.repo, digest, self.until, self.charged]).await.map(drop)
    }
}

async fn trash_is_emptied_and_its_places_stay_taken(bench: &mut Bench) {
    for sql in [
        "INSERT INTO trash (place, created_at) VALUES ('blobs/aa/1', 0)",
        "INSERT INTO trash (place, created_at) VALUES ('blobs/aa/2', 0)",
    ] {
        bench.store.write(Raw(sql)).await.expect("trash");
    }
    let waiting = async || bench.store.read(async |s| trash::waiting(s, "", 10).await).await.expect("places");
    assert_eq!(waiting().await, ["blobs/aa/1", "blobs/aa/2"]);
    let removed = trash::Removed { places: vec!["blobs/aa/1".to_owned()], at: Timestamp(5) };
    bench.store.write(removed).await.expect("noted");
    assert_eq!(waiting().await, ["blobs/aa/2"]);
    assert!(bench.store.read(trash::is_waiting).await.expect("an answer"));
    let repo = bench.repository("libs").await;
    let reuse = NewBody::Stored { kind: model::state::CopyKind::File, place: "blobs/aa/1".to_owned() };
    let blob = bench.blob(reuse, 4, 4);
    let write = bench.publish(repo, "a", blob);
    assert!(futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(write)).await.is_err());
    assert!(bench.store.write(Raw("DELETE FROM trash")).await.is_err());
}

async fn old_answers_are_forgotten(bench: &mut Bench) {
    for number in 0..5i64 {
        bench.store.write(Answer { at: Timestamp(number), id: bench.ambient.id() }).await.expect("an answer");
    }
    let before = Timestamp(3);
    assert!(bench.store.read(async |s| idempotency::is_due(s, before).await).await.expect("an answer"));
    let forget = || idempotency::Forget { before, limit: 2 };
    assert_eq!(bench.store.write(forget()).await.expect("forgotten"), 2);
    assert_eq!(bench.store.write(forget()).await.expect("forgotten"), 1);
    assert!(!bench.store.read(async |s| idempotency::is_due(s, before).await).await.expect("an answer"));
    assert_eq!(bench.column::<i64>("SELECT created_at FROM idempotency ORDER BY created_at").await, [3, 4]);
}

struct Answer {
    at: Timestamp,
    id: model::PrincipalId,
}

impl store::Write for Answer {
    type Out = ();

    async fn apply(&self, tx: &mut store::Tx<'_>) -> store::Result<()> {
        let sql = "INSERT INTO idempotency (principal_id, key, request, status, body, attempt, created_at)
             VALUES ($1, 'k', $2, 201, '', $1, $3)";
        tx.execute(sql, store::args![self.id, [0u8; 32], self.at]).await.map(drop)
    }
}

async fn a_key_belongs_to_one_attempt_at_a_time(bench: &mut Bench) {
    use idempotency::{First, Hold, Keep, Release, Renew, Take};
    let (bench, principal) = (&*bench, bench.ambient.id());
    let take = async |seconds: i64| {
        let (key, attempt, at) = ("k".to_owned(), bench.ambient.id(), Timestamp(seconds));
        let hold = Hold { principal, key: key.clone(), attempt };
        let take = Take { principal, key, request: [1; 32], attempt, at, dead_before: Timestamp(seconds - 60) };
        (hold, bench.store.write(take).await)
    };
    let keep = async |hold: &Hold, body: &str| {
        let keep = Keep { hold: hold.clone(), status: 201, body: body.to_owned() };
        bench.store.write(keep).await.expect("an answer")
    };
    let release = async |hold: &Hold| bench.store.write(Release { hold: hold.clone() }).await.expect("an answer");
    let renew = async |hold: &Hold, at| {
        bench.store.write(Renew { hold: hold.clone(), at: Timestamp(at) }).await.expect("an answer")
    };
    let (slow, first) = take(100).await;
    assert_eq!(first.expect("taken"), First::Fresh);
    assert!(renew(&slow, 150).await);
    assert!(take(205).await.1.is_err(), "it gave a sign of life");
    let (next, second) = take(211).await;
    assert_eq!(second.expect("taken"), First::Fresh, "it has gone silent");
    assert!(!renew(&slow, 212).await && !release(&slow).await && !keep(&slow, "late").await);
    assert!(take(213).await.1.is_err(), "the late one changed nothing");
    assert!(keep(&next, "first").await);
    assert!(!keep(&slow, "late").await && !release(&next).await && !renew(&next, 500).await);
    let kept = First::Answered { status: 201, body: "first".to_owned() };
    assert_eq!(take(900).await.1.expect("kept"), kept);
}

async fn uses_of_tokens_only_move_forward(bench: &mut Bench) {
    let token = bench.ambient.id();
    let expires_at = bench.ambient.now().plus(Duration::from_secs(60));
    let new = store::tokens::NewToken {
        id: token,
        hash: [1; 32],
        subject: model::Subject::parse("alice").expect("a subject"),
        new_principal: bench.ambient.id(),
        name: String::new(),
        scopes: Vec::new(),
        parent: None,
        expires_at,
    };
    bench.store.write(store::tokens::MintToken { act: bench.act(), token: new }).await.expect("a token");
    let uses =
        |at| store::token_uses::NoteUses { uses: vec![(token, Timestamp(at)), (bench.ambient.id(), Timestamp(at))] };
    for (at, seen) in [(5, 5), (9, 9), (7, 9)] {
        bench.store.write(uses(at)).await.expect("noted");
        assert_eq!(bench.column::<i64>("SELECT last_used_at FROM token_uses").await, [seen]);
    }
}

async fn counted_acts_become_events(bench: &mut Bench) {
    let counted = |resource: &str, count| store::denials::Counted {
        event: bench.ambient.id(),
        word: "access.denied",
        actor: "alice".to_owned(),
        action: "write".to_owned(),
        resource: resource.to_owned(),
        count,
        first: Timestamp(1),
        last: Timestamp(2),
        correlation: None,
    };
    let counted = vec![counted("libs", 3), counted("apps", 1)];
    let write = store::denials::RecordCounted { tenant: bench.tenant, counted, uncounted: 4 };
    bench.store.write(write).await.expect("recorded");
    let details: Vec<String> = bench.column("SELECT detail FROM events ORDER BY resource_id DESC").await;
    assert!(details[0].contains("\"count\":3") && details[0].contains("\"othersUncounted\":4"), "{details:?}");
    assert!(details[1].contains("\"count\":1") && !details[1].contains("others"), "{details:?}");
}
