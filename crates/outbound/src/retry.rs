//! When to try again, and after how long.

use std::time::Duration;

use model::Ambient;

use crate::error::Error;

/// How often and how patiently a call is repeated.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// The pause after the first attempt; doubled after each further one.
    pub first: Duration,
    /// The longest pause, also when the server asks for more (then the call fails at once).
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 5, first: Duration::from_millis(250), longest: Duration::from_secs(60) }
    }
}

impl Retry {
    /// One attempt only: for whoever asks how things are.
    pub fn none() -> Self {
        Self { attempts: 1, ..Self::default() }
    }

    /// The pause before the attempt after `attempt` (from 1), or none when the error is final.
    /// `asked` is the server's `Retry-After`; `repeatable` tells that a second effect does no harm.
    pub(crate) fn pause(
        &self,
        attempt: u32,
        error: &Error,
        asked: Option<Duration>,
        repeatable: bool,
        ambient: &Ambient,
    ) -> Option<Duration> {
        let worthwhile = match error {
            // Nothing was sent, or nothing was done.
            Error::Connect { .. } => true,
            Error::Problem(problem) => problem.status == 429 || (repeatable && problem.status == 503),
            Error::Broken(_) | Error::Timeout(_) => repeatable,
            Error::Address(_) | Error::Trust(_) => false,
        };
        if !worthwhile || attempt >= self.attempts {
            return None;
        }
        match asked {
            Some(asked) if asked > self.longest => None,
            Some(asked) => Some(asked + self.jittered(attempt, ambient) / 4),
            None => Some(self.jittered(attempt, ambient)),
        }
    }

    /// Between half and the whole of the doubled pause, so that clients do not march in step.
    pub(crate) fn jittered(&self, attempt: u32, ambient: &Ambient) -> Duration {
        let whole = self.first.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(self.longest);
        let [chance] = ambient.bytes::<1>();
        whole / 2 + whole.mul_f64(f64::from(chance) / 510.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16) -> Error {
        let status = reqwest::StatusCode::from_u16(status).expect("a status");
        Error::Problem(Box::new(crate::Problem::read(status, None, b"", false)))
    }

    #[test]
    fn only_what_may_help_is_repeated() {
        let retry = Retry::default();
        let ambient = Ambient::system();
        let again = |error: &Error, repeatable| retry.pause(1, error, None, repeatable, &ambient).is_some();
        assert!(again(&refused(503), true) && again(&refused(429), true) && again(&refused(429), false));
        assert!(!again(&refused(503), false) && !again(&refused(404), true) && !again(&refused(500), true));
        assert!(!again(&Error::Broken(String::new()), false));
    }

    #[test]
    fn pauses_grow_are_bounded_and_honour_the_server() {
        let retry = Retry { attempts: 9, first: Duration::from_millis(100), longest: Duration::from_secs(1) };
        let ambient = Ambient::system();
        let pause = |attempt, asked: Option<u64>| {
            retry.pause(attempt, &refused(503), asked.map(Duration::from_millis), true, &ambient)
        };
        for _ in 0..50 {
            let first = pause(1, None).expect("again");
            assert!((Duration::from_millis(50)..=Duration::from_millis(100)).contains(&first), "{first:?}");
            assert!(pause(8, None).expect("again") <= Duration::from_secs(1));
        }
        assert!(pause(1, Some(900)).expect("again") >= Duration::from_millis(900));
        assert_eq!(pause(1, Some(1100)), None);
        assert_eq!(pause(9, None), None);
    }
}
