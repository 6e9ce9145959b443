//! Indexes and short answers: tags, conditions, compression.

use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use formats::{Answer, Site};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, header};
use model::Timestamp;
use registry::{Caller, Grant, Read, Shown};

use super::{moment, text};
use crate::edge::conditional::{Current, EntityTag, Outcome, evaluate, http_date};
use crate::edge::{Connection, Context, Pages, Verbatim};
use crate::problem::Problem;

/// When the upstream last said that what is shown holds; only where that should have been asked again.
const STALE: HeaderName = HeaderName::from_static("x-artifortress-stale-since");

/// Room for all header fields of an answer: growing on the way costs more than they do.
pub(super) const FIELDS: usize = 20;

/// Where a repository is for the client of this request.
pub(super) struct Place {
    base: String,
    auth_required: bool,
    subject: Option<String>,
}

impl Place {
    pub(super) fn of(grant: &Grant<Read>, parts: &Parts) -> Result<Self, Problem> {
        let context = parts.extensions.get::<Context>();
        let context = context.ok_or_else(|| Problem::internal_error("the request did not come through the edge"))?;
        let subject = match grant.call().caller() {
            Caller::Known(identity) => Some(identity.subject.to_string()),
            Caller::Anonymous => None,
        };
        Ok(Self {
            base: format!("{}/repository/{}{}", context.base_url(), grant.repo().key, moment::suffix(grant, parts)),
            auth_required: !grant.repo().anonymous_read,
            subject,
        })
    }

    pub(super) fn site(&self) -> Site<'_> {
        Site { base: &self.base, auth_required: self.auth_required, subject: self.subject.as_deref() }
    }
}

/// Answers with an index, as the request's conditions and codings have it. Each coding has a tag of
/// its own.
pub(super) async fn show(shown: &Arc<Shown>, grant: &Grant<Read>, parts: &Parts) -> Result<Response, Problem> {
    let packed = if takes_gzip(parts) { shown.gzip().await } else { None };
    let fields = shown.noted(|| Fields::of(shown));
    let (tag, etag) = if packed.is_some() { &fields.packed } else { &fields.plain };
    let current = Current { tag: Some(tag), modified: None, shown: None };
    let mut response = match evaluate(&parts.method, &parts.headers, current) {
        Outcome::Failed => {
            return Err(Problem::precondition_failed("the index is not in the state that the request names"));
        }
        Outcome::NotModified => StatusCode::NOT_MODIFIED.into_response(),
        Outcome::Proceed => {
            if packed.is_none() {
                send_as_pages(shown, &fields, parts);
            }
            whole(packed.as_ref().unwrap_or(shown.body()).clone(), shown.media_type(), packed.is_some(), parts)
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag.clone());
    if let Some(modified) = &fields.modified {
        headers.insert(header::LAST_MODIFIED, modified.clone());
    }
    // What members have depends on who asks.
    let public = grant.repo().anonymous_read && !grant.is_virtual();
    let cache = if public { "public, no-cache" } else { "private, no-cache" };
    headers.insert(header::CACHE_CONTROL, moment::kept(grant).unwrap_or(HeaderValue::from_static(cache)));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    tell_age(&mut response, shown.stale_since());
    Ok(response)
}

/// What every answer says of the index.
struct Fields {
    plain: (EntityTag, HeaderValue),
    /// Of its compressed form, which has a tag of its own.
    packed: (EntityTag, HeaderValue),
    modified: Option<HeaderValue>,
    /// Of the plain form, from when it is first sent so.
    pages: OnceLock<Option<Arc<Pages>>>,
}

/// A long index is not copied for each of those who read it, where its connection can do without.
fn send_as_pages(shown: &Shown, fields: &Fields, parts: &Parts) {
    let sent = shown.may_be_kept_twice() && parts.method == http::Method::GET;
    let connection = parts.extensions.get::<Arc<Connection>>().filter(|_| sent);
    if let Some(outgoing) = connection.and_then(|connection| connection.outgoing())
        && let Some(pages) = fields.pages.get_or_init(|| Pages::of(shown.body()))
    {
        outgoing.begin(Arc::clone(pages));
    }
}

impl Fields {
    fn of(shown: &Shown) -> Self {
        let tagged = |coding| {
            let tag = EntityTag::of_digest(shown.digest(), coding);
            let value = tag.header();
            (tag, value)
        };
        Self {
            plain: tagged(""),
            packed: tagged("-gzip"),
            modified: shown.changed_at().map(http_date),
            pages: OnceLock::new(),
        }
    }
}

/// Says of what an upstream answered before it failed that it may be old (RFC 7234, section 5.5.1), and since when.
pub(super) fn tell_age(response: &mut Response, stale_since: Option<Timestamp>) {
    let Some(since) = stale_since else { return };
    let headers = response.headers_mut();
    headers.insert(header::WARNING, HeaderValue::from_static("110 - \"Response is Stale\""));
    if let Ok(since) = HeaderValue::try_from(since.to_seconds()) {
        headers.insert(STALE, since);
    }
}

fn whole(body: bytes::Bytes, media_type: &'static str, packed: bool, parts: &Parts) -> Response {
    let length = body.len() as u64;
    let body = if parts.method == http::Method::HEAD { Body::empty() } else { Body::from(body) };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.reserve(FIELDS);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    if packed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Whether the client takes gzip: named, or `*`, and not with weight 0.
fn takes_gzip(parts: &Parts) -> bool {
    let accepted = text(parts, &header::ACCEPT_ENCODING).unwrap_or_default();
    let mut star = false;
    for coding in accepted.split(',') {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.trim().parse::<f32>().is_ok_and(|q| q <= 0.0));
        match name.trim() {
            "gzip" | "x-gzip" => return !refused,
            "*" => star = !refused,
            _ => {}
        }
    }
    star
}

/// Answers with a few words of the format.
pub(super) fn say(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    if !answer.media_type.is_empty() {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.media_type));
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.extensions_mut().insert(Verbatim);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().append(header::HeaderName::from_static(name), value);
        }
    }
    response
}
