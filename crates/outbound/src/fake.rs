//! A server for tests: one thread of tasks, one closure that answers.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

type Answerer = dyn Fn(usize, &Seen) -> Vec<u8> + Send + Sync;

/// Answers each request with raw text and closes; remembers what it saw.
pub(crate) struct Fake {
    pub(crate) base: String,
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    /// `answer` gets the number of the request (from 0) and the request.
    pub(crate) async fn start<T: Into<Vec<u8>>>(answer: impl Fn(usize, &Seen) -> T + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1", answer).await
    }

    /// The same at a chosen address.
    pub(crate) async fn at<T: Into<Vec<u8>>>(
        address: &str,
        answer: impl Fn(usize, &Seen) -> T + Send + Sync + 'static,
    ) -> Self {
        let answer = move |number, seen: &Seen| answer(number, seen).into();
        let listener = TcpListener::bind((address, 0)).await.expect("bound");
        let own = listener.local_addr().expect("an address");
        let (base, port) = (format!("http://{own}"), own.port());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer): (_, Arc<Answerer>) = (Arc::clone(&seen), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&log), Arc::clone(&answer)));
            }
        });
        Self { base, port, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("not poisoned").clone()
    }
}

/// Writes `bytes` to whoever asks, and then neither more nor an end. Returns the base.
pub(crate) async fn stalling(bytes: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            read(&mut stream).await;
            let _ = stream.get_mut().write_all(bytes.as_bytes()).await;
            held.push(stream);
        }
    });
    base
}

async fn serve(stream: TcpStream, log: Arc<Mutex<Vec<Seen>>>, answer: Arc<Answerer>) {
    let mut stream = BufReader::new(stream);
    let Some(seen) = read(&mut stream).await else { return };
    let number = {
        let mut log = log.lock().expect("not poisoned");
        log.push(seen.clone());
        log.len() - 1
    };
    let bytes = answer(number, &seen);
    let _ = stream.get_mut().write_all(&bytes).await;
    let _ = stream.get_mut().shutdown().await;
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut seen = Seen::default();
    stream.read_line(&mut seen.line).await.ok().filter(|read| *read > 0)?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        seen.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = seen.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    seen.body = vec![0; length];
    stream.read_exact(&mut seen.body).await.ok()?;
    Some(seen)
}

/// A whole answer with a body.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len())
}
