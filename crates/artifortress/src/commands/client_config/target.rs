//! What is configured: a repository, perhaps as of a moment.

use model::{RepoKey, Timestamp};
use registry::Instant;

use super::super::failure::Failure;

/// `KEY` or `KEY@MOMENT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) key: RepoKey,
    /// As of when; `None`: now.
    pub(super) moment: Option<Timestamp>,
}

impl Target {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (key, moment) = text.split_once('@').map_or((text, None), |(key, moment)| (key, Some(moment)));
        let key = RepoKey::parse(key).map_err(|error| error.to_string())?;
        let shape = "what stands behind the repository's key is not a date or a time as in RFC 3339, such as \
                     2026-01-31T12:00:00Z";
        let moment = moment.map(|moment| Timestamp::parse_moment(moment).ok_or(shape)).transpose()?;
        Ok(Self { key, moment })
    }

    /// Refuses moments that a server would refuse.
    pub(super) fn expect_settled(&self, now: Timestamp) -> Result<(), Failure> {
        let settled = self.moment.map_or(Ok(()), |at| Instant::new(at, now).map(drop));
        settled.map_err(|error| Failure::usage(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_stands_behind_the_key() {
        let of = |text| Target::parse(text).map(|target| (target.key.to_string(), target.moment));
        assert_eq!(of("libs"), Ok(("libs".to_owned(), None)));
        let new_year = Timestamp::parse("2026-01-01T00:00:00Z");
        for written in ["libs@2026-01-01", "libs@2026-01-01T01:00:00+01:00"] {
            assert_eq!(of(written), Ok(("libs".to_owned(), new_year)), "{written}");
        }
        for none in ["libs@", "libs@yesterday", "libs@2026-02-30", "libs@2026-01-01@2026-01-01", "@2026-01-01", "Libs"] {
            assert!(of(none).is_err(), "{none}");
        }
    }

    #[test]
    fn what_a_server_would_refuse_is_refused() {
        let now = Timestamp(1_700_000_000_000_000);
        let at = |moment| Target { key: RepoKey::parse("libs").expect("a key"), moment }.expect_settled(now);
        assert_eq!(at(None), Ok(()));
        assert_eq!(at(Some(Timestamp(0))), Ok(()));
        let young = at(Some(now)).expect_err("too young");
        assert!(young.message.contains("at least 60 seconds ago"), "{young:?}");
    }
}
