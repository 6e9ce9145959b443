//! An upstream whose every answer the test says, byte by byte, and that writes down what it was asked.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::Result;
use crate::ports::Port;

/// What is sent in return for a question, step by step; then the connection is closed.
#[derive(Clone, Debug, Default)]
pub struct Say(Vec<Step>);

#[derive(Clone, Debug)]
enum Step {
    Bytes(Bytes),
    /// Goes on when the test opens the gate.
    Gate(watch::Receiver<bool>),
    /// The same bytes until the other side has had enough.
    Endless(Bytes),
    /// One byte after the other, each a little later.
    Crawl(Bytes),
    /// Neither bytes nor an end.
    Hang,
    /// The connection breaks.
    Reset,
}

/// Holds a [`Say`] up until it is opened.
#[derive(Default)]
pub struct Gate(watch::Sender<bool>);

impl Gate {
    /// Closed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        self.0.send_replace(true);
    }
}

impl Say {
    /// A status with these headers and this body, of which the length is told.
    pub fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self::head(status, headers, &format!("Content-Length: {}\r\n", body.len())).bytes(body)
    }

    /// A status without a body.
    pub fn status(status: u16) -> Self {
        Self::answer(status, &[], "")
    }

    /// A 200 with these bytes.
    pub fn file(body: impl Into<Bytes>) -> Self {
        Self::answer(200, &[("Content-Type", "application/octet-stream")], body)
    }

    /// A 302 to this address.
    pub fn redirect(to: &str) -> Self {
        Self::answer(302, &[("Location", to)], "")
    }

    /// A 200 that announces `length`, and nothing of the body yet.
    pub fn announces(length: usize) -> Self {
        Self::head(200, &[], &format!("Content-Length: {length}\r\n"))
    }

    /// A 200 in chunks, of which none is sent yet.
    pub fn chunked() -> Self {
        Self::head(200, &[], "Transfer-Encoding: chunked\r\n")
    }

    fn head(status: u16, headers: &[(&str, &str)], framing: &str) -> Self {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        Self::default().bytes(format!("HTTP/1.1 {status} Said\r\nConnection: close\r\n{headers}{framing}\r\n"))
    }

    /// Then these bytes, as they are. None are no step: what was said before them is the last that is waited for.
    pub fn bytes(self, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { self } else { self.then(Step::Bytes(bytes)) }
    }

    /// Then these bytes as one chunk.
    pub fn chunk(self, bytes: &[u8]) -> Self {
        self.bytes([format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat())
    }

    /// Then nothing until the gate is open.
    pub fn waits(self, gate: &Gate) -> Self {
        self.then(Step::Gate(gate.0.subscribe()))
    }

    /// The same, and nothing of it before the gate opens.
    #[must_use]
    pub fn after(mut self, gate: &Gate) -> Self {
        self.0.insert(0, Step::Gate(gate.0.subscribe()));
        self
    }

    /// Then the same bytes without end.
    pub fn endless(self, bytes: impl Into<Bytes>) -> Self {
        self.then(Step::Endless(bytes.into()))
    }

    /// Then these bytes, ten of them a second.
    pub fn crawls(self, bytes: impl Into<Bytes>) -> Self {
        self.then(Step::Crawl(bytes.into()))
    }

    /// Then nothing, and the connection stays.
    pub fn hangs(self) -> Self {
        self.then(Step::Hang)
    }

    /// Then the connection is reset.
    pub fn resets(self) -> Self {
        self.then(Step::Reset)
    }

    fn then(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }
}

/// A question as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its target: path and query.
    pub path: String,
    /// When it had come.
    pub at: Instant,
    headers: Vec<(String, String)>,
}

impl Asked {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The server. What it was not told to say is 404.
pub struct Upstream {
    ip: Ipv4Addr,
    port: Port,
    tls: Option<TlsAcceptor>,
    script: Arc<Script>,
    serving: Option<JoinSet<()>>,
}

#[derive(Default)]
struct Script {
    says: Mutex<HashMap<String, Say>>,
    always: Mutex<Option<Say>>,
    prefix: Mutex<String>,
    asked: Mutex<Vec<Asked>>,
    open: Mutex<Open>,
}

/// Questions that have come and whose answer is not sent yet.
#[derive(Default)]
struct Open {
    now: usize,
    most: usize,
}

/// A connection, encrypted or not.
trait Line: AsyncRead + AsyncWrite + Unpin {
    fn socket(&self) -> &TcpStream;
}

impl Line for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Line for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl Upstream {
    /// On a port of 127.0.0.1.
    pub async fn start() -> Result<Self> {
        Self::at(Ipv4Addr::LOCALHOST).await
    }

