//! What the edge knows about a request, put in its extensions for the handlers.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use http::uri::Authority;
use http::{HeaderValue, request};
use model::CorrelationId;

use crate::problem::Problem;

/// One request as the edge sees it. Cheap to clone; also an axum extractor.
#[derive(Clone, Debug)]
pub struct Context {
    /// Names the request in logs, events and answers.
    pub correlation: CorrelationId,
    /// The client: the peer, or what a trusted proxy says.
    pub client: IpAddr,
    /// Whether the client came over HTTPS, to us or to a trusted proxy.
    pub https: bool,
    pub(crate) external: Option<Arc<str>>,
    pub(crate) host: Host,
    pub(crate) asker: Asker,
}

/// Who asks, for the access log: filled by whoever finds out, read when the request is over.
pub(crate) type Asker = Arc<OnceLock<Box<str>>>;

/// The host that the client asked for.
#[derive(Clone, Debug)]
pub(crate) enum Host {
    None,
    Header(HeaderValue),
    Target(Authority),
}

impl Context {
    /// Lets the access log name who asks, whatever becomes of the request. Never a secret.
    pub fn asked_by(&self, subject: &str) {
        self.asker.get_or_init(|| subject.into());
    }

    /// The base URL that this client uses, without a trailing slash: the configured one, else the
    /// forwarded or requested scheme and host.
    pub fn base_url(&self) -> String {
        if let Some(external) = &self.external {
            return external.as_ref().to_owned();
        }
        let scheme = if self.https { "https" } else { "http" };
        let host = match &self.host {
            Host::None => "localhost",
            Host::Header(value) => value.to_str().unwrap_or("localhost"),
            Host::Target(authority) => authority.as_str(),
        };
        format!("{scheme}://{host}")
    }
}

impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Self, Problem> {
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or_else(|| Problem::internal_error("the request did not come through the edge"))
    }
}

/// For handlers that only want it when it is there.
impl<S: Sync> axum::extract::OptionalFromRequestParts<S> for Context {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// Whether bytes may be a `host[:port]`; what is not is refused before anything echoes it.
pub(crate) fn is_host(bytes: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    bytes.len() <= 255 && bytes.iter().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(external: Option<&str>, https: bool, host: &'static str) -> Context {
        Context {
            correlation: CorrelationId(uuid::Uuid::nil()),
            client: IpAddr::from([127, 0, 0, 1]),
            https,
            external: external.map(Arc::from),
            host: Host::Header(HeaderValue::from_static(host)),
            asker: Asker::default(),
        }
    }

    #[test]
    fn the_configured_url_wins_else_scheme_and_host() {
        assert_eq!(context(Some("https://a.example/x"), false, "b").base_url(), "https://a.example/x");
        assert_eq!(context(None, false, "b:81").base_url(), "http://b:81");
        assert_eq!(context(None, true, "[::1]:82").base_url(), "https://[::1]:82");
    }

    #[test]
    fn a_host_has_no_slash_space_or_at() {
        assert!(is_host(b"a.example:443") && is_host(b"[::1]:8080") && is_host(b""));
        for bad in ["a/b", "a b", "u@h", "a\"", "a<b", "a\\b", "a,b"] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }
}
