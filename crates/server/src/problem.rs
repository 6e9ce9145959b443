//! The one shape of every error: RFC 9457 problem details with a stable code.
//!
//! A handler returns a [`Problem`]; the edge adds the correlation id and the security headers.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use model::{CorrelationId, Reason, Timestamp};
use serde::Serialize;

use crate::edge::rate::Verdict;

/// The media type of a problem.
pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

macro_rules! codes {
    ($($(#[$doc:meta])* $make:ident $name:ident $status:literal $title:literal),+ $(,)?) => {
        /// A stable machine code. Its spelling and status are part of the interface.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name),+
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Code] = &[$(Code::$name),+];

            /// The code as clients see it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($make)),+ }
            }

            /// The HTTP status that always goes with this code.
            pub fn status(self) -> StatusCode {
                let number: u16 = match self { $(Self::$name => $status),+ };
                StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// A short human title, the same for every problem of this code.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title),+ }
            }
        }

        impl Problem {
            $(
                $(#[$doc])*
                pub fn $make(detail: impl Into<Cow<'static, str>>) -> Self {
                    Self::new(Code::$name, detail)
                }
            )+
        }
    };
}

codes! {
    /// 400: the request cannot be understood.
    bad_request BadRequest 400 "Bad request",
    /// 401: credentials are missing or wrong; add the challenge with [`Problem::challenge`].
    unauthorized Unauthorized 401 "Unauthorized",
    /// 403: the caller is known and may not do this.
    forbidden Forbidden 403 "Forbidden",
    /// 404: nothing here that this caller may know of.
    not_found NotFound 404 "Not found",
    /// 405: the resource exists, the method does not; carries `Allow`.
    method_not_allowed MethodNotAllowed 405 "Method not allowed",
    /// 406: no acceptable representation.
    not_acceptable NotAcceptable 406 "Not acceptable",
    /// 408: the request did not arrive in time; the connection closes.
    request_timeout RequestTimeout 408 "Request timeout",
    /// 409: the state of things forbids it.
    conflict Conflict 409 "Conflict",
    /// 409: the bytes that arrived are not the bytes that were promised.
    upload_verification_failed UploadVerificationFailed 409 "Upload verification failed",
    /// 410: tombstoned or collected.
    gone Gone 410 "Gone",
    /// 411: a length is needed here.
    length_required LengthRequired 411 "Length required",
    /// 412: a condition of the request does not hold.
    precondition_failed PreconditionFailed 412 "Precondition failed",
    /// 413: the body is larger than allowed.
    payload_too_large PayloadTooLarge 413 "Payload too large",
    /// 414: the request target is longer than allowed.
    uri_too_long UriTooLong 414 "URI too long",
    /// 415: this content type is not read here.
    unsupported_media_type UnsupportedMediaType 415 "Unsupported media type",
    /// 416: the range lies outside the thing; carries `Content-Range`.
    invalid_range InvalidRange 416 "Invalid range",
    /// 417: an expectation that cannot be met.
    expectation_failed ExpectationFailed 417 "Expectation failed",
    /// 422: a package that contradicts itself.
    unprocessable Unprocessable 422 "Unprocessable",
    /// 423: protected or on legal hold.
    artifact_protected ArtifactProtected 423 "Artifact protected",
    /// 423: quarantined.
    quarantined Quarantined 423 "Quarantined",
    /// 423: a policy said no.
    policy_denied PolicyDenied 423 "Policy denied",
    /// 429: over a limit; see [`Problem::limited`].
    too_many_requests TooManyRequests 429 "Too many requests",
    /// 431: the request's header fields are larger than allowed.
    headers_too_large HeadersTooLarge 431 "Request header fields too large",
    /// 500: a bug of ours.
    internal_error InternalError 500 "Internal server error",
    /// 503: a dependency is away; try again.
    service_unavailable ServiceUnavailable 503 "Service unavailable",
    /// 503: a policy did not answer in time, so the answer is no.
    policy_timeout PolicyTimeout 503 "Policy timeout",
    /// 507: no room for the bytes.
    insufficient_storage InsufficientStorage 507 "Insufficient storage",
}

/// Who can lift a block, until when it holds, and where it is explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explain {
    /// Who can lift it, e.g. `admin on repo libs`.
    pub lifted_by: Vec<String>,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
    /// Where the whole explanation is.
    pub link: String,
}

/// One fault in the request and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// A JSON path (`scopes[2].repo`), a query parameter or a header name.
    pub path: String,
    /// What is wrong with it.
    pub detail: String,
}

/// A refusal or failure, ready to be answered.
#[derive(Clone, Debug)]
pub struct Problem(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    code: Code,
    detail: Cow<'static, str>,
    explain: Option<Explain>,
    errors: Vec<FieldError>,
    headers: HeaderMap,
    reason: Option<Reason>,
}

