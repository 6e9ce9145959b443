//! The security headers of every answer.

use http::header::{
    CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue};

/// What an answer may load or be framed by when its handler says nothing else: nothing.
pub(crate) const DEFAULT_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
pub(crate) const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
pub(crate) const DENY: HeaderValue = HeaderValue::from_static("DENY");
pub(crate) const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

/// Adds the security headers; a handler's own `Content-Security-Policy` stays.
pub(crate) fn secure(headers: &mut HeaderMap, hsts: Option<&HeaderValue>) {
    headers.reserve(8);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    headers.insert(X_FRAME_OPTIONS, DENY);
    headers.insert(REFERRER_POLICY, NO_REFERRER);
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(DEFAULT_POLICY);
    if let Some(hsts) = hsts {
        headers.insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
}
