//! Time as data: microseconds since the Unix epoch, and a clock that is passed in.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An instant: microseconds since 1970-01-01T00:00:00Z. Written as RFC 3339 with `Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Parses RFC 3339. An offset is converted to UTC; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let parsed = DateTime::parse_from_rfc3339(text).ok()?;
        Some(Self(parsed.timestamp_micros()))
    }

    /// Parses a moment that somebody means: RFC 3339, or a date, which is its first moment in UTC.
    pub fn parse_moment(text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| (text.len() == 10).then(|| Self::parse(&format!("{text}T00:00:00Z"))).flatten())
    }

    /// Parses `20260101t000000z`: UTC, for where neither colons nor capital letters may stand.
    pub fn parse_compact(text: &str) -> Option<Self> {
        let time = chrono::NaiveDateTime::parse_from_str(text, "%Y%m%dt%H%M%Sz").ok()?;
        Some(Self(time.and_utc().timestamp_micros())).filter(|_| is_compact(text))
    }

    /// Written as short as [`Self::parse_moment`] reads it: a day for its first moment, else RFC 3339.
    pub fn to_moment(self) -> String {
        let text = if self.0.rem_euclid(1_000_000) == 0 { self.to_seconds() } else { self.to_string() };
        text.strip_suffix("T00:00:00Z").map(str::to_owned).unwrap_or(text)
    }

    /// Written as [`Self::parse_compact`] reads it, rounded down to whole seconds.
    pub fn to_compact(self) -> String {
        let time = DateTime::<Utc>::from_timestamp(self.unix_seconds(), 0).unwrap_or_default();
        time.format("%Y%m%dt%H%M%Sz").to_string()
    }

    /// This instant, later by `span` (saturating).
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// This instant, earlier by `span` (saturating).
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros))
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Whole seconds since the epoch, rounded down.
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// RFC 3339 with whole seconds, rounded down: for formats whose clients read no fractions.
    pub fn to_seconds(self) -> String {
        let time = DateTime::<Utc>::from_timestamp(self.unix_seconds(), 0).unwrap_or_default();
        time.to_rfc3339_opts(SecondsFormat::Secs, true)
    }
}

/// Whether a text has the shape of a compact moment, be there one or not.
fn is_compact(text: &str) -> bool {
    text.len() == 16
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 => byte == b't',
            15 => byte == b'z',
            _ => byte.is_ascii_digit(),
        })
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = DateTime::<Utc>::from_timestamp_micros(self.0).unwrap_or_default();
        f.write_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("not an RFC 3339 time"))
    }
}

/// Where the present comes from.
pub trait Clock: Send + Sync {
    /// The current wall-clock time.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp(Utc::now().timestamp_micros())
    }
}

/// A clock that only a test moves.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands still at `start`.
    pub fn at(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.0))
    }

    /// Moves the clock forward.
    pub fn advance(&self, span: Duration) {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_written_in_utc_and_read_back() {
        let at = Timestamp(1_763_700_000_123_456);
        assert_eq!(at.to_string(), "2025-11-21T04:40:00.123456Z");
        assert_eq!(Timestamp::parse(&at.to_string()), Some(at));
        assert_eq!(Timestamp::parse("2025-11-21T05:40:00.123456+01:00"), Some(at));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    #[test]
    fn moments_are_written_in_full_as_a_day_or_compactly() {
        let new_year = Timestamp::parse("2026-01-01T00:00:00Z");
        assert!(new_year.is_some());
        for same in ["2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01t00:00:00z", "2026-01-01T02:00:00+02:00"] {
            assert_eq!(Timestamp::parse_moment(same), new_year, "{same}");
        }
        for none in ["", "2026", "2026-13-01", "2026-02-30", "2026-01-01T", "2026-01-01T00:00:00", "20260101", "now"] {
            assert_eq!(Timestamp::parse_moment(none), None, "{none}");
        }
        assert_eq!(Timestamp::parse_compact("20260101t000000z"), new_year);
        for none in ["20261301t000000z", "20260101T000000Z", "20260101t000000", "2026101t0000000z", "20260101t240000z"]
        {
            assert_eq!(Timestamp::parse_compact(none), None, "{none}");
        }
        assert!(is_compact("20261301t000000z") && !is_compact("2026-01-01") && !is_compact("at-home-and-away"));
    }

    #[test]
    fn moments_are_written_as_they_are_read() {
        for written in ["2026-01-01", "2026-01-01T00:00:01Z", "2026-01-01T00:00:00.500000Z"] {
            assert_eq!(Timestamp::parse_moment(written).map(Timestamp::to_moment).as_deref(), Some(written));
        }
        let compact = Timestamp::parse("2026-01-31T12:30:00.9+01:00").map(Timestamp::to_compact);
        assert_eq!(compact.as_deref(), Some("20260131t113000z"));
        assert_eq!(Timestamp::parse_compact("20260131t113000z"), Timestamp::parse("2026-01-31T11:30:00Z"));
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::at(Timestamp(5));
        assert_eq!(clock.now(), Timestamp(5));
        clock.advance(Duration::from_micros(7));
        assert_eq!(clock.now(), Timestamp(12));
    }
}
