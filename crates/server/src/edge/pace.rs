//! Which HTTP/2 answers wait for their reader.
//!
//! A reader that opens no window stalls one stream; the socket itself never blocks, so the wire's own clock
//! sees nothing. Each answer with a body therefore notes since when nobody has asked it for more.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

/// Dead notes are swept when the list has this many entries, and at every doubling.
const SWEEP: usize = 64;

/// The answers of one connection.
#[derive(Debug)]
pub(crate) struct Paces {
    opened: Instant,
    notes: Mutex<Vec<Weak<AtomicU64>>>,
}

/// One answer's note: milliseconds from the connection's start to when it began to wait, plus one; 0 while it
/// is the answer itself that has nothing to give.
#[derive(Debug)]
pub(crate) struct Pace {
    opened: Instant,
    since: Arc<AtomicU64>,
}

impl Paces {
    pub(crate) fn new() -> Self {
        Self { opened: Instant::now(), notes: Mutex::default() }
    }

    /// Notes an answer that begins to wait now.
    pub(crate) fn begin(&self) -> Pace {
        let pace = Pace { opened: self.opened, since: Arc::default() };
        pace.gave();
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() >= SWEEP && notes.len().is_power_of_two() {
            notes.retain(|note| note.strong_count() > 0);
        }
        notes.push(Arc::downgrade(&pace.since));
        pace
    }

    /// Whether some answer has waited longer than `limit`.
    pub(crate) fn stalled(&self, limit: Duration) -> bool {
        let now = millis(self.opened);
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.iter().filter_map(Weak::upgrade).any(|since| match since.load(Relaxed) {
            0 => false,
            since => now.saturating_sub(since) >= limit,
        })
    }
}

impl Pace {
    /// A piece was handed out; the reader has to ask again.
    pub(crate) fn gave(&self) {
        self.since.store(millis(self.opened), Relaxed);
    }

    /// The reader asked and there is nothing yet.
    pub(crate) fn asked(&self) {
        self.since.store(0, Relaxed);
    }
}

fn millis(opened: Instant) -> u64 {
    u64::try_from(opened.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_an_answer_that_waits_for_its_reader_stalls() {
        let paces = Paces::new();
        let limit = Duration::from_secs(30);
        let (slow_reader, slow_answer) = (paces.begin(), paces.begin());
        slow_answer.asked();
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(!paces.stalled(limit));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(paces.stalled(limit));
        slow_reader.gave();
        assert!(!paces.stalled(limit));
        tokio::time::advance(limit).await;
        drop(slow_reader);
        assert!(!paces.stalled(limit));
    }

    #[test]
    fn notes_of_ended_answers_are_swept() {
        let paces = Paces::new();
        for _ in 0..10_000 {
            paces.begin().asked();
        }
        assert!(paces.notes.lock().unwrap().len() <= SWEEP + 1);
    }
}
