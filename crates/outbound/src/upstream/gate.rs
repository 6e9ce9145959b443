//! How much is asked of an upstream: so many at a time, so often in a second, and nobody waits for ever.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::failure::Failure;

/// The door to an upstream.
pub(crate) struct Gate {
    origin: String,
    places: Arc<Semaphore>,
    wait: Duration,
    spacing: Duration,
    next: Mutex<Option<Instant>>,
}

impl Gate {
    /// `at_once` places; whoever waits longer than `wait` goes away; `rate` requests in a second.
    pub(crate) fn new(origin: String, at_once: usize, wait: Duration, rate: Option<NonZeroU32>) -> Self {
        let spacing = rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.get());
        let places = Arc::new(Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS)));
        Self { origin, places, wait, spacing, next: Mutex::default() }
    }

    /// Takes one of the places, for as long as what is returned lives.
    pub(crate) async fn enter(&self) -> Result<OwnedSemaphorePermit, Failure> {
        match tokio::time::timeout(self.wait, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(Failure::Busy(self.origin.clone())),
        }
    }

    /// Waits for this request's turn, where there is a rate.
    pub(crate) async fn pace(&self) -> Result<(), Failure> {
        if self.spacing.is_zero() {
            return Ok(());
        }
        let turn = self.turn(Instant::now()).ok_or_else(|| Failure::Busy(self.origin.clone()))?;
        tokio::time::sleep_until(turn).await;
        Ok(())
    }

    fn turn(&self, now: Instant) -> Option<Instant> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = next.unwrap_or(now).max(now);
        if turn.duration_since(now) > self.wait {
            return None;
        }
        *next = Some(turn + self.spacing);
        Some(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn there_are_so_many_places_and_nobody_waits_for_ever() {
        let gate = Gate::new("https://a.example".to_owned(), 2, Duration::from_secs(30), None);
        let (one, _two) = (gate.enter().await.expect("a place"), gate.enter().await.expect("a place"));
        let start = Instant::now();
        assert_eq!(gate.enter().await.expect_err("full"), Failure::Busy("https://a.example".to_owned()));
        assert_eq!(start.elapsed().as_secs(), 30);
        drop(one);
        assert!(gate.enter().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_spread_over_the_second() {
        let gate = Gate::new(String::new(), 1, Duration::from_secs(1), NonZeroU32::new(10));
        let start = Instant::now();
        for _ in 0..21 {
            gate.pace().await.expect("a turn");
        }
        assert_eq!(start.elapsed().as_secs(), 2);
        let now = Instant::now();
        let turns = std::iter::from_fn(|| gate.turn(now)).count();
        assert_eq!(turns, 10, "no turn that is more than a second away");
        assert!(matches!(gate.pace().await, Err(Failure::Busy(_))));
    }
}