impl Problem {
    /// A problem with this code; `detail` is one sentence for a person and must hold no secret.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let detail = detail.into();
        let (errors, headers) = (Vec::new(), HeaderMap::new());
        Self(Box::new(Inner { code, detail, explain: None, errors, headers, reason: None }))
    }

    /// The same, with what stands behind it.
    #[must_use]
    pub fn because(mut self, reason: Option<Reason>) -> Self {
        self.0.reason = reason;
        self
    }

    /// What stands behind it, where clients are told of one code in different ways.
    pub fn reason(&self) -> Option<Reason> {
        self.0.reason
    }

    /// Its code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Its sentence.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Its header fields: challenges, `Allow`, `Retry-After` and the like.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// Its HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.code.status()
    }

    /// Says who can lift the block.
    #[must_use]
    pub fn explain(mut self, explain: Explain) -> Self {
        self.0.explain = Some(explain);
        self
    }

    /// Names one faulty field.
    #[must_use]
    pub fn field(mut self, path: impl Into<String>, detail: impl Into<String>) -> Self {
        self.0.errors.push(FieldError { path: path.into(), detail: detail.into() });
        self
    }

    /// Adds a response header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.append(name, value);
        self
    }

    /// Adds a `WWW-Authenticate` challenge; call once for each scheme on offer.
    #[must_use]
    pub fn challenge(self, challenge: HeaderValue) -> Self {
        self.header(WWW_AUTHENTICATE, challenge)
    }

    /// Adds `Allow` to a 405.
    #[must_use]
    pub fn allow(self, methods: HeaderValue) -> Self {
        self.header(ALLOW, methods)
    }

    /// Adds `Retry-After` (seconds) to a 429 or 503.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// 429 with `Retry-After` and the `RateLimit-*` headers.
    pub fn limited(verdict: &Verdict) -> Self {
        let mut problem = Self::too_many_requests("the request limit is used up; wait and try again");
        verdict.write_headers(&mut problem.0.headers);
        problem.retry_after(verdict.retry_after)
    }

    /// 416 with the `Content-Range` that tells the true length in bytes.
    pub fn outside(length: u64) -> Self {
        let problem = Self::invalid_range(format!("the range lies outside the {length} bytes there are"));
        match HeaderValue::try_from(format!("bytes */{length}")) {
            Ok(value) => problem.header(CONTENT_RANGE, value),
            Err(_) => problem,
        }
    }

    /// The document's bytes, with the correlation id of the request where known.
    pub fn render(&self, correlation: Option<CorrelationId>) -> Vec<u8> {
        let inner = &self.0;
        let document = ProblemDocument {
            r#type: format!("urn:artifortress:problem:{}", inner.code.as_str()),
            title: inner.code.title(),
            status: inner.code.status().as_u16(),
            detail: &inner.detail,
            code: inner.code.as_str(),
            correlation_id: correlation,
            explain: inner.explain.as_ref(),
            errors: &inner.errors,
        };
        serde_json::to_vec(&document).unwrap_or_default()
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.detail)
    }
}

impl std::error::Error for Problem {}

/// The JSON of a [`Problem`].
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProblemDocument<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    correlation_id: Option<CorrelationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<&'a Explain>,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.render(None)));
        *response.status_mut() = self.status();
        response.headers_mut().clone_from(&self.0.headers);
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(problem: &Problem) -> serde_json::Value {
        model::json::from_slice(&problem.render(None)).unwrap()
    }

    #[test]
    fn the_codes_of_the_contract_have_their_statuses() {
        let contract = [
            ("bad_request", 400),
            ("unauthorized", 401),
            ("forbidden", 403),
            ("not_found", 404),
            ("conflict", 409),
            ("upload_verification_failed", 409),
            ("gone", 410),
            ("precondition_failed", 412),
            ("payload_too_large", 413),
            ("invalid_range", 416),
            ("unprocessable", 422),
            ("artifact_protected", 423),
            ("quarantined", 423),
            ("policy_denied", 423),
            ("too_many_requests", 429),
            ("service_unavailable", 503),
            ("policy_timeout", 503),
            ("insufficient_storage", 507),
        ];
        for (name, status) in contract {
            let code = Code::ALL.iter().find(|code| code.as_str() == name).unwrap();
            assert_eq!(code.status().as_u16(), status, "{name}");
        }
    }

    #[test]
    fn a_problem_says_type_title_status_detail_and_code() {
        let value = json(&Problem::not_found("no such repository"));
        assert_eq!(value["type"], "urn:artifortress:problem:not_found");
        assert_eq!(value["title"], "Not found");
        assert_eq!(value["status"], 404);
        assert_eq!(value["detail"], "no such repository");
        assert_eq!(value["code"], "not_found");
        assert!(value.get("explain").is_none() && value.get("errors").is_none());
    }

    #[test]
    fn explain_and_errors_appear_when_given() {
        let explain = Explain { lifted_by: vec!["admin on repo a".into()], until: None, link: "/x".into() };
        let value = json(&Problem::quarantined("held").explain(explain).field("a[0]", "too long"));
        assert_eq!(value["explain"]["liftedBy"][0], "admin on repo a");
        assert_eq!(value["errors"][0]["path"], "a[0]");
    }

    #[test]
    fn a_problem_answers_with_its_headers() {
        let response = Problem::outside(10).into_response();
        assert_eq!(response.status(), 416);
        assert_eq!(response.headers()["content-range"], "bytes */10");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let both = Problem::unauthorized("who are you?")
            .challenge(HeaderValue::from_static("Bearer"))
            .challenge(HeaderValue::from_static("Basic realm=\"a\""))
            .into_response();
        assert_eq!(both.headers().get_all("www-authenticate").iter().count(), 2);
    }
}
