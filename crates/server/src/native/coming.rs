//! A file on its way from an upstream to its first reader.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http::header::{self, HeaderValue};
use http::request::Parts;
use registry::{Coming, Grant, Read, Watch};

use super::fetch;
use super::stream::{Cut, failed};
use crate::edge::conditional::{EntityTag, http_date};
use crate::problem::Problem;

/// Requests that say any of this are answered when the file is here: only then it is known whether it holds.
const CONDITIONS: [header::HeaderName; 6] = [
    header::RANGE,
    header::IF_RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
];

/// Answers with a file while it comes.
pub(super) async fn show(grant: &Grant<Read>, coming: Coming, parts: &Parts) -> Result<Response, Problem> {
    match waits(&coming, parts) {
        true => fetch::show(grant, &coming.whole().await?, parts).await,
        false => Ok(stream(grant, coming, parts)),
    }
}

/// Whether the request is answered when all of the file is here.
pub(super) fn waits(coming: &Coming, parts: &Parts) -> bool {
    // An empty body without a length would be announced as a file of no bytes.
    let is_unmeasured = parts.method == http::Method::HEAD && coming.length().is_none();
    is_unmeasured || CONDITIONS.iter().any(|name| parts.headers.contains_key(name))
}

/// The file while it comes. It is cut short where it turns out to be wrong, and was announced longer or without an end:
/// the client notices.
pub(super) fn stream(grant: &Grant<Read>, coming: Coming, parts: &Parts) -> Response {
    let (length, digest, dated) = (coming.length(), coming.digest(), coming.dated());
    let body = match parts.method == http::Method::HEAD {
        true => Body::empty(),
        false => Body::from_stream(pieces(coming, grant.watch())),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_SECURITY_POLICY, fetch::ARTIFACT_POLICY);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    if let Some(at) = dated {
        headers.insert(header::LAST_MODIFIED, http_date(at));
    }
    if let Some(digest) = digest {
        headers.insert(header::ETAG, EntityTag::of_digest(digest, "").header());
    }
    response
}

fn pieces(coming: Coming, watch: Watch<Read>) -> impl Stream<Item = Result<Bytes, Cut>> {
    stream::unfold(Some((coming, watch)), async |state| {
        let (mut coming, mut watch) = state?;
        if !watch.still_allowed().await {
            return Some((Err(Cut::Revoked), None));
        }
        match coming.next().await {
            Ok(piece) => piece.map(|piece| (Ok(piece), Some((coming, watch)))),
            Err(error) => Some((Err(failed(error)), None)),
        }
    })
}
