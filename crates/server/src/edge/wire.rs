//! The socket as hyper sees it, with the clocks and bounds that hyper does not keep.
//!
//! * A head must arrive within a time and a size, a kept connection must not sleep too long, a reader must
//!   take what is written. Each has one lazily armed timer, so a busy connection pays a comparison, not a
//!   timer operation, per request.
//! * Heads that hyper answers itself leave as problems (see [`bare`]).
//! * Closing with unread input would reset the connection and destroy the answer on its way; such a
//!   connection lingers: it says it has ended, then discards what comes, for a short time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Edge;
use super::bare;
use super::connection::Connection;
use super::scan::HeadScan;
use crate::problem::Code;

/// How long a closing connection waits for the client to finish.
const LINGER: Duration = Duration::from_secs(2);
/// How often a reader that takes nothing is asked after.
const LOOK: Duration = Duration::from_secs(1);

/// A socket with its clocks.
pub(crate) struct Wire<S> {
    stream: S,
    edge: Arc<Edge>,
    connection: Arc<Connection>,
    scan: HeadScan,
    alarm: Pin<Box<Sleep>>,
    opened: Instant,
    /// First byte of a head that has not become a request.
    head_since: Option<Instant>,
    idle_since: Option<Instant>,
    /// Requests seen by this side so far.
    seen: u32,
    /// Requests whose answers are in the kernel's hands.
    flushed: u32,
    any_bytes: bool,
    stall: Option<Stall>,
    /// When something was written last.
    wrote: Instant,
    own: Option<Own>,
    ending: Ending,
}

/// A writer that waits for its reader.
struct Stall {
    alarm: Pin<Box<Sleep>>,
    since: Option<Instant>,
}

