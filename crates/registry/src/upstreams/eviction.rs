//! How long a remote repository keeps the bytes of what it has of its upstream.

use std::time::Duration;

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Days at most.
const DAYS: u32 = 36_500;
/// Bytes at most: what a JSON number holds.
const BYTES: u64 = 1 << 53;

/// What a remote repository keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RemoteSettings {
    /// Which bytes it lets go of. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eviction: Option<Eviction>,
}

/// Which bytes a remote repository lets go of: they are fetched again when somebody wants them. At least one is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Eviction {
    /// Those that nobody has read for so many days: 1 to 36500.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unused_days: Option<u32>,
    /// Those that came so many days ago: 1 to 36500.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_days: Option<u32>,
    /// Those that were not read for the longest time, when there are more bytes than this: until nine tenths of it are
    /// left. 1 to 2^53.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

impl RemoteSettings {
    /// 400 with the field that is out of its bounds.
    pub(crate) fn check(&self) -> Result<()> {
        let Some(eviction) = &self.eviction else { return Ok(()) };
        let days = [
            ("settings.remote.eviction.unusedDays", eviction.unused_days),
            ("settings.remote.eviction.maxAgeDays", eviction.max_age_days),
        ];
        for (field, days) in days {
            if days.is_some_and(|days| !(1..=DAYS).contains(&days)) {
                return Err(Error::bad_field(field, format!("{field} must be 1 to {DAYS}")));
            }
        }
        if eviction.max_bytes.is_some_and(|bytes| !(1..=BYTES).contains(&bytes)) {
            let field = "settings.remote.eviction.maxBytes";
            return Err(Error::bad_field(field, format!("{field} must be 1 to {BYTES}")));
        }
        if *eviction == Eviction::default() {
            let field = "settings.remote.eviction";
            let why = format!("{field} names unusedDays, maxAgeDays or maxBytes; null lets go of nothing");
            return Err(Error::bad_field(field, why));
        }
        Ok(())
    }
}

impl Eviction {
    /// What was last read before this goes.
    pub(crate) fn unused_before(&self, now: Timestamp) -> Option<Timestamp> {
        self.unused_days.map(|days| before(now, days))
    }

    /// What came before this goes.
    pub(crate) fn came_before(&self, now: Timestamp) -> Option<Timestamp> {
        self.max_age_days.map(|days| before(now, days))
    }

    /// How many of `bytes` go.
    pub(crate) fn surplus(&self, bytes: u64) -> u64 {
        match self.max_bytes {
            Some(most) if bytes > most => bytes - (most - most / 10),
            _ => 0,
        }
    }
}

fn before(now: Timestamp, days: u32) -> Timestamp {
    now.minus(Duration::from_secs(u64::from(days) * 86_400))
}
