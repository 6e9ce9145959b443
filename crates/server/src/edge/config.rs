//! The settings of the edge, each with a default that is safe on the open internet.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use ipnet::IpNet;

/// All settings of one listener.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// Address and port; port 0 takes a free one. Default `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// How much of anything one client may send or hold.
    pub limits: Limits,
    /// How long anything may take.
    pub timeouts: Timeouts,
    /// What is particular to HTTP/2.
    pub http2: Http2Limits,
    /// Certificate and key; without them the listener speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// The base URL that clients use, without a trailing slash; else it is taken from the request.
    pub external_url: Option<String>,
    /// Networks whose forwarded headers are believed. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// Which header trusted proxies write the client's address into.
    pub forwarding: Forwarding,
    /// Origins whose scripts may call us. Default: none.
    pub cors_origins: Vec<String>,
    /// `Strict-Transport-Security` for answers over HTTPS, e.g. `max-age=31536000`.
    pub hsts: Option<HeaderValue>,
}

impl Default for EdgeConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            http2: Http2Limits::default(),
            tls: None,
            external_url: None,
            trusted_proxies: Vec::new(),
            forwarding: Forwarding::default(),
            cors_origins: Vec::new(),
            hsts: None,
        }
    }
}

/// Bounds on size and number.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; further ones wait in the kernel's queue. Default 10,000.
    pub connections: usize,
    /// Bytes of request line and header fields; more is 431. Default 32 KiB.
    pub header_bytes: usize,
    /// Header fields of a request; more is 431. Default 100.
    pub headers: usize,
    /// Bytes of the request target; more is 414. Default 8 KiB.
    pub uri_bytes: usize,
    /// Most bytes read from a socket at once (at least 8 KiB). Default 256 KiB.
    pub read_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 10_000, header_bytes: 32 << 10, headers: 100, uri_bytes: 8 << 10, read_buffer: 256 << 10 }
    }
}

/// Bounds on time.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From a request's first byte (or the connection's start) to the end of its header fields. Default 15 s.
    pub header: Duration,
    /// Between two requests of a kept connection. Default 75 s.
    pub idle: Duration,
    /// Between two pieces of a request body; then 408 and close. Default 30 s.
    pub body_idle: Duration,
    /// A reader that takes nothing of a response for this long is cut. Default 30 s.
    pub write_stall: Duration,
    /// The same for a reader that holds what others wait for. Default 2 s.
    pub crowded_stall: Duration,
    /// The TLS handshake. Default 10 s.
    pub handshake: Duration,
    /// Requests in flight may take this long after shutdown was asked for. Default 30 s.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            header: seconds(15),
            idle: seconds(75),
            body_idle: seconds(30),
            write_stall: seconds(30),
            crowded_stall: seconds(2),
            handshake: seconds(10),
            drain: seconds(30),
        }
    }
}

/// Bounds of HTTP/2.
#[derive(Clone, Copy, Debug)]
pub struct Http2Limits {
    /// Streams open at once on a connection. Default 200.
    pub streams: u32,
    /// Streams reset by the peer before we looked at them (rapid reset); more ends the connection. Default 20.
    pub pending_resets: usize,
    /// Streams that we reset for the peer's errors; more ends the connection. Default 128.
    pub local_resets: usize,
    /// A silent peer is pinged this often and cut when it does not answer. Default 20 s.
    pub ping: Duration,
    /// Flow-control window of a stream in bytes. Default 1 MiB.
    pub stream_window: u32,
    /// Flow-control window of a connection in bytes. Default 4 MiB.
    pub connection_window: u32,
}

impl Default for Http2Limits {
    fn default() -> Self {
        Self {
            streams: 200,
            pending_resets: 20,
            local_resets: 128,
            ping: Duration::from_secs(20),
            stream_window: 1 << 20,
            connection_window: 4 << 20,
        }
    }
}

/// Where certificate and key live and how often to look whether they changed.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// PEM file with the certificate chain, leaf first.
    pub cert: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
    /// How often the files are looked at. A few seconds is right.
    pub reload: Duration,
}

/// Which header tells the client's address. Only one is read: a proxy that writes one of them
/// passes the other through as the client sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forwarding {
    /// `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Rfc7239,
}
