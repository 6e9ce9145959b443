//! A TCP socket that notices when its reader takes something, and has the kernel send pages where it can.
//!
//! The kernel calls a full socket writable only when a good part of its buffer is free again, which takes a slow reader
//! many seconds. Whoever has to tell a slow reader from one that takes nothing tries to write all the same.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::fs::sendfile;
use rustix::net::{SendFlags, send};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::pages::{Outgoing, Part};

/// How often a full socket is tried although nothing was said of it.
const AGAIN: Duration = Duration::from_millis(500);

/// The socket.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    outgoing: Arc<Outgoing>,
    tried: Option<Instant>,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, outgoing: Arc<Outgoing>) -> Self {
        Self { stream, outgoing, tried: None }
    }

    /// Sends a head and pages behind it, or as much of both as there is room for.
    fn poll_send(&self, cx: &mut Context<'_>, part: &Part<'_>) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            match self.stream.try_io(Interest::WRITABLE, || self.send(part)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn send(&self, part: &Part<'_>) -> io::Result<usize> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL | SendFlags::MORE;
        let head = if part.head.is_empty() { 0 } else { send(&self.stream, part.head, flags)? };
        if head < part.head.len() {
            return Ok(head);
        }
        let mut offset = part.offset;
        match sendfile(&self.stream, part.pages.file(), Some(&mut offset), part.length) {
            Ok(count) => {
                if part.pages.ends_at(part.offset + count as u64) {
                    self.outgoing.end();
                }
                Ok(head + count)
            }
            // The head has gone: the rest is tried again.
            Err(_) if head > 0 => Ok(head),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes although the kernel did not ask for it, now and then: there is room for a byte where one was taken.
    fn try_again(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let now = Instant::now();
        if self.tried.is_some_and(|tried| now - tried < AGAIN) {
            return Poll::Pending;
        }
        self.tried = Some(now);
        match send(&self.stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(count @ 1..) => Poll::Ready(Ok(count)),
            _ => Poll::Pending,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = match self.outgoing.part(&[IoSlice::new(bytes)]) {
            Some(part) => self.poll_send(cx, &part),
            None => Pin::new(&mut self.stream).poll_write(cx, bytes),
        };
        if polled.is_pending() { self.try_again(bytes) } else { polled }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = match self.outgoing.part(slices) {
            Some(part) => self.poll_send(cx, &part),
            None => Pin::new(&mut self.stream).poll_write_vectored(cx, slices),
        };
        match polled {
            Poll::Pending => match slices.iter().find(|slice| !slice.is_empty()) {
                Some(slice) => self.try_again(slice),
                None => Poll::Pending,
            },
            ready => ready,
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncReadExt as _;
    use tokio::net::{TcpListener, TcpSocket};
    use tokio::time::timeout;

    use super::*;

    const BUFFER: u32 = 1 << 20;

    /// Both ends, the writer's with a large buffer and the reader's with a small one.
    async fn ends() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let reader = TcpSocket::new_v4().unwrap();
        reader.set_recv_buffer_size(16 << 10).unwrap();
        let (reader, accepted) = tokio::join!(reader.connect(listener.local_addr().unwrap()), listener.accept());
        let writer = accepted.unwrap().0;
        rustix::net::sockopt::set_socket_send_buffer_size(&writer, BUFFER as usize).unwrap();
        (Socket::new(writer, Arc::default()), reader.unwrap())
    }

    async fn write(socket: &mut Socket) -> Option<usize> {
        let piece = vec![7; 64 << 10];
        poll_fn(|cx| match Pin::new(&mut *socket).poll_write(cx, &piece) {
            Poll::Ready(count) => Poll::Ready(Some(count.unwrap())),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    /// Fills the socket until nothing more goes in for a while.
    async fn fill(socket: &mut Socket) {
        while timeout(AGAIN * 2, poll_fn(|cx| Pin::new(&mut *socket).poll_write(cx, &[7; 64 << 10]))).await.is_ok() {}
    }

    #[tokio::test]
    async fn pages_arrive_behind_their_head_whatever_fits_at_once() {
        let (mut socket, mut reader) = ends().await;
        let body = bytes::Bytes::from((0..4_000_000u32).map(|number| (number >> 8 ^ number) as u8).collect::<Vec<_>>());
        socket.outgoing.begin(super::super::Pages::of(&body).unwrap());
        let mut left = (&b"a head"[..], body.clone());
        let sent = async {
            while !left.1.is_empty() {
                let slices = [IoSlice::new(left.0), IoSlice::new(&left.1)];
                let slices = if left.0.is_empty() { &slices[1..] } else { &slices[..] };
                let count = poll_fn(|cx| Pin::new(&mut socket).poll_write_vectored(cx, slices)).await.unwrap();
                let head = count.min(left.0.len());
                left = (&left.0[head..], left.1.slice(count - head..));
            }
            // What comes after it, from elsewhere.
            poll_fn(|cx| Pin::new(&mut socket).poll_write(cx, b"the end")).await.unwrap();
        };
        let mut found = vec![0; 6 + body.len() + 7];
        tokio::join!(sent, async { reader.read_exact(&mut found).await.unwrap() });
        assert!(found == [&b"a head"[..], &body, b"the end"].concat(), "other bytes");
        assert!(socket.outgoing.part(&[IoSlice::new(&body)]).is_none(), "it is still held");
    }

    #[tokio::test]
    async fn little_that_the_reader_takes_is_noticed() {
        let (mut socket, mut reader) = ends().await;
        fill(&mut socket).await;
        reader.read_exact(&mut [0; 100 << 10]).await.unwrap();
        let noticed = async {
            while write(&mut socket).await.is_none() {
                tokio::time::sleep(AGAIN / 4).await;
            }
        };
        timeout(Duration::from_secs(20), noticed).await.expect("the kernel waits for a third of the buffer");
    }
}
