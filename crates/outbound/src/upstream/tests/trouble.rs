//! Upstreams that are slow, broken or away.

use std::sync::Arc;
use std::time::Duration;

use model::{Ambient, ManualClock, SystemRandom, Timestamp};

use super::{fails, found, settings, upstream};
use crate::fake::{Fake, Seen, answer, stalling};
use crate::upstream::{Failure, Limits, Question, Reply, Upstream, UpstreamSettings};

const BRIEF: Duration = Duration::from_millis(30);

fn limited(base: &str, limits: Limits) -> Upstream {
    upstream(UpstreamSettings { limits, ..settings(base) })
}

fn clocked(base: &str) -> (Upstream, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(Timestamp(0)));
    let ambient = Ambient::new(Arc::clone(&clock) as _, Arc::new(SystemRandom));
    (Upstream::new(settings(base), ambient).expect("an upstream"), clock)
}

/// An address where nobody listens.
async fn nobody() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    format!("http://{}", listener.local_addr().expect("an address"))
}

#[tokio::test]
async fn silence_before_and_within_an_answer_ends_in_a_timeout() {
    let limits = Limits { answer: BRIEF, ..Limits::default() };
    for begun in ["", "HTTP/1.1 200 X\r\nContent-Le"] {
        let base = stalling(begun).await;
        assert_eq!(fails(&limited(&base, limits), "x").await, Failure::Timeout(base));
    }
    let base = stalling("HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nabc").await;
    let mut got = found(&limited(&base, Limits { stall: BRIEF, ..Limits::default() }), "x").await;
    let end = loop {
        match got.next().await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    assert_eq!(end, Err(Failure::Timeout(base)));
}

#[tokio::test]
async fn nobody_there_is_unreachable_and_so_is_a_name_that_is_not() {
    let base = nobody().await;
    let failure = fails(&upstream(settings(&base)), "x").await;
    assert!(matches!(&failure, Failure::Unreachable { origin, .. } if *origin == base), "{failure:?}");
    let unknown = super::names(|_| Vec::new());
    let own = Upstream::with_lookup(settings("http://unknown.test"), Ambient::system(), unknown).expect("an upstream");
    let failure = fails(&own, "x").await;
    assert_eq!(failure.to_string(), "cannot reach http://unknown.test: unknown name");
}

#[tokio::test]
async fn a_connection_that_broke_before_the_answer_is_tried_once_more() {
    let once = Fake::start(|number, _: &Seen| if number == 0 { String::new() } else { answer(200, "", "x") }).await;
    found(&upstream(settings(&once.base)), "x").await;
    assert_eq!(once.seen().len(), 2);
    let always = Fake::start(|_, _: &Seen| "").await;
    assert!(matches!(fails(&upstream(settings(&always.base)), "x").await, Failure::Broken(_)));
    assert_eq!(always.seen().len(), 2);
}

#[tokio::test]
async fn failures_in_a_row_open_the_breaker_until_a_probe_is_answered() {
    let fake = Fake::start(|number, _: &Seen| answer(if number < 6 { 503 } else { 200 }, "", "")).await;
    let (upstream, clock) = clocked(&fake.base);
    for _ in 0..5 {
        assert!(matches!(fails(&upstream, "x").await, Failure::Failing { status: 503, .. }));
    }
    assert!(matches!(fails(&upstream, "x").await, Failure::Open { .. }));
    assert_eq!(fake.seen().len(), 5);
    clock.advance(Duration::from_secs(5));
    assert!(matches!(fails(&upstream.clone(), "x").await, Failure::Failing { .. }), "the probe");
    let Failure::Open { until, .. } = fails(&upstream, "x").await else { panic!("closed") };
    assert!(until.since(Timestamp(5_000_000)) >= Duration::from_secs(5), "twice as long");
    clock.advance(Duration::from_secs(10));
    found(&upstream, "x").await;
    found(&upstream, "x").await;
}

#[tokio::test]
async fn connections_that_fail_count_and_other_origins_do_not_suffer() {
    let fake = Fake::start(|_, _: &Seen| answer(200, "", "")).await;
    let (upstream, _) = clocked(&fake.base);
    let away = format!("{}/x", nobody().await);
    for _ in 0..5 {
        assert!(matches!(fails(&upstream, &away).await, Failure::Unreachable { .. }));
    }
    assert!(matches!(fails(&upstream, &away).await, Failure::Open { .. }));
    found(&upstream, "x").await;
}

#[tokio::test]
async fn whoever_asks_to_be_left_alone_is() {
    let fake = Fake::start(|_, _: &Seen| answer(429, "Retry-After: 20\r\n", "")).await;
    let (upstream, clock) = clocked(&fake.base);
    let failure = fails(&upstream, "x").await;
    assert!(matches!(failure, Failure::Refused { status: 429, after: Some(_), .. }), "{failure:?}");
    clock.advance(Duration::from_secs(19));
    let open = fails(&upstream, "x").await;
    assert_eq!(open, Failure::Open { origin: fake.base.clone(), until: Timestamp(20_000_000) });
    clock.advance(Duration::from_secs(1));
    assert!(matches!(fails(&upstream, "x").await, Failure::Refused { status: 429, .. }));
    assert_eq!(fake.seen().len(), 2);
}

#[tokio::test]
async fn refusals_and_what_is_missing_are_no_trouble() {
    let fake = Fake::start(|_, seen: &Seen| answer(if seen.line.contains("/gone") { 410 } else { 403 }, "", "")).await;
    let upstream = upstream(settings(&fake.base));
    for _ in 0..6 {
        assert!(matches!(fails(&upstream, "x").await, Failure::Refused { status: 403, .. }));
        assert!(matches!(upstream.ask(Question::file("gone", 1)).await, Ok(Reply::Missing)));
    }
}

#[tokio::test]
async fn an_answer_keeps_its_place_until_it_is_read_or_dropped() {
    let fake = Fake::start(|_, _: &Seen| answer(200, "", "body")).await;
    let upstream = limited(&fake.base, Limits { at_once: 1, wait: BRIEF, ..Limits::default() });
    let held = found(&upstream, "x").await;
    assert_eq!(fails(&upstream, "x").await, Failure::Busy(fake.base.clone()));
    drop(held);
    let mut read = found(&upstream, "x").await;
    while read.next().await.expect("a body").is_some() {}
    found(&upstream, "x").await;
    assert_eq!(read.next().await, Ok(None));
}

#[tokio::test]
async fn how_long_to_wait_is_known_of_the_breaker_and_of_the_upstream() {
    let fake = Fake::start(|number, _: &Seen| match number {
        0 => answer(503, "Retry-After: 70\r\n", ""),
        1..=4 => answer(500, "Retry-After: 70\r\n", ""),
        5 => answer(429, "Retry-After: 4000\r\n", ""),
        _ => answer(200, "", ""),
    })
    .await;
    let (upstream, clock) = clocked(&fake.base);
    assert_eq!(upstream.wait(&fails(&upstream, "x").await), Some(Duration::from_secs(70)));
    for _ in 0..3 {
        assert_eq!(upstream.wait(&fails(&upstream, "x").await), None, "nobody knows");
    }
    // The fifth in a row opens the breaker: who asks again earlier asks in vain.
    let fifth = upstream.wait(&fails(&upstream, "x").await).expect("known");
    assert!((Duration::from_millis(2500)..=Duration::from_secs(5)).contains(&fifth), "{fifth:?}");
    clock.advance(Duration::from_secs(1));
    let failure = fails(&upstream, "x").await;
    assert!(matches!(failure, Failure::Open { .. }), "{failure:?}");
    assert_eq!(upstream.wait(&failure), Some(fifth - Duration::from_secs(1)));
    clock.advance(Duration::from_secs(5));
    let wished = fails(&upstream, "x").await;
    assert!(matches!(wished, Failure::Refused { status: 429, .. }), "{wished:?}");
    assert_eq!(upstream.wait(&wished), Some(Duration::from_secs(300)), "not for ever");
}
