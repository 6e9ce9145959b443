//! A server that stands in for an upstream: it says what the test wrote, nothing new to who has it, and counts who asks.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// An answer: lines of its head, and its body.
type Said = (String, Vec<u8>);

#[derive(Default)]
struct State {
    pages: HashMap<String, Said>,
    failing: HashSet<String>,
    asked: Vec<String>,
    confirmed: usize,
    away: bool,
}

/// Gone when this is.
pub(crate) struct Upstream {
    state: Arc<Mutex<State>>,
    address: std::net::SocketAddr,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let (address, state) = (listener.local_addr().expect("an address"), Arc::<Mutex<State>>::default());
        let shared = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { state, address, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on `path` is answered so; `head` are whole lines.
    pub(crate) fn says(&self, path: &str, head: &str, body: impl Into<Vec<u8>>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.pages.insert(path.to_owned(), (head.to_owned(), body.into()));
    }

    /// With which head `path` is answered.
    pub(crate) fn head(&self, path: &str) -> String {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.pages.get(path).map(|(head, _)| head.clone()).unwrap_or_default()
    }

    /// From now on it fails at `path`, or no more.
    pub(crate) fn fails(&self, path: &str, fails: bool) {
        let failing = &mut self.state.lock().unwrap_or_else(PoisonError::into_inner).failing;
        let _ = if fails { failing.insert(path.to_owned()) } else { failing.remove(path) };
    }

    /// From now on there is nothing at `path`.
    pub(crate) fn forgets(&self, path: &str) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).pages.remove(path);
    }

    /// From now on nobody gets an answer.
    pub(crate) fn goes_away(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).away = true;
    }

    /// How often it said that nothing has changed.
    pub(crate) fn confirmed(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).confirmed
    }

    /// What was asked for by now.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).asked.clone()
    }
}

/// Whether who asks has what is answered with this head, by its tag.
fn has(question: &str, head: &str) -> bool {
    let line = |text: &str, name: &str| {
        let found = text.lines().find(|line| line.get(..name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name)));
        found.map(|line| line[name.len()..].trim().to_owned())
    };
    line(question, "if-none-match:").is_some_and(|tag| line(head, "etag:") == Some(tag))
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let (mut head, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut piece).await {
                Ok(0) | Err(_) => return,
                Ok(length) => head.extend_from_slice(&piece[..length]),
            }
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        head.clear();
        let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
        let found = {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.asked.push(path.clone());
            if state.away {
                return;
            }
            match state.failing.contains(&path) {
                true => Some(Err(())),
                false => state.pages.get(&path).cloned().map(Ok),
            }
        };
        let (status, (lines, body)) = match found {
            Some(Ok((lines, _))) if has(&text, &lines) => {
                state.lock().unwrap_or_else(PoisonError::into_inner).confirmed += 1;
                ("304 Not Modified", (lines, Vec::new()))
            }
            Some(Ok(found)) if found.0.starts_with("Location:") => ("302 Found", found),
            Some(Ok(found)) => ("200 OK", found),
            Some(Err(())) => ("503 Service Unavailable", Said::default()),
            None => ("404 Not Found", Said::default()),
        };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{lines}\r\n", body.len());
        let body = if text.starts_with("HEAD ") { Vec::new() } else { body };
        if stream.write_all(&[head.as_bytes(), &body].concat()).await.is_err() {
            return;
        }
    }
}
