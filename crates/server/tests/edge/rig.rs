//! A listener for one test, and a client that speaks bytes.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use model::Ambient;
use server::edge::{Edge, EdgeConfig, Listener, Routes, layers};
use server::ops::{BuildInfo, Metrics};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Nothing in these tests takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A serving listener.
pub(crate) struct Rig {
    pub(crate) addr: SocketAddr,
    pub(crate) metrics: Metrics,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Rig {
    /// Serves the test app with changed settings.
    pub(crate) fn start(change: impl FnOnce(&mut EdgeConfig)) -> Self {
        Self::serving(super::app::routes(), change)
    }

    pub(crate) fn serving(app: impl Into<Routes>, change: impl FnOnce(&mut EdgeConfig)) -> Self {
        let mut config = EdgeConfig { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), ..EdgeConfig::default() };
        change(&mut config);
        let ambient = Ambient::system();
        let metrics = Metrics::new(&ambient, &BuildInfo { version: "0", commit: "test" });
        let edge = Edge::new(config, ambient, metrics.clone());
        let app = layers(&edge, app);
        let listener = Listener::bind(Arc::clone(&edge)).unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(listener.serve(app, async move {
            let _ = stopped.await;
        }));
        Self { addr, metrics, stop: Some(stop), task }
    }

    /// Asks for shutdown; does not wait.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits until serving has ended.
    pub(crate) async fn ended(self) {
        timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }

    pub(crate) async fn connect(&self) -> Client<TcpStream> {
        Client { stream: TcpStream::connect(self.addr).await.unwrap(), read: Vec::new() }
    }

    /// Sends bytes on a new connection and reads the first answer.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> Reply {
        let mut client = self.connect().await;
        client.send(request).await;
        client.reply().await
    }

    /// Asserts that a panic of the handler at `path` is a problem that says nothing of it, and that its connection goes on.
    pub(crate) async fn outlives(&self, path: &str) {
        let mut client = self.connect().await;
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let reply = client.reply().await;
        reply.is_problem(500, "internal_error");
        assert!(!reply.text().contains("own fault"));
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(client.reply().await.text(), "hello");
    }

    /// `GET` with extra header lines, each ending in CR LF.
    pub(crate) async fn get(&self, path: &str, headers: &str) -> Reply {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n{headers}\r\n")).await
    }
}

/// One connection.
pub(crate) struct Client<S> {
    pub(crate) stream: S,
    read: Vec<u8>,
}

impl<S: AsyncRead + AsyncWriteExt + Unpin> Client<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self { stream, read: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Reads the head of one answer.
    pub(crate) async fn head(&mut self) -> Reply {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.more().await, "closed before an answer: {:?}", String::from_utf8_lossy(&self.read));
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).unwrap();
        Reply { head, body: Vec::new() }
    }

    /// Reads one answer with a length or chunks.
    pub(crate) async fn reply(&mut self) -> Reply {
        let mut reply = self.head().await;
        if reply.header("transfer-encoding").is_some() {
            while !self.read.ends_with(b"0\r\n\r\n") {
                assert!(self.more().await);
            }
            reply.body = std::mem::take(&mut self.read);
        } else {
            let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
            while self.read.len() < length {
                assert!(self.more().await);
            }
            reply.body = self.read.drain(..length).collect();
        }
        reply
    }

    /// Whether the server closed, with nothing more said.
    pub(crate) async fn closed(&mut self) -> bool {
        self.read.is_empty() && !self.more().await
    }

    async fn more(&mut self) -> bool {
        let mut space = [0; 4096];
        match timeout(PATIENCE, self.stream.read(&mut space)).await.expect("an answer in time") {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.read.extend_from_slice(&space[..count]);
                true
            }
        }
    }
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// Asserts the whole shape of a problem, security headers included.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status(), status, "{}\n{}", self.head, self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.head);
        let body: serde_json::Value = model::json::from_slice(&self.body).unwrap();
        assert_eq!((body["status"].as_u64(), body["code"].as_str()), (Some(u64::from(status)), Some(code)));
        assert!(body["title"].is_string() && body["detail"].is_string() && body["type"].is_string());
        assert_eq!(body["correlationId"].as_str(), self.header("x-correlation-id"));
        self.is_secure();
    }

    #[track_caller]
    pub(crate) fn is_secure(&self) {
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"), "{}", self.head);
        assert_eq!(self.header("x-frame-options"), Some("DENY"));
        assert_eq!(self.header("referrer-policy"), Some("no-referrer"));
        assert!(self.header("content-security-policy").is_some());
        assert!(self.header("x-correlation-id").is_some_and(|id| id.len() == 36));
    }
}
