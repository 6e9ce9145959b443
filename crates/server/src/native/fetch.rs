//! GET and HEAD of a file: conditions, ranges, bytes.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use formats::Algorithm;
use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use model::EntryPath;
use registry::{Found, Grant, Need, Reached, Read};

use super::{coming, documents, moment, stream};
use crate::edge::conditional::{Current, EntityTag, Outcome, evaluate, http_date, range_applies};
use crate::edge::range::{Selection, select};
use crate::problem::Problem;

/// Smaller answers are sent by us: a second request would cost more.
const WORTH_A_REDIRECT: u64 = 1 << 20;
/// What is served from a repository may be hostile: it gets no script, no origin, no frame.
pub(super) const ARTIFACT_POLICY: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const SHA1: HeaderName = HeaderName::from_static("x-checksum-sha1");
const MD5: HeaderName = HeaderName::from_static("x-checksum-md5");
pub(super) const CHECKSUM: HeaderName = HeaderName::from_static("x-checksum-sha256");

/// Answers with the file at `path`.
pub(super) async fn fetch(grant: &Grant<Read>, path: &EntryPath, parts: &Parts) -> Result<Response, Problem> {
    let reached = match grant.reach(path, Need::Head).await? {
        // Whoever has the bytes already needs none of what is let go or damaged.
        Reached::Here(found) if found.is_absent() && need(parts) == Need::Bytes && proceeds(&found, parts) => {
            grant.reach(path, Need::Bytes).await?
        }
        reached => reached,
    };
    match reached {
        Reached::Here(found) => show(grant, &found, parts).await,
        Reached::Coming(coming) => Box::pin(coming::show(grant, *coming, parts)).await,
    }
}

/// What an answer to the request needs of a file.
pub(super) fn need(parts: &Parts) -> Need {
    if parts.method == http::Method::HEAD { Need::Head } else { Need::Bytes }
}

/// Answers with a file that was found.
pub(super) async fn show(grant: &Grant<Read>, found: &Found, parts: &Parts) -> Result<Response, Problem> {
    let cache = caching(grant, found)?;
    let fields = found.noted(|| Fields::of(found));
    let mut response = respond(grant, found, parts, fields.kind.clone(), cache).await?;
    documents::tell_age(&mut response, found.stale_since());
    if response.status().is_success() {
        response.headers_mut().extend(fields.sums.iter().cloned());
    }
    Ok(response)
}

/// Its media type; where none is known, bytes.
pub(super) fn kind(found: &Found) -> HeaderValue {
    found.noted(|| Fields::of(found)).kind.clone()
}

/// How long a file of the repository may be kept, and by whom.
pub(super) fn caching(grant: &Grant<Read>, found: &Found) -> Result<HeaderValue, Problem> {
    if found.is_gathered() {
        return Ok(HeaderValue::from_static("private, no-store"));
    }
    if grant.instant().is_some() {
        return Ok(moment::for_good(grant));
    }
    let overwrite = grant.repo_settings()?.allow_overwrite;
    if found.is_unproven() && !overwrite && !grant.may_rest_on_waiver(found) {
        return Ok(HeaderValue::from_static(match grant.repo().anonymous_read {
            true => "public, max-age=3600",
            false => "private, max-age=3600",
        }));
    }
    // No cache keeps for longer than that, nor for others, what a waiver lets in.
    if grant.may_rest_on_waiver(found) {
        return Ok(HeaderValue::from_static("private, no-cache"));
    }
    Ok(HeaderValue::from_static(match (overwrite, grant.repo().anonymous_read) {
        (true, true) => "public, no-cache",
        (true, false) => "private, no-cache",
        (false, true) => "public, max-age=31536000, immutable",
        (false, false) => "private, max-age=31536000, immutable",
    }))
}

/// Whoever keeps the answer asks each time whether it still holds: what is at its address may be another file tomorrow.
pub(super) fn let_be_confirmed(response: &mut Response, grant: &Grant<Read>) {
    if let Some(cache) = response.headers_mut().get_mut(header::CACHE_CONTROL)
        && cache.as_bytes().windows(8).any(|word| word == b"max-age=")
        && grant.instant().is_none()
    {
        let public = grant.repo().anonymous_read;
        *cache = HeaderValue::from_static(if public { "public, no-cache" } else { "private, no-cache" });
    }
}

