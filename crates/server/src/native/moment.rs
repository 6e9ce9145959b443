//! A repository as it was at a moment: what that means for a request.

use formats::Operation;
use http::request::Parts;
use http::{HeaderValue, Method};
use model::Timestamp;
use registry::{Grant, Instant, Read};

use super::map::{self, Moment};
use crate::problem::Problem;

/// For as long as caches keep anything: what was the case at a moment never changes.
pub(super) const FOR_GOOD: [HeaderValue; 2] = [
    HeaderValue::from_static("private, max-age=31536000, immutable"),
    HeaderValue::from_static("public, max-age=31536000, immutable"),
];

/// The grant for what the address asks for. Refuses moments that cannot be read or are too young, and everything but
/// reading.
pub(super) fn as_of(grant: Grant<Read>, moment: Option<&Moment<'_>>, parts: &Parts) -> Result<Grant<Read>, Problem> {
    let Some(moment) = moment else { return Ok(grant) };
    let shape = "a date or a time as in RFC 3339, such as 2026-01-31T12:00:00Z";
    let instant = read(&grant, moment.at, &parts.method, shape)?;
    Ok(grant.as_of(Some(instant)))
}

/// The moment, where one can be read and what was the case then is settled.
pub(super) fn read(
    grant: &Grant<Read>,
    at: Option<Timestamp>,
    method: &Method,
    shape: &str,
) -> Result<Instant, Problem> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(only_reading());
    }
    let at =
        at.ok_or_else(|| Problem::bad_request(format!("what stands behind the repository's key is not {shape}")))?;
    Ok(grant.call().registry().instant(at)?)
}

/// Nothing is changed through an address of a moment.
pub(super) fn only_reading() -> Problem {
    let why = "a repository as it was at a moment can only be read: leave the moment out of the address";
    Problem::method_not_allowed(why).allow(HeaderValue::from_static("GET, HEAD"))
}

/// Refuses what tells of now, or changes something.
pub(super) fn expect_of_then(grant: &Grant<Read>, operation: &Operation) -> Result<(), Problem> {
    match operation {
        _ if grant.instant().is_none() => Ok(()),
        Operation::Fetch(_)
        | Operation::List(_)
        | Operation::Index(..)
        | Operation::Part(..)
        | Operation::Newest(..)
        | Operation::Checksum(..)
        | Operation::Version(..)
        | Operation::Catalogue(_)
        | Operation::Say(_)
        | Operation::Tell(_) => Ok(()),
        Operation::Store(_)
        | Operation::Withdraw(_)
        | Operation::Writers(..)
        | Operation::Receive(_)
        | Operation::Change(..)
        | Operation::Leave(..)
        | Operation::Tokens(_) => Err(only_reading()),
    }
}

/// How long an answer of a moment may be kept, and by whom; `None`: it is one of now, or has to be confirmed. What rules
/// keep out of an index they may let in later; what members have depends on who asks.
pub(super) fn kept(grant: &Grant<Read>) -> Option<HeaderValue> {
    let lasts = grant.instant().is_some() && !grant.is_ruled() && !grant.is_virtual();
    lasts.then(|| for_good(grant))
}

/// For good, by those who may.
pub(super) fn for_good(grant: &Grant<Read>) -> HeaderValue {
    let [private, public] = FOR_GOOD;
    if grant.repo().anonymous_read { public } else { private }
}

/// What stands behind the repository's key in addresses that are told to this client, as it was written by it.
pub(super) fn suffix(grant: &Grant<Read>, parts: &Parts) -> String {
    let moment = grant.instant().and_then(|_| map::address(parts.uri.path())?.moment);
    moment.map(|moment| format!("@{}", moment.written)).unwrap_or_default()
}
