//! Circuit breakers: an origin that fails again and again is left alone for a while, then asked by one at a time.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{Ambient, Timestamp};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::failure::Failure;
use crate::retry::Retry;

/// Failures in a row that open the breaker.
const FAILURES: u32 = 5;

/// Pauses: the first one, doubled each time, at most the longest.
const PAUSES: Retry = Retry { attempts: u32::MAX, first: Duration::from_secs(5), longest: Duration::from_secs(300) };

/// How long the others wait for what comes of a probe: who asks for two things at once shall not fail with the one that
/// is no probe.
const PATIENCE: Duration = Duration::from_secs(5);

/// Origins whose trouble is remembered. Links in an index lead anywhere, so their number is not ours to choose.
const ORIGINS: usize = 256;

/// The breakers of one upstream, one for each origin that its answers lead to: a host that somebody links to
/// and that is away says nothing of the upstream itself.
pub(crate) struct Breakers {
    ambient: Ambient,
    troubled: Mutex<HashMap<String, Trouble>>,
    /// Rung when a probe has ended.
    probed: Notify,
}

/// An origin that failed since it last answered.
#[derive(Clone, Copy, Default)]
struct Trouble {
    failures: u32,
    opened: u32,
    until: Option<Timestamp>,
    probing: bool,
}

/// What an origin's breaker says.
enum Entrance {
    /// Nobody asks before then.
    Open(Timestamp),
    /// Somebody is trying.
    Probing(Timestamp),
    /// It may be asked.
    Let { probe: bool, early: bool },
}

/// Leave to ask; to be settled with what came of it. Dropped unsettled, it says nothing.
pub(crate) struct Admission<'a> {
    breakers: &'a Breakers,
    origin: String,
    probe: bool,
    /// A probe before its time: when it fails, the pause is what it was.
    early: bool,
}

impl Breakers {
    pub(crate) fn new(ambient: Ambient) -> Self {
        Self { ambient, troubled: Mutex::default(), probed: Notify::new() }
    }

