//! Where a parsed request enters the routes and its answer leaves them, on one connection.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, Version, header};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;

use super::Edge;
use super::body::RequestBody;
use super::pace::{Pace, Paces};
use super::pages::Outgoing;
use super::pieces::{Piece, Pieces};
use super::served::{Served, Serving};

/// The wire could not tell how many lengths the head had.
const UNKNOWN: u8 = u8::MAX;

/// One accepted connection; in the extensions of each of its requests as `Arc<Connection>`.
#[derive(Debug)]
pub struct Connection {
    /// The other end of the socket: a client or a proxy.
    pub peer: SocketAddr,
    /// Whether the socket speaks TLS.
    pub tls: bool,
    calls: AtomicU32,
    in_flight: AtomicU32,
    http2: AtomicBool,
    unread: AtomicBool,
    lengths: AtomicU8,
    paces: Paces,
    pieces: Pieces,
    /// Of a socket that is written as it is.
    outgoing: Option<Arc<Outgoing>>,
}

impl Connection {
    /// Without TLS: what `outgoing` is told of, the socket may send otherwise.
    pub(crate) fn plain(peer: SocketAddr, outgoing: Arc<Outgoing>) -> Self {
        Self { outgoing: Some(outgoing), ..Self::new(peer, false) }
    }

    pub(crate) fn over_tls(peer: SocketAddr) -> Self {
        Self::new(peer, true)
    }

    fn new(peer: SocketAddr, tls: bool) -> Self {
        Self {
            peer,
            tls,
            calls: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
            http2: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            lengths: AtomicU8::new(UNKNOWN),
            paces: Paces::new(),
            pieces: Pieces::default(),
            outgoing: None,
        }
    }

    /// Where its answers can be sent as pages: one at a time, and not in frames.
    pub(crate) fn outgoing(&self) -> Option<&Outgoing> {
        self.outgoing.as_deref().filter(|_| !self.http2())
    }

    /// Requests taken up so far (wrapping).
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Relaxed)
    }

    /// Whether a request is being handled or its answer's body still exists.
    pub(crate) fn busy(&self) -> bool {
        self.in_flight.load(Relaxed) > 0
    }

    /// Whether it speaks HTTP/2.
    pub(crate) fn http2(&self) -> bool {
        self.http2.load(Relaxed)
    }

    pub(crate) fn speaks_http2(&self) {
        self.http2.store(true, Relaxed);
    }

    /// A body was left unread: whoever closes must first let the client read the answer.
    pub(crate) fn leave_unread(&self) {
        self.unread.store(true, Relaxed);
    }

    pub(crate) fn unread(&self) -> bool {
        self.unread.load(Relaxed)
    }

    /// Tells how many `Content-Length` lines the next request's head has.
    pub(crate) fn found_lengths(&self, count: u8) {
        self.lengths.store(count.min(UNKNOWN - 1), Relaxed);
    }

    /// Whether what was found has been taken up by a request.
    pub(crate) fn lengths_taken(&self) -> bool {
        self.lengths.load(Relaxed) == UNKNOWN
    }

    /// Whether an HTTP/2 answer has waited for its reader longer than `limit`.
    pub(crate) fn stalled(&self, limit: Duration) -> bool {
        self.http2() && self.paces.stalled(limit)
    }

    /// Until it is dropped, `piece` is held for an answer on this connection.
    pub fn holds<P: Piece + 'static>(&self, piece: &Arc<P>) {
        let piece: Weak<P> = Arc::downgrade(piece);
        self.pieces.note(piece);
    }

    /// Whether others wait for what is held here.
    pub(crate) fn is_in_the_way(&self) -> bool {
        self.pieces.are_wanted()
    }

    fn framing(&self, chunked: bool) -> Option<Framing> {
        match (self.lengths.swap(UNKNOWN, Relaxed), chunked) {
            (UNKNOWN, true) => Some(Framing::Doubtful),
            (UNKNOWN | 0, _) | (1, false) => None,
            _ => Some(Framing::Broken),
        }
    }
}

/// What is wrong with how a request tells its length; absent when nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Two lengths: a smuggler's tool. Refuse and close.
    Broken,
    /// Chunked, and a second length could not be excluded. Answer and close (RFC 9112 §6.1).
    Doubtful,
}

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

/// Counts a request as in flight while it lives.
struct Flight(Arc<Connection>);

impl Flight {
    fn start(connection: Arc<Connection>) -> Self {
        connection.calls.fetch_add(1, Relaxed);
        connection.in_flight.fetch_add(1, Relaxed);
        connection.unread.store(false, Relaxed);
        Self(connection)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
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
        let connection = flight.as_ref().map(|flight| &flight.0).filter(|connection| connection.http2());
        let pace = connection.filter(|_| !response.body().is_end_stream()).map(|connection| connection.paces.begin());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_lengths_are_broken_and_an_unknown_chunked_head_is_doubtful() {
        let connection = Connection::new(SocketAddr::from(([127, 0, 0, 1], 1)), false);
        let after = |count, chunked| {
            connection.found_lengths(count);
            connection.framing(chunked)
        };
        assert_eq!(after(0, true), None);
        assert_eq!(after(1, false), None);
        assert_eq!(after(1, true), Some(Framing::Broken));
        assert_eq!(after(2, false), Some(Framing::Broken));
        assert_eq!(after(255, false), Some(Framing::Broken));
        assert_eq!(connection.framing(false), None);
        assert_eq!(connection.framing(true), Some(Framing::Doubtful));
    }
}
