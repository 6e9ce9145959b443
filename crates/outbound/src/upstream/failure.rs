//! Why an upstream could not be read. Never the same thing as "there is none".

use std::time::Duration;

use model::Timestamp;

use crate::error::Error;

/// Why a question got no answer. The text is for people and holds neither credentials nor more of an address than
/// its origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Our own walls: the address is not one that we read from. Nothing was sent.
    #[error("{host} may not be read from: {why}")]
    Forbidden {
        /// The host, as far as one was named.
        host: String,
        /// Which wall.
        why: &'static str,
    },
    /// The name, the connection or TLS failed.
    #[error("cannot reach {origin}: {why}")]
    Unreachable {
        /// Scheme, host and port.
        origin: String,
        /// The innermost cause.
        why: String,
    },
    /// No answer came in time, or its body stopped or crawled.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// It said no: any 4xx but 404 and 410, or any 4xx of a token service.
    #[error("{origin} refused with status {status}")]
    Refused {
        /// Scheme, host and port.
        origin: String,
        /// The HTTP status.
        status: u16,
        /// How long it wants to be left alone.
        after: Option<Duration>,
    },
    /// It is in trouble: a 5xx.
    #[error("{origin} failed with status {status}")]
    Failing {
        /// Scheme, host and port.
        origin: String,
        /// The HTTP status.
        status: u16,
        /// How long it wants to be left alone.
        after: Option<Duration>,
    },
    /// What came breaks the protocol or a bound: cut short, too long, oddly coded, or redirected without end.
    #[error("{0}")]
    Broken(String),
    /// Our own bounds: too much is asked of this upstream at once.
    #[error("too many requests to {0} are under way")]
    Busy(String),
    /// It failed so often that it is left alone for a while. Nothing was sent.
    #[error("{origin} failed and is not asked again before {until}")]
    Open {
        /// Scheme, host and port.
        origin: String,
        /// When it may be asked again.
        until: Timestamp,
    },
}

/// The longest time that anybody is told to wait.
const LONGEST: Duration = Duration::from_secs(300);

impl Failure {
    /// How long to wait before asking again, as the upstream wants it or the breaker has it; five minutes at most.
    pub(crate) fn wait(&self, now: Timestamp) -> Option<Duration> {
        let wait = match self {
            Self::Open { until, .. } => Some(until.since(now)),
            Self::Refused { status: 429, after, .. } | Self::Failing { status: 503, after, .. } => *after,
            _ => None,
        };
        wait.map(|wait| wait.min(LONGEST))
    }

    /// Whom it is about.
    pub(crate) fn origin(&self) -> Option<&str> {
        match self {
            Self::Unreachable { origin, .. }
            | Self::Timeout(origin)
            | Self::Refused { origin, .. }
            | Self::Failing { origin, .. }
            | Self::Busy(origin)
            | Self::Open { origin, .. } => Some(origin),
            Self::Forbidden { .. } | Self::Broken(_) => None,
        }
    }

    /// The failure that a status is, 4xx and 5xx alike; any other status is against the protocol here.
    pub(crate) fn status(origin: String, status: u16, after: Option<Duration>) -> Self {
        match status {
            400..=499 => Self::Refused { origin, status, after },
            500..=599 => Self::Failing { origin, status, after },
            _ => Self::Broken(format!("{origin} answered with status {status}, which answers nothing")),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Connect { origin, why } => Self::Unreachable { origin, why },
            Error::Timeout(origin) => Self::Timeout(origin),
            other => Self::Broken(other.to_string()),
        }
    }
}