    /// On a port of another address of this machine.
    pub async fn at(ip: Ipv4Addr) -> Result<Self> {
        Self::listening(ip, None).await
    }

    /// The same over TLS.
    pub async fn over_tls(tls: TlsAcceptor) -> Result<Self> {
        Self::listening(Ipv4Addr::LOCALHOST, Some(tls)).await
    }

    async fn listening(ip: Ipv4Addr, tls: Option<TlsAcceptor>) -> Result<Self> {
        let mut upstream = Self { ip, port: Port::claim()?, tls, script: Arc::default(), serving: None };
        upstream.up().await?;
        Ok(upstream)
    }

    /// Its address.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (self.ip, self.port.number()).into()
    }

    /// What is said at a path from now on, whatever its query.
    pub fn says(&self, path: &str, say: Say) {
        self.script.says.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), say);
    }

    /// What is said to everybody from now on, whatever is asked; `None`: what is said at its path again.
    pub fn always(&self, say: Option<Say>) {
        *self.script.always.lock().unwrap_or_else(PoisonError::into_inner) = say;
    }

    /// All of it lies beneath this path from now on.
    pub fn lies_beneath(&self, prefix: &str) {
        prefix.clone_into(&mut self.script.prefix.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// How many questions have waited for the last bytes of their answers at one time, at most.
    pub fn most_at_once(&self) -> usize {
        self.script.open.lock().unwrap_or_else(PoisonError::into_inner).most
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.script.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often it was asked for a path.
    pub fn count(&self, path: &str) -> usize {
        self.asked().iter().filter(|asked| asked.path == path).count()
    }

    /// How often it was asked for anything.
    pub fn total(&self) -> usize {
        self.asked().len()
    }

    /// Nobody listens there any more; connections are refused.
    pub async fn down(&mut self) {
        if let Some(mut serving) = self.serving.take() {
            serving.shutdown().await;
        }
    }

    /// Listens again, on the same port.
    pub async fn up(&mut self) -> Result<()> {
        let listener = TcpListener::bind(self.address()).await?;
        let (script, tls) = (Arc::clone(&self.script), self.tls.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.spawn(meet(socket, tls.clone(), Arc::clone(&script)));
                while connections.try_join_next().is_some() {}
            }
        });
        self.serving = Some(serving);
        Ok(())
    }
}

async fn meet(socket: TcpStream, tls: Option<TlsAcceptor>, script: Arc<Script>) {
    match tls {
        None => serve(socket, &script).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(socket).await {
                serve(stream, &script).await;
            }
        }
    }
}

impl Script {
    /// What is said in return.
    fn answer(&self, path: &str) -> Say {
        let always = self.always.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let prefix = self.prefix.lock().unwrap_or_else(PoisonError::into_inner);
        let says =
            || self.says.lock().unwrap_or_else(PoisonError::into_inner).get(path.strip_prefix(&**prefix)?).cloned();
        always.or_else(says).unwrap_or_else(|| Say::status(404))
    }

    fn opened(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.now += 1;
        open.most = open.most.max(open.now);
    }

    fn closed(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).now -= 1;
    }
}

/// One question, one answer. Whoever goes away in the middle is none of our troubles.
async fn serve(mut socket: impl Line, script: &Script) {
    let Some(asked) = question(&mut socket).await else { return };
    script.opened();
    let mut says = script.answer(asked.path.split('?').next().unwrap_or_default()).0;
    script.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    let last = says.pop();
    for step in says {
        if !take(&mut socket, step).await {
            return script.closed();
        }
    }
    // Whoever has these may ask the next one at once.
    script.closed();
    if let Some(last) = last
        && take(&mut socket, last).await
    {
        socket.shutdown().await.ok();
    }
}

/// Whether it goes on.
async fn take(socket: &mut impl Line, step: Step) -> bool {
    match step {
        Step::Bytes(bytes) => socket.write_all(&bytes).await.is_ok(),
        Step::Gate(mut gate) => gate.wait_for(|open| *open).await.is_ok(),
        Step::Endless(bytes) => {
            while socket.write_all(&bytes).await.is_ok() {}
            false
        }
        Step::Crawl(bytes) => {
            for byte in bytes {
                tokio::time::sleep(Duration::from_millis(100)).await;
                if socket.write_all(&[byte]).await.is_err() {
                    return false;
                }
            }
            true
        }
        Step::Hang => socket.read_u8().await.is_ok(),
        Step::Reset => {
            socket.socket().set_zero_linger().ok();
            false
        }
    }
}

async fn question(socket: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    let head = head(socket).await?;
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Some(Asked { path, at: Instant::now(), headers })
}

/// The head of a request, to its last empty line.
pub(crate) async fn head(socket: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}
