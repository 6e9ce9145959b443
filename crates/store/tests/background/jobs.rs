//! The queue: claims, leases, failures, dead letters.

use std::collections::HashSet;
use std::time::Duration;

use model::{Code, JobId, Timestamp};
use store::jobs::{
    Begin, Claim, ClaimJobs, Enqueue, Fail, Finish, NewJob, Prolong, Replay, Which, dead_letters, next_due,
};

use crate::engines::{Bench, LIMITS};

crate::both! {
    eight_claimers_share_without_doubles;
    a_worker_that_vanished_is_replaced_and_fenced;
    one_that_kills_its_workers_is_buried;
    those_that_only_waited_beside_it_are_not;
    failures_wait_then_die_and_can_be_replayed;
    asked_for_again_while_running_runs_again;
    asked_for_twice_waits_once_and_no_later;
    replaying_all_respects_the_allowance;
}

fn at(seconds: u64) -> Timestamp {
    Timestamp(1_000_000_000).plus(Duration::from_secs(seconds))
}

fn job(bench: &Bench, dedupe: &str, run_at: Timestamp) -> NewJob {
    let (kind, dedupe, payload) = ("test", dedupe.to_owned(), "{}".to_owned());
    NewJob { id: bench.ambient.id(), tenant: bench.tenant, kind, dedupe, payload, run_at }
}

async fn enqueue(bench: &Bench, dedupe: &str, run_at: Timestamp) -> u64 {
    let write = Enqueue { jobs: vec![job(bench, dedupe, run_at)], revive: false, at: run_at };
    bench.store.write(write).await.expect("enqueued")
}

/// Claims, and begins to work on all of it.
async fn claim(bench: &Bench, seconds: u64, limit: u32) -> Vec<Claim> {
    let mut claims = hold(bench, seconds, limit).await;
    for claim in &mut claims {
        let begun = bench.store.write(Begin { job: claim.id, fence: claim.fence }).await.expect("an answer");
        claim.attempt = begun.expect("ours");
    }
    claims
}

/// Claims what then waits for its turn.
async fn hold(bench: &Bench, seconds: u64, limit: u32) -> Vec<Claim> {
    let (act, until) = (bench.act_at(at(seconds)), at(seconds + 30));
    let write = ClaimJobs { act, holder: "worker".to_owned(), until, limit, max_attempts: 3 };
    bench.store.write(write).await.expect("claims")
}

fn finish(claim: &Claim, seconds: u64) -> Finish {
    Finish { job: claim.id, fence: claim.fence, at: at(seconds) }
}

fn fail(bench: &Bench, claim: &Claim, seconds: u64, retry: Option<u64>) -> Fail {
    Fail {
        act: bench.act_at(at(seconds)),
        job: claim.id,
        fence: claim.fence,
        error: "no luck".to_owned(),
        retry_at: retry.map(at),
        max_attempts: 3,
    }
}

async fn eight_claimers_share_without_doubles(bench: &mut Bench) {
    let bench = &*bench;
    let jobs = (0..500).map(|number| job(bench, &number.to_string(), at(0))).collect();
    assert_eq!(bench.store.write(Enqueue { jobs, revive: false, at: at(0) }).await.expect("enqueued"), 500);
    let claimers = (0..8).map(|_| async move {
        let mut mine = Vec::new();
        loop {
            let claims = claim(bench, 1, 7).await;
            if claims.is_empty() {
                return mine;
            }
            for claim in claims {
                assert!(bench.store.write(finish(&claim, 1)).await.expect("an answer"));
                mine.push(claim.id);
            }
        }
    });
    let all: Vec<JobId> = futures_util::future::join_all(claimers).await.into_iter().flatten().collect();
    assert_eq!((all.len(), all.iter().collect::<HashSet<_>>().len()), (500, 500));
    assert_eq!(bench.count("SELECT count(*) FROM jobs").await, 0);
}