/// Bytes of ours that go out in place of, or before, anything of hyper's.
struct Own {
    bytes: Vec<u8>,
    written: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    No,
    Saying,
    Shutting,
    Lingering,
    Over,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S, edge: Arc<Edge>, connection: Arc<Connection>) -> Self {
        let opened = Instant::now();
        let alarm = Box::pin(sleep_until(opened + edge.config.timeouts.header));
        Self {
            stream,
            edge,
            connection,
            scan: HeadScan::new(),
            alarm,
            opened,
            head_since: None,
            idle_since: None,
            seen: 0,
            flushed: 0,
            any_bytes: false,
            stall: None,
            wrote: opened,
            own: None,
            ending: Ending::No,
        }
    }

    /// Forgets the head and the idling before it, once hyper has made a request of it.
    fn notice_calls(&mut self) {
        let calls = self.connection.calls();
        if calls != self.seen {
            self.seen = calls;
            self.head_since = None;
            self.idle_since = None;
            if self.connection.http2() {
                self.look_in_time();
            }
        }
    }

    fn look_in_time(&mut self) {
        let check = Instant::now() + self.look_again();
        if check < self.alarm.deadline() {
            self.alarm.as_mut().reset(check);
        }
    }

    fn received(&mut self, bytes: &[u8]) {
        if !self.any_bytes && bytes.starts_with(b"PRI") {
            self.connection.speaks_http2();
        }
        self.any_bytes = true;
        if self.connection.http2() {
            return;
        }
        let busy = self.connection.busy();
        if !busy {
            self.head_since.get_or_insert_with(Instant::now);
        }
        if let Some(lengths) = self.scan.feed(bytes, !busy && self.connection.lengths_taken()) {
            self.connection.found_lengths(lengths);
        }
    }

    /// The moment at which waiting ends, if it does.
    fn deadline(&self) -> Option<Instant> {
        let timeouts = &self.edge.config.timeouts;
        if self.connection.busy() {
            None
        } else if let Some(since) = self.head_since {
            Some(since + timeouts.header)
        } else if self.seen == 0 {
            Some(self.opened + timeouts.header)
        } else {
            self.idle_since.map(|since| since + timeouts.idle)
        }
    }

    /// Nothing to read: keep time. Ready when time is up.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.idle_since.is_none() && !self.connection.busy() {
            self.idle_since = Some(Instant::now());
        }
        if let Some(deadline) = self.deadline()
            && deadline < self.alarm.deadline()
        {
            self.alarm.as_mut().reset(deadline);
        }
        while self.alarm.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            match self.deadline() {
                Some(deadline) if deadline <= now => return Poll::Ready(()),
                Some(deadline) => self.alarm.as_mut().reset(deadline),
                None if self.answers_stalled(now) => return Poll::Ready(()),
                None => {
                    let next = now + self.look_again();
                    self.alarm.as_mut().reset(next);
                }
            }
        }
        Poll::Pending
    }

    /// While it is busy, when to look again; HTTP/2 answers may stall meanwhile.
    fn look_again(&self) -> Duration {
        let timeouts = &self.edge.config.timeouts;
        if self.connection.http2() { timeouts.crowded_stall.min(timeouts.write_stall) } else { timeouts.idle }
    }

    /// Whether the reader of an HTTP/2 answer took nothing for too long. What is in the way of others ends sooner,
    /// unless something still leaves: of a large piece the stream alone knows how much was taken.
    fn answers_stalled(&self, now: Instant) -> bool {
        let timeouts = &self.edge.config.timeouts;
        self.connection.stalled(timeouts.write_stall)
            || now - self.wrote >= timeouts.crowded_stall
                && self.connection.stalled(timeouts.crowded_stall)
                && self.connection.is_in_the_way()
    }

    /// Whether a head is too large although hyper asks for more of it.
    fn oversized(&self) -> Option<(Code, &'static str)> {
        if self.connection.busy() || self.scan.unfinished() <= self.edge.config.limits.header_bytes {
            return None;
        }
        let in_target = self.scan.in_first_line();
        Some(if in_target { (Code::UriTooLong, bare::URI) } else { (Code::HeadersTooLarge, bare::HEADERS) })
    }

    fn refuse(&mut self, (code, detail): (Code, &'static str)) {
        self.say(code, detail);
        self.ending = Ending::Saying;
    }

    fn say(&mut self, code: Code, detail: &'static str) {
        self.edge.metrics.refused(code.status().as_u16());
        tracing::info!(target: "access", peer = %self.connection.peer, status = code.status().as_u16(), "refused: {detail}");
        self.own = Some(Own { bytes: bare::answer(code, detail, &self.edge.ids), written: 0 });
    }

    /// Hyper's own bare head, about to be written and nothing else on its way.
    fn dress(&mut self, bytes: &[u8]) {
        let alone = self.flushed == self.connection.calls() && !self.connection.busy() && !self.connection.http2();
        if alone
            && self.own.is_none()
            && let Some((code, detail)) = bare::recognise(bytes)
        {
            self.connection.leave_unread();
            self.say(code, if self.scan.is_tls() { bare::TLS } else { detail });
        }
    }

    fn poll_own(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(own) = &mut self.own {
            let rest = own.bytes.get(own.written..).unwrap_or_default();
            if rest.is_empty() {
                self.own = None;
                break;
            }
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => own.written += count,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return self.stalled(cx),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Nothing can be written: keep time. Ready with an error when the reader took too long.
    fn stalled<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let timeouts = &self.edge.config.timeouts;
        let (now, look) = (Instant::now(), timeouts.crowded_stall.min(timeouts.write_stall));
        let stall = self.stall.get_or_insert_with(|| Stall { alarm: Box::pin(sleep_until(now)), since: None });
        let since = *stall.since.get_or_insert_with(|| {
            stall.alarm.as_mut().reset(now + look);
            now
        });
        while stall.alarm.as_mut().poll(cx).is_ready() {
            if now - since >= timeouts.write_stall || self.connection.is_in_the_way() {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the reader does not read")));
            }
            stall.alarm.as_mut().reset(now + LOOK.min(look));
        }
        Poll::Pending
    }

    fn took(&mut self, result: &Poll<io::Result<usize>>) {
        if matches!(result, Poll::Ready(Ok(1..))) {
            self.wrote = Instant::now();
        }
    }

    fn wrote<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match result {
            Poll::Pending => self.stalled(cx),
            ready => {
                if let Some(stall) = &mut self.stall {
                    stall.since = None;
                }
                ready
            }
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.ending {
                Ending::No | Ending::Over => return Poll::Ready(Ok(())),
                Ending::Saying => {
                    ready!(self.poll_own(cx))?;
                    self.ending = Ending::Shutting;
                }
                Ending::Shutting => {
                    ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
                    self.alarm.as_mut().reset(Instant::now() + LINGER);
                    self.ending = Ending::Lingering;
                }
                Ending::Lingering => {
                    ready!(self.poll_discard(cx));
                    self.ending = Ending::Over;
                }
            }
        }
    }

    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = [0; 8 << 10];
        while self.alarm.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.notice_calls();
        if this.ending == Ending::No {
            if let Some(refusal) = this.oversized() {
                this.refuse(refusal);
            } else {
                let before = buffer.filled().len();
                match Pin::new(&mut this.stream).poll_read(cx, buffer) {
                    Poll::Ready(Ok(())) => {
                        this.received(buffer.filled().get(before..).unwrap_or_default());
                        return Poll::Ready(Ok(()));
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => ready!(this.wait(cx)),
                }
                if this.head_since.is_none() {
                    return Poll::Ready(Ok(()));
                }
                this.refuse((Code::RequestTimeout, bare::SLOW));
            }
        }
        this.poll_end(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.dress(bytes);
        if this.own.is_some() {
            ready!(this.poll_own(cx))?;
            return Poll::Ready(Ok(bytes.len()));
        }
        let result = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.took(&result);
        this.wrote(cx, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [only] = slices {
            return self.poll_write(cx, only);
        }
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.took(&result);
        this.wrote(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_flush(cx);
        ready!(this.wrote(cx, result))?;
        if !this.connection.busy() {
            this.flushed = this.connection.calls();
            // hyper may have looked for input before the answer ended, and does not look again: idling begins here.
            this.notice_calls();
            if this.ending == Ending::No && this.wait(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ending == Ending::No {
            if !this.connection.unread() {
                return Pin::new(&mut this.stream).poll_shutdown(cx);
            }
            this.ending = Ending::Shutting;
        }
        this.poll_end(cx)
    }
}
