//! The accept loop: takes connections, gives each its own task, and ends in good order.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::Edge;
use super::connection::Connection;
use super::door::Door;
use super::pages::Outgoing;
use super::phase::Phase;
use super::served::Served;
use super::socket::Socket;
use super::tls::Tls;
use super::wire::Wire;
use crate::ops::Metrics;

/// Connections that the kernel keeps for us while all places are taken.
const BACKLOG: u32 = 1024;

/// A bound socket, ready to serve.
pub struct Listener {
    edge: Arc<Edge>,
    socket: TcpListener,
    tls: Option<Tls>,
}

/// Binds and serves `app` until `shutdown` is ready and what is in flight is done or out of time.
pub async fn serve(edge: Arc<Edge>, app: impl Into<Served>, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    Listener::bind(edge)?.serve(app, shutdown).await;
    Ok(())
}

impl Listener {
    /// Takes the address and reads the certificate; both must work.
    pub fn bind(edge: Arc<Edge>) -> io::Result<Self> {
        let tls = edge.config.tls.as_ref().map(Tls::open).transpose()?;
        let address = edge.config.listen;
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
        socket.bind(address).map_err(named)?;
        Ok(Self { socket: socket.listen(BACKLOG).map_err(named)?, edge, tls })
    }

    /// Where it listens; the port is the real one when 0 was asked for.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `shutdown` is ready; then refuses new connections, closes idle ones, finishes what is
    /// in flight within the drain time and cuts what is left. Never fails: faults of accepting pass.
    pub async fn serve(self, app: impl Into<Served>, shutdown: impl Future<Output = ()>) {
        let Self { edge, socket, tls } = self;
        let phase = Phase::default();
        let tasks = TaskTracker::new();
        let reload = tls.clone().map(|tls| tokio::spawn(tls.watch()));
        let host = Arc::new(Host { builder: builder(&edge), edge, app: app.into(), tls, phase: phase.clone() });
        let mut shutdown = pin!(shutdown);
        tokio::select! {
            () = &mut shutdown => {}
            () = accept(&socket, &host, &tasks) => {}
        }
        drop(socket);
        if let Some(reload) = reload {
            reload.abort();
        }
        tracing::info!(connections = tasks.len(), "draining");
        phase.drain();
        tasks.close();
        if timeout(host.edge.config.timeouts.drain, tasks.wait()).await.is_err() {
            tracing::warn!(connections = tasks.len(), "the drain time is over; cutting what is left");
            phase.end();
            tasks.wait().await;
        }
    }
}

/// What every connection of a listener needs.
struct Host {
    edge: Arc<Edge>,
    app: Served,
    tls: Option<Tls>,
    phase: Phase,
    builder: auto::Builder<TokioExecutor>,
}

async fn accept(socket: &TcpListener, host: &Arc<Host>, tasks: &TaskTracker) {
    let places = Arc::new(Semaphore::new(host.edge.config.limits.connections));
    let mut backoff = Backoff::default();
    loop {
        if places.available_permits() == 0 {
            tracing::warn!("all connections are in use; new ones wait");
        }
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match socket.accept().await {
            Ok((stream, peer)) => {
                backoff = Backoff::default();
                let host = host.clone();
                let seat = Seat::take(place, host.edge.metrics.clone());
                tasks.spawn(async move {
                    host.attend(stream, peer).await;
                    drop(seat);
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => backoff.wait(&error).await,
        }
    }
}

/// One of the places for connections, counted; given back also when a body panics.
struct Seat {
    metrics: Metrics,
    _place: OwnedSemaphorePermit,
}

impl Seat {
    fn take(place: OwnedSemaphorePermit, metrics: Metrics) -> Self {
        metrics.connection_opened();
        Self { metrics, _place: place }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.metrics.connection_closed();
    }
}

/// The peer went away before it was accepted: says nothing about the next one.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Out of file descriptors or memory: waits from 10 ms up to 1 s, logging the first time only.
#[derive(Default)]
struct Backoff(u32);

impl Backoff {
    async fn wait(&mut self, error: &io::Error) {
        if self.0 == 0 {
            tracing::error!(%error, "connections cannot be accepted; trying again");
        }
        self.0 = (self.0 + 1).min(7);
        sleep(Duration::from_millis(10 << (self.0 - 1)).min(Duration::from_secs(1))).await;
    }
}

impl Host {
    async fn attend(&self, stream: TcpStream, peer: SocketAddr) {
        let _ = stream.set_nodelay(true);
        let outgoing = Arc::<Outgoing>::default();
        let stream = Socket::new(stream, Arc::clone(&outgoing));
        let Some(tls) = &self.tls else { return self.converse(stream, Connection::plain(peer, outgoing)).await };
        let handshake = timeout(self.edge.config.timeouts.handshake, tls.acceptor.accept(stream));
        let mut shaken = None;
        let greeting = Box::pin(async {
            match handshake.await {
                Ok(Ok(stream)) => shaken = Some(stream),
                Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS handshake"),
                Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
            }
        });
        self.phase.through(greeting, |_| {}).await;
        if let Some(stream) = shaken {
            Box::pin(self.converse(stream, Connection::over_tls(peer))).await;
        }
    }

    async fn converse<S>(&self, stream: S, connection: Connection)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let connection = Arc::new(connection);
        let wire = Wire::new(stream, self.edge.clone(), connection.clone());
        let door = Door { edge: self.edge.clone(), app: self.app.clone(), connection };
        let talk = Box::pin(self.builder.serve_connection(TokioIo::new(wire), door));
        self.phase.through(talk, |talk| talk.as_mut().graceful_shutdown()).await;
    }
}

/// hyper's settings. Its own header clock stays off: the wire keeps that time, and answers.
fn builder(edge: &Edge) -> auto::Builder<TokioExecutor> {
    let (limits, http2) = (&edge.config.limits, &edge.config.http2);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(limits.headers)
        .max_buf_size(limits.read_buffer.max(limits.header_bytes).max(8 << 10));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(http2.streams)
        .max_header_list_size(u32::try_from(limits.header_bytes.saturating_mul(2)).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(http2.pending_resets)
        .max_local_error_reset_streams(http2.local_resets)
        .keep_alive_interval(http2.ping)
        .keep_alive_timeout(http2.ping)
        .initial_stream_window_size(http2.stream_window)
        .initial_connection_window_size(http2.connection_window);
    builder
}
