//! What came back: status, headers, and a body that streams.

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::error::{Error, Problem, innermost};

/// The largest JSON answer that is read into memory.
const JSON_LIMIT: usize = 32 * 1024 * 1024;

/// The most of a refusal's body that is read.
const REFUSAL_LIMIT: usize = 64 * 1024;

/// An answer whose body has not been read yet.
#[derive(Debug)]
pub struct Answer {
    response: reqwest::Response,
    patience: Duration,
    origin: String,
}

impl Answer {
    pub(crate) fn new(response: reqwest::Response, patience: Duration, origin: String) -> Self {
        Self { response, patience, origin }
    }

    /// The status, e.g. 200.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// A header's text, if it is there and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// The announced length of the body, if it is known.
    pub fn length(&self) -> Option<u64> {
        self.header("content-length").and_then(|text| text.parse().ok())
    }

    /// The next piece of the body; none at its end. A body cut short is an error.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let piece = tokio::time::timeout(self.patience, self.response.chunk()).await;
        let piece = piece.map_err(|_| Error::Timeout(self.origin.clone()))?;
        piece.map_err(|error| {
            let why = innermost(&error.without_url());
            Error::Broken(format!("the exchange with {} broke: {why}", self.origin))
        })
    }

    /// The whole body as JSON (at most 32 MiB).
    pub async fn json<T: DeserializeOwned>(mut self) -> Result<T, Error> {
        let bytes = self.bounded(JSON_LIMIT).await?;
        let strange = |error| Error::Broken(format!("the answer of {} is not what was expected: {error}", self.origin));
        model::json::from_slice(&bytes).map_err(strange)
    }

    /// The refusal that this answer is.
    pub(crate) async fn refusal(mut self) -> Error {
        let body = self.read(REFUSAL_LIMIT).await.unwrap_or_default();
        let plain = self.header("content-type").is_some_and(|kind| kind.starts_with("text/plain"));
        let problem = Problem::read(self.response.status(), self.header("x-correlation-id"), &body, plain);
        Error::Problem(Box::new(problem))
    }

    /// The whole body; a longer one than `limit` is an error.
    pub(crate) async fn bounded(&mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let bytes = self.read(limit).await?;
        match bytes.len() > limit {
            true => Err(Error::Broken(format!("the answer of {} is too large", self.origin))),
            false => Ok(bytes),
        }
    }

    /// The body, until it is longer than `limit`.
    async fn read(&mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.next().await? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > limit {
                break;
            }
        }
        Ok(bytes)
    }
}
