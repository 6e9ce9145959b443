//! What a program would otherwise reach for: time and chance, passed in as one value.

use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::time::{Clock, SystemClock, Timestamp};

/// Where unpredictable bytes come from.
pub trait Random: Send + Sync {
    /// Fills `bytes` with unpredictable bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's generator; fit for secrets.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system for randomness")]
    #[expect(clippy::expect_used, reason = "without randomness no secret can be made: stop")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives randomness");
    }
}

/// A repeatable generator for tests (SplitMix64); never for secrets.
#[derive(Debug)]
pub struct SeededRandom(Mutex<u64>);

impl SeededRandom {
    /// The generator that `seed` names.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^= mixed >> 31;
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A clock and a source of chance, cheap to clone.
#[derive(Clone)]
pub struct Ambient {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Ambient {
    /// The real clock and the real generator.
    pub fn system() -> Self {
        Self::new(Arc::new(SystemClock), Arc::new(SystemRandom))
    }

    /// A chosen clock and generator.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { clock, random }
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// `N` unpredictable bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes);
        bytes
    }

    /// A new id (UUID version 7) of any kind, e.g. `let repo: RepoId = ambient.id();`.
    ///
    /// Ids made in different microseconds sort by their time: the twelve bits after the milliseconds hold the fraction
    /// (RFC 9562, section 6.2, method 3). The other 62 bits are random.
    pub fn id<T: From<Uuid>>(&self) -> T {
        let micros = u64::try_from(self.now().0).unwrap_or(0);
        let [high, low] = (u16::try_from(micros % 1000 * 4096 / 1000).unwrap_or(0)).to_be_bytes();
        let mut rest = self.bytes();
        (rest[0], rest[1]) = (high, low);
        T::from(uuid::Builder::from_unix_timestamp_millis(micros / 1000, &rest).into_uuid())
    }
}

impl std::fmt::Debug for Ambient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ambient")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RepoId;
    use crate::time::ManualClock;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let make = || Ambient::new(Arc::new(ManualClock::at(Timestamp(1_000_000))), Arc::new(SeededRandom::new(7)));
        let (one, two): (RepoId, RepoId) = (make().id(), make().id());
        assert_eq!(one, two);
        assert_eq!(one.0.get_version_num(), 7);
    }

    #[test]
    fn ids_sort_by_the_microsecond() {
        let at = |micros| -> RepoId {
            Ambient::new(Arc::new(ManualClock::at(Timestamp(micros))), Arc::new(SystemRandom)).id()
        };
        let ids: Vec<RepoId> = (1_700_000_000_000_000..1_700_000_000_003_000).map(at).collect();
        assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(ids.iter().all(|id| id.0.get_version_num() == 7));
    }

    #[test]
    fn system_randomness_differs_from_call_to_call() {
        let ambient = Ambient::system();
        assert_ne!(ambient.bytes::<32>(), ambient.bytes::<32>());
    }
}