/// Answers with bytes, as the request's conditions and range have it. Large ones may come from the
/// object store itself, where the operator allows it.
pub(crate) async fn respond(
    grant: &Grant<Read>,
    found: &Found,
    parts: &Parts,
    kind: HeaderValue,
    cache: HeaderValue,
) -> Result<Response, Problem> {
    if found.size() >= WORTH_A_REDIRECT
        && may_be_redirected(parts)
        && proceeds(found, parts)
        && let Some(url) = found.presigned().await?
    {
        return Ok(redirect(url.expose()));
    }
    respond_ourselves(grant, found, parts, kind, cache).await
}

/// Answers with bytes that come from us, with their media type.
pub(super) async fn respond_ourselves(
    grant: &Grant<Read>,
    found: &Found,
    parts: &Parts,
    kind: HeaderValue,
    cache: HeaderValue,
) -> Result<Response, Problem> {
    let fields = found.noted(|| Fields::of(found));
    let current = fields.current(found);
    let mut response = match evaluate(&parts.method, &parts.headers, current) {
        Outcome::Failed => {
            return Err(Problem::precondition_failed("the file is not in the state that the request names"));
        }
        Outcome::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        Outcome::Proceed => content(grant, found, parts, current).await?,
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, fields.etag.clone());
    headers.insert(header::LAST_MODIFIED, fields.modified.clone());
    headers.insert(header::CACHE_CONTROL, cache);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_SECURITY_POLICY, ARTIFACT_POLICY);
    if response.status() != StatusCode::NOT_MODIFIED {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(CHECKSUM, fields.checksum.clone());
        headers.insert(REPR_DIGEST, fields.repr_digest.clone());
    }
    Ok(response)
}

/// Whether the request's conditions let it proceed to bytes.
fn proceeds(found: &Found, parts: &Parts) -> bool {
    let fields = found.noted(|| Fields::of(found));
    matches!(evaluate(&parts.method, &parts.headers, fields.current(found)), Outcome::Proceed)
}

/// What every answer says of the file.
struct Fields {
    tag: EntityTag,
    etag: HeaderValue,
    modified: HeaderValue,
    kind: HeaderValue,
    checksum: HeaderValue,
    repr_digest: HeaderValue,
    /// Some clients ask for no checksum file where these are.
    sums: Vec<(HeaderName, HeaderValue)>,
}

impl Fields {
    fn of(found: &Found) -> Self {
        let digest = found.digest();
        let tag = EntityTag::of_digest(digest, "");
        let kind = found.media_type().and_then(|kind| HeaderValue::from_str(kind).ok());
        let sum = |name, algorithm| Some((name, text(found.sums().hex(algorithm)?)));
        Self {
            kind: kind.unwrap_or(HeaderValue::from_static("application/octet-stream")),
            sums: [sum(SHA1, Algorithm::Sha1), sum(MD5, Algorithm::Md5)].into_iter().flatten().collect(),
            etag: tag.header(),
            tag,
            modified: http_date(found.dated()),
            checksum: text(digest.hex()),
            repr_digest: text(format!("sha-256=:{}:", STANDARD.encode(digest.0))),
        }
    }

    fn current(&self, found: &Found) -> Current<'_> {
        Current { tag: Some(&self.tag), modified: Some(found.modified_at()), shown: Some(found.dated()) }
    }
}

/// Conditions name our tags, which the object store does not know.
fn may_be_redirected(parts: &Parts) -> bool {
    let conditions = [header::IF_MATCH, header::IF_RANGE, header::IF_UNMODIFIED_SINCE];
    parts.method == http::Method::GET && !conditions.iter().any(|name| parts.headers.contains_key(name))
}

/// Large bytes come from the object store itself, where the operator allows it.
fn redirect(url: &str) -> Response {
    let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, text(url.to_owned()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn content(grant: &Grant<Read>, found: &Found, parts: &Parts, current: Current<'_>) -> Result<Response, Problem> {
    let size = found.size();
    let selection = if range_applies(&parts.headers, current) && parts.method == http::Method::GET {
        select(&parts.headers, size)
    } else {
        Selection::Whole
    };
    let range = match selection {
        Selection::Outside => return Err(Problem::outside(size)),
        Selection::Whole => None,
        Selection::Part { start, end } => Some(start..end),
    };
    let length = selection.len(size);
    let body = if parts.method == http::Method::HEAD {
        found.expect_copies()?;
        Body::empty()
    } else {
        stream::body(grant, found, range, parts).await?
    };
    let mut response = Response::new(body);
    response.headers_mut().reserve(documents::FIELDS);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if let Some(range) = selection.content_range(size) {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    Ok(response)
}

fn text(value: String) -> HeaderValue {
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(""))
}
