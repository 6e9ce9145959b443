//! A request, as plain data until it is sent.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::{Answer, Connection, Sink};
use crate::{Result, Trouble};

const PATIENCE: Duration = Duration::from_secs(60);

/// What follows the head, and how its length is told.
#[derive(Clone, Debug)]
pub(super) enum Body {
    None,
    Sized(Vec<Bytes>),
    Chunked(Vec<Bytes>),
}

/// One request. Header order is kept, names and values are sent as given, doubles included.
#[derive(Clone, Debug)]
pub struct Request {
    address: SocketAddr,
    pub(super) method: String,
    path: String,
    headers: Vec<(String, String)>,
    pub(super) body: Body,
}

impl Request {
    pub(super) fn new(address: SocketAddr, method: &str, path: &str) -> Request {
        Request { address, method: method.into(), path: path.into(), headers: Vec::new(), body: Body::None }
    }

    /// Adds a header; the same name twice is sent twice.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Request {
        self.headers.push((name.to_string(), value.into()));
        self
    }

    /// Adds `Authorization: Bearer`, replacing any other.
    pub fn bearer(self, token: &str) -> Request {
        self.authorization(format!("Bearer {token}"))
    }

    /// Adds `Authorization: Basic`, replacing any other.
    pub fn basic(self, user: &str, password: &str) -> Request {
        self.authorization(format!("Basic {}", base64(format!("{user}:{password}").as_bytes())))
    }

    /// Sends no credentials, whatever the client's are.
    pub fn anonymous(mut self) -> Request {
        self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
        self
    }

    /// Adds `Range`, for instance `bytes=0-99`.
    pub fn range(self, range: &str) -> Request {
        self.header("Range", range)
    }

    /// A JSON body.
    pub fn json(self, value: &Value) -> Request {
        self.header("Content-Type", "application/json").body(value.to_string())
    }

    /// A body with `Content-Length`.
    pub fn body(self, body: impl Into<Bytes>) -> Request {
        self.pieces(vec![body.into()])
    }

    /// A body with `Content-Length`, in pieces: clones of one piece make a large body without its memory.
    pub fn pieces(mut self, pieces: Vec<Bytes>) -> Request {
        self.body = Body::Sized(pieces);
        self
    }

    /// A body of unknown length, each piece sent as a chunk.
    pub fn chunks(mut self, pieces: Vec<Bytes>) -> Request {
        self.body = Body::Chunked(pieces);
        self
    }

    /// Sends it on a connection of its own and reads the whole answer; a minute at most.
    pub async fn send(self) -> Result<Answer> {
        self.exchange(None).await
    }

    /// Like [`Request::send`], but hands each piece of the body to `sink` instead of keeping it.
    pub async fn send_each(self, mut sink: impl FnMut(&[u8]) + Send) -> Result<Answer> {
        self.exchange(Some(&mut sink)).await
    }

    async fn exchange(self, sink: Sink<'_>) -> Result<Answer> {
        let what = format!("{} {}", self.method, self.path);
        let work = async {
            let mut connection = Connection::open(self.address).await?;
            connection.exchange(&self, sink).await
        };
        let end = tokio::time::timeout(PATIENCE, work).await;
        end.map_err(|_| Trouble::new(format!("{what}: no whole answer within {} s", PATIENCE.as_secs())))?
            .map_err(|trouble| Trouble::new(format!("{what}: {trouble:?}")))
    }

    fn authorization(self, value: String) -> Request {
        self.anonymous().header("Authorization", value)
    }

    /// The bytes before the body.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        let named = |wanted: &str| self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
        if !named("host") {
            head.push_str(&format!("Host: {}\r\n", self.address));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match &self.body {
            Body::Sized(pieces) if !named("content-length") => {
                head.push_str(&format!("Content-Length: {}\r\n", pieces.iter().map(Bytes::len).sum::<usize>()));
            }
            Body::Chunked(_) if !named("transfer-encoding") => head.push_str("Transfer-Encoding: chunked\r\n"),
            _ => (),
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// Base64 with padding: too small to be worth a dependency of the harness.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            match place <= group.len() {
                true => text.push(char::from(ALPHABET[bits >> (18 - 6 * place) & 63])),
                false => text.push('='),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_agrees_with_the_examples_of_its_standard() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (plain, coded) in cases {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
