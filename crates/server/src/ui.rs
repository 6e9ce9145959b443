//! The pages that come with the program: a welcome and the API browser. Everything is bundled.

pub(crate) mod login;

use axum::response::{IntoResponse, Response};
use http::header;

/// Scripts and styles come from us alone; nothing may frame the page.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page at `/`.
pub(crate) fn welcome() -> Response {
    page(include_str!("../assets/welcome.html"))
}

/// The page at `/v1/docs`.
pub(crate) fn api_page() -> Response {
    page(include_str!("../assets/api.html"))
}

/// A bundled file by name.
pub(crate) async fn asset(crate::edge::Path(name): crate::edge::Path<String>) -> Response {
    let (kind, text) = match name.as_str() {
        "page.css" => ("text/css; charset=utf-8", include_str!("../assets/page.css")),
        "icon.svg" => ("image/svg+xml", include_str!("../assets/icon.svg")),
        "api.js" => ("text/javascript; charset=utf-8", include_str!("../assets/api.js")),
        _ => return crate::problem::Problem::not_found("there is no such file").into_response(),
    };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}

pub(crate) fn page(html: impl Into<axum::body::Body>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, html.into()).into_response()
}

/// Text that stays text in a page.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
