//! Checksums as clients ask for them: the hex digits, as a file of their own.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use formats::{Algorithm, Operation, Site};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use registry::{Found, Grant, Read, Shown};

use super::{documents, fetch, moment};
use crate::edge::conditional::{Current, EntityTag, Outcome, evaluate};
use crate::problem::Problem;

/// Answers with the checksum of what `of` would be answered with.
pub(super) async fn checksum(
    grant: &Grant<Read>,
    of: &Operation,
    algorithm: Algorithm,
    site: &Site<'_>,
    parts: &Parts,
) -> Result<Response, Problem> {
    let shown = match of {
        Operation::Fetch(path) => return of_file(grant, &grant.reach_whole(path).await?, algorithm, parts).await,
        Operation::Index(package, view) => grant.index(package, *view, site).await?,
        Operation::Part(package, part, view) => grant.part(package, part, *view, site).await?,
        _ => return Err(Problem::not_found("this has no checksum")),
    };
    of_document(grant, &shown, algorithm, parts)
}

/// Answers with the checksum of an index.
pub(super) fn of_document(
    grant: &Grant<Read>,
    shown: &Shown,
    algorithm: Algorithm,
    parts: &Parts,
) -> Result<Response, Problem> {
    // What members have depends on who asks.
    let public = grant.repo().anonymous_read && !grant.is_virtual();
    let cache = if public { "public, no-cache" } else { "private, no-cache" };
    let cache = moment::kept(grant).unwrap_or(HeaderValue::from_static(cache));
    let mut response = respond(shown.checksum(algorithm), cache, parts)?;
    documents::tell_age(&mut response, shown.stale_since());
    Ok(response)
}

/// Answers with the checksum of a file that was found.
pub(super) async fn of_file(
    grant: &Grant<Read>,
    found: &Found,
    algorithm: Algorithm,
    parts: &Parts,
) -> Result<Response, Problem> {
    respond(&found.checksum(algorithm).await?, fetch::caching(grant, found)?, parts)
}

fn respond(sum: &str, cache: HeaderValue, parts: &Parts) -> Result<Response, Problem> {
    let tag = EntityTag::strong(sum.to_owned()).ok_or_else(|| Problem::internal_error("a checksum is no tag"))?;
    let mut response =
        match evaluate(&parts.method, &parts.headers, Current { tag: Some(&tag), modified: None, shown: None }) {
            Outcome::Failed => return Err(Problem::precondition_failed("the checksum is not the one that is named")),
            Outcome::NotModified => StatusCode::NOT_MODIFIED.into_response(),
            Outcome::Proceed => {
                let body = if parts.method == http::Method::HEAD { Body::empty() } else { Body::from(sum.to_owned()) };
                let mut response = Response::new(body);
                let headers = response.headers_mut();
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(sum.len()));
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
                response
            }
        };
    response.headers_mut().insert(header::ETAG, tag.header());
    response.headers_mut().insert(header::CACHE_CONTROL, cache);
    Ok(response)
}
