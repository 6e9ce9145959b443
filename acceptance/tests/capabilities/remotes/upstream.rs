//! An upstream whose every answer the test says, byte by byte, and that writes down what it was asked.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use acceptance::Result;
use acceptance::ports::Port;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What is sent in return for a question, step by step; then the connection is closed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Say(Vec<Step>);

#[derive(Clone, Debug)]
enum Step {
    Bytes(Bytes),
    /// Goes on when the test opens the gate.
    Gate(watch::Receiver<bool>),
    /// The same bytes until the other side has had enough.
    Endless(Bytes),
    /// Neither bytes nor an end.
    Hang,
    /// The connection breaks.
    Reset,
}

/// Holds a [`Say`] up until it is opened.
pub(crate) struct Gate(watch::Sender<bool>);

impl Gate {
    pub(crate) fn new() -> Self {
        Self(watch::channel(false).0)
    }

    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }
}

impl Say {
    /// A status with these headers and this body, of which the length is told.
    pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self::head(status, headers, &format!("Content-Length: {}\r\n", body.len())).bytes(body)
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::answer(status, &[], "")
    }

    pub(crate) fn file(body: impl Into<Bytes>) -> Self {
        Self::answer(200, &[("Content-Type", "application/octet-stream")], body)
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self::answer(302, &[("Location", to)], "")
    }

    /// A 200 that announces `length`, and nothing of the body yet.
    pub(crate) fn announces(length: usize) -> Self {
        Self::head(200, &[], &format!("Content-Length: {length}\r\n"))
    }

    /// A 200 in chunks, of which none is sent yet.
    pub(crate) fn chunked() -> Self {
        Self::head(200, &[], "Transfer-Encoding: chunked\r\n")
    }

    fn head(status: u16, headers: &[(&str, &str)], framing: &str) -> Self {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        Self::default().bytes(format!("HTTP/1.1 {status} Said\r\nConnection: close\r\n{headers}{framing}\r\n"))
    }

    pub(crate) fn bytes(self, bytes: impl Into<Bytes>) -> Self {
        self.then(Step::Bytes(bytes.into()))
    }

    pub(crate) fn chunk(self, bytes: &[u8]) -> Self {
        self.bytes([format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat())
    }

    pub(crate) fn waits(self, gate: &Gate) -> Self {
        self.then(Step::Gate(gate.0.subscribe()))
    }

    /// The same, and nothing of it before the gate opens.
    pub(crate) fn after(mut self, gate: &Gate) -> Self {
        self.0.insert(0, Step::Gate(gate.0.subscribe()));
        self
    }

    pub(crate) fn endless(self, bytes: impl Into<Bytes>) -> Self {
        self.then(Step::Endless(bytes.into()))
    }

    pub(crate) fn hangs(self) -> Self {
        self.then(Step::Hang)
    }

    pub(crate) fn resets(self) -> Self {
        self.then(Step::Reset)
    }

    fn then(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }
}

/// A question as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    headers: Vec<(String, String)>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The server. What it was not told to say is 404.
pub(crate) struct Upstream {
    ip: Ipv4Addr,
    port: Port,
    script: Arc<Script>,
    serving: Option<JoinSet<()>>,
}

#[derive(Default)]
struct Script {
    says: Mutex<HashMap<String, Say>>,
    asked: Mutex<Vec<Asked>>,
}

impl Upstream {
    pub(crate) async fn start() -> Result<Self> {
        Self::at(Ipv4Addr::LOCALHOST).await
    }

    pub(crate) async fn at(ip: Ipv4Addr) -> Result<Self> {
        let mut upstream = Self { ip, port: Port::claim()?, script: Arc::default(), serving: None };
        upstream.up().await?;
        Ok(upstream)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    fn address(&self) -> SocketAddr {
        (self.ip, self.port.number()).into()
    }

    /// What is said at a path from now on, whatever its query.
    pub(crate) fn says(&self, path: &str, say: Say) {
        self.script.says.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), say);
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often it was asked for a path.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.asked().iter().filter(|asked| asked.path == path).count()
    }

    /// How often it was asked for anything.
    pub(crate) fn total(&self) -> usize {
        self.asked().len()
    }

    /// Nobody listens there any more; connections are refused.
    pub(crate) async fn down(&mut self) {
        if let Some(mut serving) = self.serving.take() {
            serving.shutdown().await;
        }
    }

    pub(crate) async fn up(&mut self) -> Result<()> {
        let listener = TcpListener::bind(self.address()).await?;
        let script = Arc::clone(&self.script);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.spawn(serve(socket, Arc::clone(&script)));
                while connections.try_join_next().is_some() {}
            }
        });
        self.serving = Some(serving);
        Ok(())
    }
}

/// One question, one answer. Whoever goes away in the middle is none of our troubles.
async fn serve(mut socket: TcpStream, script: Arc<Script>) {
    let Some(asked) = question(&mut socket).await else { return };
    let path = asked.path.split('?').next().unwrap_or_default();
    let says = script.says.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
    script.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    for step in says.unwrap_or_else(|| Say::status(404)).0 {
        let done = match step {
            Step::Bytes(bytes) => socket.write_all(&bytes).await.is_ok(),
            Step::Gate(mut gate) => gate.wait_for(|open| *open).await.is_ok(),
            Step::Endless(bytes) => {
                while socket.write_all(&bytes).await.is_ok() {}
                false
            }
            Step::Hang => socket.read_u8().await.is_ok(),
            Step::Reset => {
                socket.set_zero_linger().ok();
                false
            }
        };
        if !done {
            return;
        }
    }
    socket.shutdown().await.ok();
}

async fn question(socket: &mut TcpStream) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    Some(Asked { path, headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect() })
}
