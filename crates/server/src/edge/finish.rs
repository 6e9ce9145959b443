//! The end of every request: its answer gets a shape, its headers and its place in log and metrics.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::response::IntoResponse;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderValue, Response, StatusCode};
use http_body::Body as _;
use pin_project_lite::pin_project;

use super::answer::{self, Record, RouteTemplate};
use super::correlation::CORRELATION_ID;
use super::{Edge, headers};
use crate::problem::Problem;

const CLOSE: HeaderValue = HeaderValue::from_static("close");

pin_project! {
    /// One answer in the making.
    pub(crate) struct Answer<F> {
        #[pin]
        pub(crate) work: Work<F>,
        pub(crate) finish: Finish,
    }
}

pin_project! {
    /// Where the answer comes from.
    #[project = WorkProjected]
    pub(crate) enum Work<F> {
        Ready { response: Option<Response<Body>> },
        Route { #[pin] future: F },
    }
}

impl<F: Future<Output = Result<Response<Body>, Infallible>>> Future for Answer<F> {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = match this.work.project() {
            WorkProjected::Ready { response } => response.take().unwrap_or_default(),
            WorkProjected::Route { future } => match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
                Ok(polled) => ready!(polled)?,
                Err(panic) => this.finish.panicked(&*panic),
            },
        };
        Poll::Ready(Ok(this.finish.finish(response)))
    }
}

/// What the end of a request needs to know of its beginning.
pub(crate) struct Finish {
    pub(crate) edge: Arc<Edge>,
    /// Taken when the answer is there; dropped before that, it says that the client went away.
    pub(crate) record: Option<Record>,
    pub(crate) echo: Option<HeaderValue>,
    /// The request's origin, when it may read us.
    pub(crate) origin: Option<HeaderValue>,
    pub(crate) https: bool,
    pub(crate) http1: bool,
    pub(crate) head: bool,
    /// The connection must not be used again.
    pub(crate) close: bool,
}

impl Finish {
    fn finish(&mut self, mut response: Response<Body>) -> Response<Body> {
        let Some(mut record) = self.record.take() else { return response };
        answer::shape(&mut response, record.correlation);
        let status = response.status();
        let hsts = self.edge.config.hsts.as_ref().filter(|_| self.https);
        headers::secure(response.headers_mut(), hsts);
        if let Some(echo) = self.echo.take() {
            response.headers_mut().insert(CORRELATION_ID, echo);
        }
        if self.edge.cors.enabled() {
            self.edge.cors.permit(response.headers_mut(), self.origin.take());
        }
        if self.http1 && (self.close || breaks_connection(status)) {
            response.headers_mut().insert(CONNECTION, CLOSE);
        }
        record.status = status.as_u16();
        if let Some(RouteTemplate(route)) = response.extensions().get() {
            record.refined = Some(self.edge.metrics.series(record.series.method, route));
        }
        if self.head {
            return without_body(response);
        }
        response.map(|body| answer::measure(record, body))
    }

    fn panicked(&self, panic: &(dyn Any + Send)) -> Response<Body> {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no text)");
        let correlation = self.record.as_ref().map(|record| record.correlation.to_string());
        tracing::error!(correlation_id = correlation, panic = text, "a handler panicked");
        Problem::internal_error("something went wrong; the log has more under this correlation id").into_response()
    }
}

/// The answer to HEAD: the length of the body stays, where the answer to GET would have one (RFC 9110, section 8.6).
fn without_body(mut response: Response<Body>) -> Response<Body> {
    let body = std::mem::take(response.body_mut());
    let never = matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let told = never || response.headers().contains_key(CONTENT_LENGTH);
    if let Some(length) = body.size_hint().exact().filter(|_| !told) {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    response
}

/// The client's next bytes on such a connection would not be a request.
fn breaks_connection(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::URI_TOO_LONG | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    )
}
