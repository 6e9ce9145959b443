//! ETags of JSON answers: whoever has the answer already gets 304.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;

use crate::edge::conditional::{Current, EntityTag, Outcome, evaluate};

/// Tags a JSON answer to a GET by its content, unless the handler tagged it by its state.
pub(super) async fn answer(request: Request, next: Next) -> Response {
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let response = next.run(request).await;
    if method != Method::GET || response.status() != StatusCode::OK || !is_json(&response) {
        return response;
    }
    match response.headers().get(header::ETAG).cloned() {
        Some(tag) => settle(&headers, tag, response),
        None => tag_by_content(&headers, response).await,
    }
}

/// JSON that is whole in memory; streams are left alone.
fn is_json(response: &Response) -> bool {
    let json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    json && response.body().size_hint().exact().is_some()
}

#[expect(clippy::disallowed_methods, reason = "the answer is in memory already: its length is exact")]
async fn tag_by_content(headers: &HeaderMap, response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let Ok(body) = body.collect().await else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let body = body.to_bytes();
    let tag = EntityTag::weak(format!("{:016x}", registry::content_hash(&body))).map(|tag| tag.header());
    let response = Response::from_parts(parts, Body::from(body));
    match tag {
        Some(tag) => settle(headers, tag, response),
        None => response,
    }
}

fn settle(headers: &HeaderMap, tag: HeaderValue, mut response: Response) -> Response {
    let opaque = tag.to_str().unwrap_or_default().trim_start_matches("W/").trim_matches('"').to_owned();
    let known = EntityTag::weak(opaque);
    let current = Current { tag: known.as_ref(), modified: None, shown: None };
    if evaluate(&Method::GET, headers, current) == Outcome::NotModified {
        response = StatusCode::NOT_MODIFIED.into_response();
    }
    response.headers_mut().insert(header::ETAG, tag);
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
    response
}
