//! What is known of one connection, to all who handle its requests.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::pace::{Pace, Paces};
use super::pages::Outgoing;
use super::pieces::{Piece, Pieces};

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

    /// Watches how an HTTP/2 answer is read.
    pub(crate) fn begin_pace(&self) -> Pace {
        self.paces.begin()
    }

    /// What is wrong with the head that was just read.
    pub(crate) fn framing(&self, chunked: bool) -> Option<Framing> {
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

/// Counts a request as in flight while it lives.
pub(crate) struct Flight(Arc<Connection>);

impl Flight {
    pub(crate) fn start(connection: Arc<Connection>) -> Self {
        connection.calls.fetch_add(1, Relaxed);
        connection.in_flight.fetch_add(1, Relaxed);
        connection.unread.store(false, Relaxed);
        Self(connection)
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.0
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
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
