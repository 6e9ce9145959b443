//! PUT of a file: streamed, verified, published in one transaction.

use axum::Json as Answer;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use model::{EntryPath, Sha256Digest, VersionId};
use registry::{Grant, Replace, Write};
use serde::Serialize;

use super::body::pieces;
use super::declared::{declared, whole};
use super::fetch::CHECKSUM;
use crate::edge::conditional::EntityTag;
use crate::problem::Problem;

/// What was stored.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StoredView {
    path: EntryPath,
    size_bytes: u64,
    sha256: Sha256Digest,
    version_id: VersionId,
}

/// Takes the body and publishes it at `path`.
pub(super) async fn store(
    grant: &Grant<Write>,
    path: EntryPath,
    parts: &Parts,
    body: Body,
) -> Result<Response, Problem> {
    let mut claims = whole(&parts.headers)?;
    let declared = declared(&parts.headers, &mut claims)?;
    let mut incoming = grant.receive(path.clone(), declared, replace(parts)?).await?;
    let mut pieces = pieces(body, claims, grant);
    while let Some(piece) = pieces.next().await {
        incoming.write(piece?).await?;
    }
    let stored = incoming.publish().await?;
    let status = if stored.replaced { StatusCode::OK } else { StatusCode::CREATED };
    let view = StoredView { path, size_bytes: stored.size, sha256: stored.digest, version_id: stored.version };
    let mut response = (status, Answer(view)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::ETAG, EntityTag::of_digest(stored.digest, "").header());
    if let Ok(location) = HeaderValue::from_str(parts.uri.path()) {
        headers.insert(header::LOCATION, location);
    }
    if let Ok(checksum) = HeaderValue::try_from(stored.digest.hex()) {
        headers.insert(CHECKSUM, checksum);
    }
    Ok(response)
}

/// `If-None-Match: *`: only when nothing is there. `If-Match: "digest"`: only in place
/// of that, or of one of several; `If-Match: *`: only in place of something.
fn replace(parts: &Parts) -> Result<Replace, Problem> {
    let refused = || Problem::precondition_failed("the condition names no state that a file here can be in");
    if let Some(value) = parts.headers.get(header::IF_NONE_MATCH) {
        return if value == "*" { Ok(Replace::Nothing) } else { Err(refused()) };
    }
    let mut values = parts.headers.get_all(header::IF_MATCH).iter().peekable();
    if values.peek().is_none() {
        return Ok(Replace::Anything);
    }
    let mut digests = Vec::new();
    for value in values {
        let text = value.to_str().map_err(|_| refused())?.trim();
        if text == "*" {
            return Ok(Replace::Something);
        }
        // A weak tag, or one that is no digest, matches no file here.
        let digest = |tag: &str| tag.trim().strip_prefix('"')?.strip_suffix('"')?.parse::<Sha256Digest>().ok();
        digests.extend(text.split(',').filter_map(digest));
    }
    if digests.is_empty() { Err(refused()) } else { Ok(Replace::OneOf(digests)) }
}
