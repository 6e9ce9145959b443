//! One holder at a time, and fences that stop the one before.

use std::time::Duration;

use store::leases::{Acquire, Held, Release, Renew};
use store::sequence::Advance;

use crate::engines::Bench;

crate::both! {
    one_holder_at_a_time_and_the_fence_rises;
    a_late_holder_is_fenced;
}

async fn acquire(bench: &Bench, holder: &str, seconds: u64) -> Option<Held> {
    let at = model::Timestamp(0).plus(Duration::from_secs(seconds));
    let until = at.plus(Duration::from_secs(10));
    let write = Acquire { name: "beat".to_owned(), holder: holder.to_owned(), at, until };
    bench.store.write(write).await.expect("an answer")
}

fn at(seconds: u64) -> model::Timestamp {
    model::Timestamp(0).plus(Duration::from_secs(seconds))
}

async fn one_holder_at_a_time_and_the_fence_rises(bench: &mut Bench) {
    let first = acquire(bench, "one", 0).await.expect("free");
    assert_eq!(acquire(bench, "two", 9).await, None);
    assert_eq!(acquire(bench, "one", 9).await.as_ref(), Some(&first), "one's own lease is taken again as it is");
    assert_eq!(acquire(bench, "two", 18).await, None, "it was prolonged");
    let renew = |held: &Held, now, until| Renew { held: held.clone(), at: at(now), until: at(until) };
    assert!(bench.store.write(renew(&first, 18, 30)).await.expect("an answer"));
    let second = acquire(bench, "two", 30).await.expect("expired");
    assert_eq!(second.fence, first.fence + 1);
    assert!(!bench.store.write(renew(&first, 31, 60)).await.expect("an answer"), "replaced");
    assert!(!bench.store.write(renew(&second, 40, 60)).await.expect("an answer"), "expired");
    let release = |held: &Held, now| Release { held: held.clone(), at: at(now) };
    bench.store.write(release(&first, 31)).await.expect("a late release changes nothing");
    assert_eq!(acquire(bench, "three", 32).await, None);
    bench.store.write(release(&second, 33)).await.expect("a release");
    assert_eq!(acquire(bench, "three", 33).await.expect("released").fence, second.fence + 1);
}

async fn a_late_holder_is_fenced(bench: &mut Bench) {
    let late = acquire(bench, "one", 0).await.expect("free");
    let present = acquire(bench, "two", 10).await.expect("expired");
    bench.repository("libs").await;
    let advance = |held: &Held| Advance { held: Some(held.clone()), at: at(11), limit: 10, follow: |_| None };
    let refused = bench.store.write(advance(&late)).await;
    assert!(matches!(&refused, Err(store::Error::Refused(why)) if why.code == model::Code::Conflict), "{refused:?}");
    assert_eq!(bench.count("SELECT count(*) FROM events WHERE seq IS NOT NULL").await, 0);
    assert_eq!(bench.store.write(advance(&present)).await.expect("the present one may").sequenced, 1);
}
