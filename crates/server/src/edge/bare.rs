//! Answers that no handler sees: to bytes that never became a request.
//!
//! hyper writes some of them itself (400, 414, 431) as a bare head. The wire replaces such a head, when it
//! is certain that nothing else is being written, by a problem with the security headers.

use std::fmt::Write;

use super::correlation::Ids;
use super::headers::{DEFAULT_POLICY, DENY, NO_REFERRER, NOSNIFF};
use crate::problem::{Code, Problem};

/// A whole HTTP/1.1 answer that closes the connection.
pub(crate) fn answer(code: Code, detail: &'static str, ids: &Ids) -> Vec<u8> {
    let correlation = ids.make();
    let body = Problem::new(code, detail).render(Some(correlation));
    let status = code.status();
    let mut head = format!("HTTP/1.1 {} {}\r\n", status.as_u16(), status.canonical_reason().unwrap_or("Error"));
    let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let fields = [
        ("content-type", "application/problem+json".to_owned()),
        ("content-length", body.len().to_string()),
        ("x-correlation-id", correlation.to_string()),
        ("x-content-type-options", text(&NOSNIFF)),
        ("x-frame-options", text(&DENY)),
        ("referrer-policy", text(&NO_REFERRER)),
        ("content-security-policy", text(&DEFAULT_POLICY)),
        ("connection", "close".to_owned()),
    ];
    for (name, value) in fields {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&body);
    bytes
}

/// The code and sentence for a bare head that hyper writes; `None` for any other bytes.
pub(crate) fn recognise(bytes: &[u8]) -> Option<(Code, &'static str)> {
    let rest = bytes.strip_prefix(b"HTTP/1.1 ").or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?;
    if !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    match rest.get(..3)? {
        b"400" => Some((Code::BadRequest, "the request is not well-formed HTTP")),
        b"414" => Some((Code::UriTooLong, URI)),
        b"431" => Some((Code::HeadersTooLarge, HEADERS)),
        _ => None,
    }
}

pub(crate) const TLS: &str = "the client speaks TLS, and this port does not";
pub(crate) const URI: &str = "the request target is longer than allowed";
pub(crate) const HEADERS: &str = "the header fields are larger or more than allowed";
pub(crate) const SLOW: &str = "the request's header fields did not arrive in time";

#[cfg(test)]
mod tests {
    use model::Ambient;

    use super::*;

    #[test]
    fn only_whole_error_heads_are_recognised() {
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n";
        assert_eq!(recognise(bare).unwrap().0, Code::HeadersTooLarge);
        assert!(recognise(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\nok").is_none());
        assert!(recognise(b"HTTP/1.1 200 OK\r\n\r\n").is_none());
        assert!(recognise(b"\r\n\r\n").is_none());
    }

    #[test]
    fn an_answer_is_whole_and_closes() {
        let bytes = answer(Code::RequestTimeout, SLOW, &Ids::new(Ambient::system()));
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 408 Request Timeout\r\n"));
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
        assert!(head.contains("connection: close") && head.contains("nosniff"));
        assert!(body.contains("request_timeout"));
    }
}
