//! Where a parsed request enters the routes and its answer leaves them, on one connection.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, Version, header};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;

use super::Edge;
use super::body::RequestBody;
use super::connection::{Connection, Flight};
use super::pace::Pace;
use super::served::{Served, Serving};

/// The routes as one connection sees them.
pub(crate) struct Door {
    pub(crate) edge: Arc<Edge>,
    pub(crate) app: Served,
    pub(crate) connection: Arc<Connection>,
}

impl hyper::service::Service<Request<Incoming>> for Door {
    type Response = Response<SentBody>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let connection = &self.connection;
        let flight = Flight::start(connection.clone());
        let (mut parts, incoming) = request.into_parts();
        if parts.version == Version::HTTP_2 {
            connection.speaks_http2();
        } else if let Some(framing) = connection.framing(parts.headers.contains_key(header::TRANSFER_ENCODING)) {
            parts.extensions.insert(framing);
        }
        parts.extensions.insert(connection.clone());
        let body = if incoming.is_end_stream() {
            Body::empty()
        } else {
            Body::new(RequestBody::new(incoming, connection.clone(), self.edge.config.timeouts.body_idle))
        };
        let route = self.app.call(Request::from_parts(parts, body));
        Answering { route, flight: Some(flight) }
    }
}

pin_project! {
    /// An answer in the making.
    pub(crate) struct Answering {
        #[pin]
        route: Serving,
        flight: Option<Flight>,
    }
}

impl Future for Answering {
    type Output = Result<Response<SentBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.route.poll(cx))?;
        let flight = this.flight.take();
        let connection = flight.as_ref().map(Flight::connection).filter(|connection| connection.http2());
        let pace = connection.filter(|_| !response.body().is_end_stream()).map(Connection::begin_pace);
        Poll::Ready(Ok(response.map(|body| SentBody { body, pace, _flight: flight })))
    }
}

/// A response body that counts as in flight until it is dropped.
pub(crate) struct SentBody {
    body: Body,
    pace: Option<Pace>,
    _flight: Option<Flight>,
}

impl http_body::Body for SentBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Some(pace) = &self.pace {
            if polled.is_ready() { pace.gave() } else { pace.asked() }
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
