//! A small HTTP/1.1 client: ordinary requests in a line, and raw bytes where a test is rude on purpose.

mod answer;
mod connection;
mod request;

use std::net::SocketAddr;

pub use answer::Answer;
pub use connection::Connection;
pub use request::Request;

use crate::Result;

/// Where the pieces of a body go; nowhere means that they are kept.
type Sink<'a> = Option<&'a mut (dyn FnMut(&[u8]) + Send)>;

/// A client of one server, speaking as nobody or as the holder of one token.
#[derive(Clone, Debug)]
pub struct Http {
    address: SocketAddr,
    token: Option<String>,
}

impl Http {
    /// Where it connects.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A client without credentials.
    pub fn new(address: SocketAddr) -> Http {
        Http { address, token: None }
    }

    /// The same client with a bearer token on every request.
    pub fn with_token(&self, token: &str) -> Http {
        Http { address: self.address, token: Some(token.to_string()) }
    }

    /// A GET of `path`, which is sent as it stands: percent signs, dots, spaces and all.
    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// A HEAD of `path`.
    pub fn head(&self, path: &str) -> Request {
        self.request("HEAD", path)
    }

    /// A PUT to `path`.
    pub fn put(&self, path: &str) -> Request {
        self.request("PUT", path)
    }

    /// A POST to `path`.
    pub fn post(&self, path: &str) -> Request {
        self.request("POST", path)
    }

    /// A PATCH of `path`.
    pub fn patch(&self, path: &str) -> Request {
        self.request("PATCH", path)
    }

    /// A DELETE of `path`.
    pub fn delete(&self, path: &str) -> Request {
        self.request("DELETE", path)
    }

    /// A request with any method.
    pub fn request(&self, method: &str, path: &str) -> Request {
        let request = Request::new(self.address, method, path);
        match &self.token {
            Some(token) => request.bearer(token),
            None => request,
        }
    }

    /// A connection for several requests, or for raw bytes.
    pub async fn connect(&self) -> Result<Connection> {
        Connection::open(self.address).await
    }
}