    /// Whether `origin` may be asked now: an open breaker lets nobody through, a lapsed one a single probe, for which the
    /// others wait a little. Who asks `anyway` is that probe also while the breaker is open.
    pub(crate) async fn admit(&self, origin: String, anyway: bool) -> Result<Admission<'_>, Failure> {
        let late = Instant::now() + PATIENCE;
        loop {
            let mut probed = pin!(self.probed.notified());
            // From here on no end of a probe is missed.
            probed.as_mut().enable();
            match self.enter(&origin, anyway) {
                Entrance::Open(until) => return Err(Failure::Open { origin, until }),
                Entrance::Probing(until) if timeout_at(late, probed).await.is_err() => {
                    return Err(Failure::Open { origin, until });
                }
                Entrance::Probing(_) => {}
                Entrance::Let { probe, early } => return Ok(Admission { breakers: self, origin, probe, early }),
            }
        }
    }

    fn enter(&self, origin: &str, anyway: bool) -> Entrance {
        let now = self.ambient.now();
        let mut troubled = self.lock();
        let Some(trouble) = troubled.get_mut(origin) else {
            return Entrance::Let { probe: false, early: false };
        };
        match trouble.until {
            Some(until) if until > now && !anyway => Entrance::Open(until),
            Some(until) if trouble.probing => Entrance::Probing(until.max(now)),
            until => {
                trouble.probing = until.is_some();
                Entrance::Let { probe: trouble.probing, early: until.is_some_and(|until| until > now) }
            }
        }
    }

    /// Whether [`Breakers::admit`] would refuse now without waiting.
    pub(crate) fn check(&self, origin: &str) -> Result<(), Failure> {
        let until = self.lock().get(origin).and_then(|trouble| trouble.until);
        match until.filter(|until| *until > self.ambient.now()) {
            Some(until) => Err(Failure::Open { origin: origin.to_owned(), until }),
            None => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Trouble>> {
        self.troubled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trouble {
    /// One more failure. Calls that were under way when the breaker opened say nothing new.
    fn failed(&mut self, probe: bool, after: Option<Duration>, ambient: &Ambient) {
        if self.until.is_some() && !probe {
            return;
        }
        self.failures += 1;
        if let Some(after) = after {
            self.until = Some(ambient.now().plus(after.min(PAUSES.longest)));
        } else if probe || self.failures >= FAILURES {
            self.opened += 1;
            self.until = Some(ambient.now().plus(PAUSES.jittered(self.opened, ambient)));
        }
    }
}

impl Admission<'_> {
    /// It answered: whatever was held against it is forgotten. Calls that were under way when the breaker opened
    /// do not close it.
    pub(crate) fn succeeded(self) {
        let mut troubled = self.breakers.lock();
        if self.probe || troubled.get(&self.origin).is_some_and(|trouble| trouble.until.is_none()) {
            troubled.remove(&self.origin);
        }
    }

    /// It failed; `after` is how long it wants to be left alone, if it said so.
    pub(crate) fn failed(self, after: Option<Duration>) {
        if self.early {
            return;
        }
        let mut troubled = self.breakers.lock();
        if troubled.len() >= ORIGINS && !troubled.contains_key(&self.origin) {
            let least = troubled.iter().min_by_key(|(_, trouble)| trouble.until).map(|(origin, _)| origin.clone());
            least.and_then(|least| troubled.remove(&least));
        }
        let trouble = troubled.entry(self.origin.clone()).or_default();
        trouble.failed(self.probe, after, &self.breakers.ambient);
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if !self.probe {
            return;
        }
        if let Some(trouble) = self.breakers.lock().get_mut(&self.origin) {
            trouble.probing = false;
        }
        self.breakers.probed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{ManualClock, SystemRandom};

    use super::*;

    const HERE: &str = "https://a.example";

    fn breakers() -> (Breakers, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp(0)));
        (Breakers::new(Ambient::new(Arc::clone(&clock) as _, Arc::new(SystemRandom))), clock)
    }

    async fn admit(breakers: &Breakers) -> Admission<'_> {
        breakers.admit(HERE.to_owned(), false).await.unwrap_or_else(|open| panic!("{open}"))
    }

    async fn fail(breakers: &Breakers, times: usize) {
        for _ in 0..times {
            admit(breakers).await.failed(None);
        }
    }

    fn pause(breakers: &Breakers, now: Timestamp) -> Duration {
        match breakers.check(HERE) {
            Err(Failure::Open { until, .. }) => until.since(now),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn five_failures_in_a_row_open_it_and_a_success_starts_over() {
        let (breakers, _) = breakers();
        fail(&breakers, 4).await;
        admit(&breakers).await.succeeded();
        fail(&breakers, 5).await;
        assert!(matches!(breakers.admit(HERE.to_owned(), false).await, Err(Failure::Open { .. })));
        assert!(breakers.admit("https://b.example".to_owned(), false).await.is_ok(), "another origin");
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_pause_one_probes_at_a_time_and_the_others_wait_a_little() {
        let (breakers, clock) = breakers();
        fail(&breakers, 5).await;
        clock.advance(Duration::from_secs(5));
        let (probe, start) = (admit(&breakers).await, Instant::now());
        assert!(breakers.admit(HERE.to_owned(), false).await.is_err());
        assert_eq!(start.elapsed(), PATIENCE);
        let (next, ()) = tokio::join!(admit(&breakers), async { drop(probe) });
        assert!(next.probe, "the first one found nothing out");
        let (after, ()) = tokio::join!(admit(&breakers), async { next.succeeded() });
        assert!(!after.probe && !admit(&breakers).await.probe);
        after.succeeded();

        fail(&breakers, 5).await;
        clock.advance(Duration::from_secs(5));
        let (probe, start) = (admit(&breakers).await, Instant::now());
        let (other, ()) = tokio::join!(breakers.admit(HERE.to_owned(), false), async { probe.failed(None) });
        assert!(matches!(other, Err(Failure::Open { .. })) && start.elapsed().is_zero());
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_anyway_is_the_probe_of_an_open_breaker() {
        let (breakers, _) = breakers();
        let anyway = || async { breakers.admit(HERE.to_owned(), true).await.unwrap_or_else(|open| panic!("{open}")) };
        fail(&breakers, 5).await;
        let before = pause(&breakers, Timestamp(0));
        let early = anyway().await;
        assert!(early.probe && breakers.admit(HERE.to_owned(), true).await.is_err(), "one at a time");
        early.failed(None);
        assert_eq!(pause(&breakers, Timestamp(0)), before, "asking in vain prolongs nothing");
        anyway().await.failed(Some(Duration::from_secs(200)));
        assert_eq!(pause(&breakers, Timestamp(0)), before);
        anyway().await.succeeded();
        assert!(!admit(&breakers).await.probe, "the breaker is closed");
    }

    #[tokio::test]
    async fn pauses_double_to_five_minutes() {
        let (breakers, clock) = breakers();
        fail(&breakers, 5).await;
        let mut expected = 5.0_f64;
        for _ in 0..9 {
            let now = breakers.ambient.now();
            let got = pause(&breakers, now).as_secs_f64();
            assert!((expected / 2.0..=expected).contains(&got), "{got} of {expected}");
            clock.advance(Duration::from_secs(300));
            fail(&breakers, 1).await;
            expected = (expected * 2.0).min(300.0);
        }
    }

    #[tokio::test]
    async fn calls_under_way_neither_prolong_nor_end_the_pause() {
        let (breakers, _) = breakers();
        let mut late = Vec::new();
        for _ in 0..9 {
            late.push(admit(&breakers).await);
        }
        let luck = admit(&breakers).await;
        fail(&breakers, 5).await;
        let before = pause(&breakers, Timestamp(0));
        late.into_iter().for_each(|late| late.failed(None));
        luck.succeeded();
        assert_eq!(pause(&breakers, Timestamp(0)), before);
    }

    #[tokio::test]
    async fn a_wish_to_be_left_alone_is_granted_at_once_and_within_reason() {
        let (breakers, clock) = breakers();
        admit(&breakers).await.failed(Some(Duration::from_secs(7)));
        assert_eq!(pause(&breakers, Timestamp(0)), Duration::from_secs(7));
        clock.advance(Duration::from_secs(7));
        admit(&breakers).await.failed(Some(Duration::from_secs(1 << 40)));
        assert_eq!(pause(&breakers, breakers.ambient.now()), Duration::from_secs(300));
    }

    #[tokio::test]
    async fn what_is_remembered_is_bounded() {
        let (breakers, _) = breakers();
        for number in 0..2 * ORIGINS {
            let admission = breakers.admit(format!("https://{number}.example"), false).await;
            admission.unwrap_or_else(|open| panic!("{open}")).failed(None);
        }
        assert_eq!(breakers.lock().len(), ORIGINS);
    }
}