async fn a_worker_that_vanished_is_replaced_and_fenced(bench: &mut Bench) {
    enqueue(bench, "a", at(0)).await;
    let vanished = claim(bench, 0, 10).await.remove(0);
    assert!(claim(bench, 29, 10).await.is_empty(), "its lease still runs");
    let prolong = Prolong { job: vanished.id, fence: vanished.fence, until: at(60) };
    assert!(bench.store.write(prolong.clone()).await.expect("an answer"));
    assert!(claim(bench, 59, 10).await.is_empty(), "and was prolonged");
    bench.reopen().await;
    let next = claim(bench, 60, 10).await.remove(0);
    assert_eq!((next.id, next.attempt), (vanished.id, 2));
    assert!(next.fence > vanished.fence);
    assert!(!bench.store.write(prolong).await.expect("an answer"));
    assert!(!bench.store.write(finish(&vanished, 61)).await.expect("an answer"));
    assert_eq!(bench.store.write(fail(bench, &vanished, 61, None)).await.expect("an answer"), None);
    assert!(bench.store.write(finish(&next, 61)).await.expect("an answer"));
    assert!(!bench.store.write(finish(&next, 61)).await.expect("an answer"), "an effect once");
}

async fn one_that_kills_its_workers_is_buried(bench: &mut Bench) {
    enqueue(bench, "a", at(0)).await;
    for attempt in 1..=3 {
        assert_eq!(claim(bench, 100 * u64::from(attempt), 1).await[0].attempt, attempt);
    }
    assert!(claim(bench, 400, 1).await.is_empty());
    assert_eq!(bench.column::<String>("SELECT state FROM jobs").await, ["dead"]);
    assert_eq!(bench.count("SELECT count(*) FROM events WHERE action = 'job.dead'").await, 1);
}

async fn those_that_only_waited_beside_it_are_not(bench: &mut Bench) {
    enqueue(bench, "a", at(0)).await;
    for round in 1..=9 {
        let held = hold(bench, 100 * round, 1).await.remove(0);
        assert_eq!(held.attempt, 0, "claimed {round} times, never begun");
        assert!(bench.store.write(Begin { job: held.id, fence: held.fence - 1 }).await.expect("an answer").is_none());
    }
    let begun = claim(bench, 1000, 1).await.remove(0);
    assert_eq!(begun.attempt, 1);
    // What is handed back was never begun, so nothing is taken off.
    let held = hold(bench, 1100, 1).await.remove(0);
    let back = store::jobs::HandBack { job: held.id, fence: held.fence };
    bench.store.write(back).await.expect("handed back");
    assert_eq!(hold(bench, 1101, 1).await.remove(0).attempt, 1);
    assert_eq!(bench.count("SELECT count(*) FROM events WHERE action = 'job.dead'").await, 0);
}

