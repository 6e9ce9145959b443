//! The journal's numbers: gapless, once, in the order of commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use store::events::Event;
use store::leases::{Acquire, Held};
use store::sequence::{Advance, Follow, is_behind};
use store::{Engine, consumers};

use crate::engines::{Bench, Raw};

crate::both! {
    numbers_are_gapless_while_many_write;
    what_follows_is_enqueued_once;
    a_number_never_changes_and_an_event_never_goes;
}

fn nothing(_: &Event) -> Option<Follow> {
    None
}

fn a_job_each(event: &Event) -> Option<Follow> {
    let job = |payload: &str| Follow {
        kind: "test",
        dedupe: event.id.to_string(),
        payload: payload.to_owned(),
        run_at: event.at,
    };
    (event.action == "repo.created").then(|| job("{}"))
}

async fn lease(bench: &Bench, holder: &str) -> Option<Held> {
    if bench.store.engine() == Engine::Sqlite {
        return None;
    }
    let at = bench.ambient.now();
    let until = at.plus(Duration::from_secs(60));
    let write = Acquire { name: "beat".to_owned(), holder: holder.to_owned(), at, until };
    bench.store.write(write).await.expect("an answer")
}

async fn is_gapless(bench: &Bench) -> u64 {
    let numbers: Vec<u64> = bench.column("SELECT seq FROM events WHERE seq IS NOT NULL ORDER BY seq").await;
    let count = numbers.len() as u64;
    assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
    count
}

/// 16 writers, and two sequencers at once under the same lease: the worst that a bug could make of it.
async fn numbers_are_gapless_while_many_write(bench: &mut Bench) {
    const WRITERS: usize = 16;
    const EACH: usize = 20;
    let bench = &*bench;
    let held = lease(bench, "one").await;
    let done = Arc::new(AtomicBool::new(false));
    let sequencer = |limit| {
        let (store, held, done, ambient) =
            (bench.store.clone(), held.clone(), Arc::clone(&done), bench.ambient.clone());
        tokio::spawn(async move {
            loop {
                let last = done.load(Ordering::SeqCst);
                let write = Advance { held: held.clone(), at: ambient.now(), limit, follow: nothing };
                let advanced = store.write(write).await.expect("a step");
                if last && advanced.sequenced == 0 {
                    return;
                }
                tokio::task::yield_now().await;
            }
        })
    };
    let (one, two) = (sequencer(7), sequencer(5));
    let writers = (0..WRITERS).map(|writer| async move {
        for number in 0..EACH {
            bench.repository(&format!("r{writer}-{number}")).await;
        }
    });
    futures_util::future::join_all(writers).await;
    done.store(true, Ordering::SeqCst);
    one.await.expect("the first sequencer");
    two.await.expect("the second sequencer");
    assert_eq!(is_gapless(bench).await, (WRITERS * EACH) as u64);
    assert!(!bench.store.read(is_behind).await.expect("an answer"));
}

async fn what_follows_is_enqueued_once(bench: &mut Bench) {
    let repo = bench.repository("libs").await;
    bench.publish(repo, "a", bench.blob(store::blobs::NewBody::Inline(vec![1]), 1, 1)).await;
    let held = lease(bench, "one").await;
    let advance = || Advance { held: held.clone(), at: bench.ambient.now(), limit: 1, follow: a_job_each };
    let mut steps = 0;
    while bench.store.read(is_behind).await.expect("an answer") {
        bench.store.write(advance()).await.expect("a step");
        steps += 1;
    }
    assert_eq!(steps, 2, "one event a step");
    assert_eq!(bench.count("SELECT count(*) FROM jobs").await, 1);
    assert_eq!(bench.store.write(advance()).await.expect("a step"), Default::default());
    let cursor = bench.store.read(async |s| consumers::cursor(s, store::sequence::DISPATCH).await).await;
    assert_eq!(cursor.expect("a cursor"), 2);
    // Finished and gone, the job does not come back: its event has been dealt with.
    bench.store.write(Raw("DELETE FROM jobs")).await.expect("gone");
    bench.store.write(advance()).await.expect("a step");
    assert_eq!(bench.count("SELECT count(*) FROM jobs").await, 0);
}

async fn a_number_never_changes_and_an_event_never_goes(bench: &mut Bench) {
    bench.repository("libs").await;
    let held = lease(bench, "one").await;
    bench.store.write(Advance { held, at: bench.ambient.now(), limit: 9, follow: nothing }).await.expect("a step");
    for attack in ["UPDATE events SET seq = 7", "UPDATE events SET seq = NULL", "DELETE FROM events"] {
        assert!(bench.store.write(Raw(attack)).await.is_err(), "{attack}");
    }
    assert_eq!(is_gapless(bench).await, 1);
}
