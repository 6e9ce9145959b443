//! What upstreams answered: kept once, confirmed without a new row; and one process at a time asks.
#![expect(clippy::expect_used, reason = "tests")]

#[path = "../model/dice.rs"]
mod dice;
#[path = "../engines/mod.rs"]
mod engines;
mod evicting;
mod larder;

use std::time::Duration;

use engines::{Bench, LIMITS};
use model::{ObservationId, RepoId, Timestamp};
use store::admission::Limits;
use store::blobs::NewBody;
use store::flights::{Board, Land};
use store::observations::{self, Answer, Confirm, Observation, Observe};

both! {
    the_last_answer_holds;
    a_confirmation_moves_nothing_but_its_time;
    an_answer_costs_what_it_weighs;
    one_process_asks_at_a_time;
    what_is_here_of_a_package_is_told_with_its_state;
}

async fn observe(bench: &Bench, repo: RepoId, byte: Option<u8>) -> store::Result<ObservationId> {
    let write = answer(bench, repo, byte, LIMITS);
    let id = write.answer.id;
    bench.deposit(write).await.map(|()| id)
}

fn answer(bench: &Bench, repo: RepoId, byte: Option<u8>, limits: Limits) -> Observe {
    Observe {
        act: bench.act(),
        repo,
        answer: Answer {
            target: "demo".to_owned(),
            id: bench.ambient.id(),
            media_type: "text/plain".to_owned(),
            address: "https://there.example/demo".to_owned(),
            etag: byte.map(|byte| format!("\"{byte}\"")),
            changed_at: Some(Timestamp(7)),
        },
        blob: byte.map(|byte| bench.blob(NewBody::Inline(vec![byte; 5]), byte, 5)),
        held: None,
        limits,
    }
}

async fn holds(bench: &Bench, repo: RepoId) -> Option<Observation> {
    bench.store.read(async |session| observations::find(session, repo, "demo").await).await.expect("a look")
}

async fn the_last_answer_holds(bench: &mut Bench) {
    let repo = bench.repository("there").await;
    assert!(holds(bench, repo).await.is_none());
    let first = observe(bench, repo, Some(1)).await.expect("kept");
    let second = observe(bench, repo, Some(2)).await.expect("kept");
    let found = holds(bench, repo).await.expect("an answer");
    assert_eq!((found.id, found.etag.as_deref(), found.length), (second, Some("\"2\""), 5));
    assert_eq!((found.changed_at, found.media_type.as_str()), (Some(Timestamp(7)), "text/plain"));
    let digest = found.digest.expect("bytes");
    let copies = bench.store.read(async |session| store::blobs::copies(session, digest).await).await.expect("a look");
    assert_eq!(copies.first().and_then(|copy| copy.bytes.clone()), Some(vec![2; 5]));
    let gone = observe(bench, repo, None).await.expect("kept");
    let found = holds(bench, repo).await.expect("an answer");
    assert_eq!((found.id, found.digest, found.length), (gone, None, 0));
    assert!(first != second, "each answer is a row of its own");
    let rows = bench.column::<String>("SELECT target FROM observations").await;
    assert_eq!(rows.len(), 3, "nothing is forgotten");
}

async fn a_confirmation_moves_nothing_but_its_time(bench: &mut Bench) {
    let repo = bench.repository("there").await;
    let id = observe(bench, repo, Some(1)).await.expect("kept");
    let before = holds(bench, repo).await.expect("an answer");
    let confirm = |observation, at| Confirm { repo, target: "demo".to_owned(), observation, at };
    let later = before.checked_at.plus(Duration::from_secs(60));
    bench.store.write(confirm(id, later)).await.expect("confirmed");
    bench.store.write(confirm(id, before.checked_at)).await.expect("a late one");
    bench.store.write(confirm(bench.ambient.id(), later.plus(Duration::from_secs(1)))).await.expect("another answer's");
    let after = holds(bench, repo).await.expect("an answer");
    assert_eq!((after.id, after.checked_at, after.seen_at), (id, later, before.seen_at));
    assert_eq!(bench.column::<String>("SELECT target FROM observations").await.len(), 1);
}

async fn an_answer_costs_what_it_weighs(bench: &mut Bench) {
    let repo = bench.repository("there").await;
    let limits = Limits { storage_bytes: 0, ..LIMITS };
    let refused = bench.deposit(answer(bench, repo, Some(1), limits)).await.expect_err("over the quota");
    let refused = matches!(refused, store::Error::Refused(refusal) if refusal.code == model::Code::TooManyRequests);
    assert!(refused);
    assert!(holds(bench, repo).await.is_none(), "nothing is left of it");
    bench.deposit(answer(bench, repo, None, limits)).await.expect("nothing weighs nothing");
}

async fn one_process_asks_at_a_time(bench: &mut Bench) {
    let repo = bench.repository("there").await;
    let (one, other) = (bench.ambient.id(), bench.ambient.id());
    let at = bench.ambient.now();
    let board = |holder, at: Timestamp| {
        let (name, until) = ("demo".to_owned(), at.plus(Duration::from_secs(10)));
        bench.store.write(Board { repo, name, holder, at, until })
    };
    let land = |holder| bench.store.write(Land { repo, name: "demo".to_owned(), holder });
    assert!(board(one, at).await.expect("a turn"));
    assert!(!board(other, at).await.expect("a look"), "somebody is at it");
    assert!(board(one, at).await.expect("prolonged"));
    land(other).await.expect("nothing");
    assert!(!board(other, at).await.expect("a look"), "only the holder ends it");
    assert!(board(other, at.plus(Duration::from_secs(11))).await.expect("a turn"), "who died is replaced");
    land(other).await.expect("ended");
    assert!(bench.column::<String>("SELECT name FROM flights").await.is_empty(), "no row stays");
}

async fn what_is_here_of_a_package_is_told_with_its_state(bench: &mut Bench) {
    let repo = bench.repository("there").await;
    bench.publish(repo, "demo", bench.blob(NewBody::Inline(vec![3; 5]), 3, 5)).await;
    let look =
        async |session: &mut store::Session<'_>| observations::kept(session, repo, "", "demo", store::When::Now).await;
    let kept = bench.store.read(look).await.expect("a look");
    assert_eq!(kept.len(), 1);
    let file = &kept[0];
    assert_eq!((file.version.as_str(), file.shown, file.size), ("1", true, Some(5)));
    assert_eq!(file.location.as_deref(), Some("demo"));
    let none =
        async |session: &mut store::Session<'_>| observations::kept(session, repo, "", "other", store::When::Now).await;
    assert!(bench.store.read(none).await.expect("a look").is_empty());
}
