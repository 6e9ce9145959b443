//! A moment as of which a repository is read.

use std::time::Duration;

use model::Timestamp;
use store::When;

use crate::error::{Error, Result};
use crate::registry::Registry;

/// What is younger than this may still change: times are told by the clocks of several processes, which may differ by less
/// than this, and what they wrote may be committed later than they say.
const SETTLED: Duration = Duration::from_secs(60);

/// A moment as of which a repository is read: what was the case then never changes any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Timestamp);

impl Instant {
    /// Refuses what is less than 60 seconds ago, and the future: 400.
    pub fn new(at: Timestamp, now: Timestamp) -> Result<Self> {
        if at <= now.minus(SETTLED) {
            return Ok(Self(at));
        }
        let why = format!(
            "a repository can be read as of a moment that is at least {} seconds ago: {at} is not, it is {now} here",
            SETTLED.as_secs()
        );
        Err(Error::bad_request(why))
    }

    pub(crate) fn at(self) -> Timestamp {
        self.0
    }

    pub(crate) fn when(self) -> When {
        When::At(self.0)
    }
}

impl Registry {
    /// A moment as of which repositories can be read. 400 for one that is less than 60 seconds ago.
    pub fn instant(&self, at: Timestamp) -> Result<Instant> {
        Instant::new(at, self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_still_change_is_refused() {
        let now = Timestamp(1_700_000_000_000_000);
        for settled in [now.minus(SETTLED), now.minus(Duration::from_secs(61)), Timestamp(-1)] {
            assert_eq!(Instant::new(settled, now).ok(), Some(Instant(settled)));
        }
        for young in [now.minus(Duration::from_micros(59_999_999)), now, now.plus(SETTLED), Timestamp(i64::MAX)] {
            let refused = Instant::new(young, now).expect_err("too young");
            assert_eq!(refused.code(), Some(model::Code::BadRequest), "{young}");
        }
    }
}