async fn failures_wait_then_die_and_can_be_replayed(bench: &mut Bench) {
    enqueue(bench, "a", at(0)).await;
    for (start, dead) in [(0, false), (10, false), (20, true)] {
        let claim = claim(bench, start, 1).await.remove(0);
        let failed = bench.store.write(fail(bench, &claim, start + 1, Some(start + 10))).await;
        assert_eq!(failed.expect("an answer"), Some(dead));
        assert!(self::claim(bench, start + 9, 1).await.is_empty(), "it waits for its time");
    }
    assert_eq!(bench.store.read(next_due).await.expect("an answer"), None, "the dead wait for nothing");
    let letters = async || bench.store.read(async |s| dead_letters(s, bench.tenant, None, 10).await).await;
    let letter = letters().await.expect("letters").remove(0);
    assert_eq!((letter.attempts, letter.last_error.as_deref()), (3, Some("no luck")));
    let replay = |which| Replay { act: bench.act_at(at(50)), which, limits: LIMITS };
    assert_eq!(bench.store.write(replay(Which::One(letter.id))).await.expect("replayed"), 1);
    assert_eq!(bench.store.write(replay(Which::All)).await.expect("none left"), 0);
    let gone = bench.store.write(replay(Which::One(letter.id))).await;
    assert!(matches!(gone, Err(store::Error::Refused(why)) if why.code == Code::NotFound));
    assert!(letters().await.expect("letters").is_empty());
    let again = claim(bench, 50, 1).await.remove(0);
    assert_eq!(again.attempt, 1);
    assert_eq!(bench.store.write(fail(bench, &again, 51, None)).await.expect("an answer"), Some(true), "pointless");
    assert_eq!(enqueue(bench, "a", at(60)).await, 0, "the schedule does not wake the dead: a person does");
    assert!(claim(bench, 60, 1).await.is_empty());
    assert_eq!(bench.store.write(replay(Which::All)).await.expect("replayed"), 1);
    let last = claim(bench, 61, 1).await.remove(0);
    bench.store.write(fail(bench, &last, 62, None)).await.expect("dead once more");
    assert_eq!(enqueue(bench, "a", at(3000)).await, 0, "it rests");
    assert_eq!(enqueue(bench, "a", at(3100)).await, 1, "what went wrong may have passed by itself");
    let next = claim(bench, 3101, 1).await.remove(0);
    bench.store.write(fail(bench, &next, 3102, None)).await.expect("dead");
    let occasion = Enqueue { jobs: vec![job(bench, "a", at(3103))], revive: true, at: at(3103) };
    assert_eq!(bench.store.write(occasion).await.expect("enqueued"), 1, "a new occasion waits for nobody");
}

async fn asked_for_again_while_running_runs_again(bench: &mut Bench) {
    enqueue(bench, "a", at(0)).await;
    let first = claim(bench, 0, 1).await.remove(0);
    assert_eq!(enqueue(bench, "a", at(1)).await, 1);
    assert_eq!(enqueue(bench, "a", at(2)).await, 0);
    assert!(claim(bench, 3, 1).await.is_empty());
    assert!(bench.store.write(finish(&first, 4)).await.expect("an answer"));
    let second = claim(bench, 4, 1).await.remove(0);
    assert_eq!((second.id, second.attempt), (first.id, 1));
    assert!(bench.store.write(finish(&second, 5)).await.expect("an answer"));
    assert_eq!(bench.count("SELECT count(*) FROM jobs").await, 0);
}

async fn asked_for_twice_waits_once_and_no_later(bench: &mut Bench) {
    assert_eq!(enqueue(bench, "a", at(50)).await, 1);
    assert_eq!(enqueue(bench, "a", at(60)).await, 0);
    assert_eq!(bench.store.read(next_due).await.expect("an answer"), Some(at(50)));
    assert_eq!(enqueue(bench, "a", at(40)).await, 1);
    assert_eq!(bench.store.read(next_due).await.expect("an answer"), Some(at(40)));
    let claim = claim(bench, 40, 5).await.remove(0);
    let failed = bench.store.write(fail(bench, &claim, 41, Some(90))).await;
    assert_eq!(failed.expect("an answer"), Some(false));
    assert_eq!(enqueue(bench, "a", at(41)).await, 0, "a failing job is not hurried");
}

async fn replaying_all_respects_the_allowance(bench: &mut Bench) {
    for name in ["a", "b", "c"] {
        enqueue(bench, name, at(0)).await;
    }
    for claim in claim(bench, 0, 3).await {
        bench.store.write(fail(bench, &claim, 1, None)).await.expect("dead");
    }
    enqueue(bench, "d", at(0)).await;
    let limits = |pending_jobs| store::admission::Limits { pending_jobs, ..LIMITS };
    let all = |limits| Replay { act: bench.act_at(at(2)), which: Which::All, limits };
    let refused = bench.store.write(all(limits(3))).await;
    assert!(matches!(refused, Err(store::Error::Refused(why)) if why.code == Code::TooManyRequests));
    assert_eq!(bench.store.write(all(limits(4))).await.expect("replayed"), 3);
}
