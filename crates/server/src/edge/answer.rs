//! The answer on its way out: counted, logged, dressed; errors that frameworks make become problems.

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Instant;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Response, StatusCode, Uri};
use http_body::{Frame, SizeHint};
use model::CorrelationId;
use registry::TokenSecret;

use super::context::{Asker, Context};
use crate::ops::RouteSeries;
use crate::problem::{Code, PROBLEM_JSON, Problem};

/// Put in a response's extensions: a finer name of the route than the router's path, for metrics and log.
#[derive(Clone, Copy, Debug)]
pub struct RouteTemplate(pub &'static str);

/// Put in a response's extensions: this error is in the client's own shape; leave its body alone.
#[derive(Clone, Copy, Debug)]
pub struct Verbatim;

/// Status in log and metrics of a request whose client went away before the answer.
const GONE: u16 = 499;

/// Bodies up to this size are counted as sent at once; larger ones when they have been.
const SMALL: u64 = 64 << 10;

/// What will be said about one request when it is over.
pub(crate) struct Record {
    pub(crate) started: Instant,
    pub(crate) series: Arc<RouteSeries>,
    pub(crate) correlation: CorrelationId,
    pub(crate) client: IpAddr,
    /// Kept only when the log wants it; the query in it is never written.
    pub(crate) target: Option<Uri>,
    pub(crate) asker: Asker,
    pub(crate) refined: Option<Arc<RouteSeries>>,
    pub(crate) status: u16,
    pub(crate) bytes: u64,
}

impl Record {
    pub(crate) fn start(series: Arc<RouteSeries>, context: &Context, target: &Uri) -> Self {
        series.inprogress.inc();
        let target = tracing::enabled!(target: "access", tracing::Level::INFO).then(|| target.clone());
        let started = Instant::now();
        let (correlation, client, asker) = (context.correlation, context.client, context.asker.clone());
        Self { started, series, correlation, client, target, asker, refined: None, status: GONE, bytes: 0 }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        self.series.inprogress.dec();
        let series = self.refined.as_ref().unwrap_or(&self.series);
        series.finished(self.status, took);
        if let Some(target) = &self.target {
            tracing::info!(
                target: "access",
                method = series.method,
                route = &*series.route,
                path = %Plain(target.path()),
                status = self.status,
                bytes = self.bytes,
                micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
                correlation_id = %self.correlation,
                subject = self.asker.get().map(|subject| &**subject),
                client = %self.client,
            );
        }
    }
}

/// A path whose control and non-ASCII characters are escaped, and whose segments that look like tokens are
/// hidden: npm names the token in the address when it logs out.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.split('/').any(TokenSecret::looks_like) {
            let shown = |segment| if TokenSecret::looks_like(segment) { "[secret]" } else { segment };
            let shown: Vec<&str> = self.0.split('/').map(shown).collect();
            return shown.join("/").escape_default().fmt(f);
        }
        if self.0.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return f.write_str(self.0);
        }
        self.0.escape_default().fmt(f)
    }
}

/// Gives the body to the record: at once when it is small, else as it goes out.
pub(crate) fn measure(mut record: Record, body: Body) -> Body {
    match http_body::Body::size_hint(&body).exact() {
        Some(size) if size <= SMALL => {
            record.bytes = size;
            body
        }
        _ => Body::new(Measured { body, record }),
    }
}

struct Measured {
    body: Body,
    record: Record,
}

impl http_body::Body for Measured {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.record.bytes += data.len() as u64;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Puts every error in problem shape with its correlation id; errors in a client's own shape stay.
pub(crate) fn shape(response: &mut Response<Body>, correlation: CorrelationId) {
    if !response.status().is_client_error() && !response.status().is_server_error() {
        return;
    }
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if is_ours(response) => stand_in(response.status()),
        None => return,
    };
    *response.body_mut() = Body::from(problem.render(Some(correlation)));
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
    *response.status_mut() = problem.status();
}

/// An error without a body of its own or in plain text was made by the framework.
fn is_ours(response: &Response<Body>) -> bool {
    let plain = match response.headers().get(CONTENT_TYPE) {
        None => true,
        Some(kind) => kind.as_bytes().starts_with(b"text/plain"),
    };
    plain && response.extensions().get::<Verbatim>().is_none()
}

fn stand_in(status: StatusCode) -> Problem {
    let same = Code::ALL.iter().copied().find(|code| code.status() == status);
    match (same, status.is_server_error()) {
        (Some(Code::NotFound), _) => Problem::not_found("there is nothing here"),
        (Some(Code::MethodNotAllowed), _) => Problem::method_not_allowed("this method is not offered here"),
        (Some(code), _) => Problem::new(code, code.title()),
        (None, true) => Problem::internal_error("something went wrong"),
        (None, false) => Problem::bad_request(status.canonical_reason().unwrap_or("the request was refused")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(Plain("/a/b%20c").to_string(), "/a/b%20c");
        assert_eq!(Plain("/a\r\nb\u{1b}[31m\u{202e}").to_string(), "/a\\r\\nb\\u{1b}[31m\\u{202e}");
    }

    #[test]
    fn tokens_are_hidden() {
        let token = format!("aft_{}", "a1".repeat(25).split_at(49).0);
        assert!(TokenSecret::looks_like(&token));
        assert_eq!(Plain(&format!("/-/user/token/{token}")).to_string(), "/-/user/token/[secret]");
    }

    #[test]
    fn framework_errors_are_replaced_and_client_shapes_kept() {
        let id = CorrelationId(uuid::Uuid::nil());
        let error = |kind: Option<&'static str>| {
            let mut response = Response::new(Body::from("raw"));
            *response.status_mut() = StatusCode::NOT_FOUND;
            if let Some(kind) = kind {
                response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
            }
            shape(&mut response, id);
            response.headers().get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap().to_owned())
        };
        assert_eq!(error(None).unwrap(), "application/problem+json");
        assert_eq!(error(Some("text/plain; charset=utf-8")).unwrap(), "application/problem+json");
        assert_eq!(error(Some("application/json")).unwrap(), "application/json");
        assert_eq!(error(Some("text/html")).unwrap(), "text/html");
    }

    #[test]
    fn a_status_outside_the_table_still_becomes_a_problem() {
        assert_eq!(stand_in(StatusCode::IM_A_TEAPOT).code(), Code::BadRequest);
        assert_eq!(stand_in(StatusCode::BAD_GATEWAY).code(), Code::InternalError);
    }
}
