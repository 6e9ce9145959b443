//! One call: built step by step, sent with bounded waits, redirects and retries.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Url};
use serde::Serialize;

use crate::address::{origin, same_origin};
use crate::answer::Answer;
use crate::client::Client;
use crate::error::{Error, innermost};
use crate::redirect;
use crate::source::Source;

/// A call that is not sent yet. Mistakes while building it come out of [`Request::send`].
#[derive(Debug)]
pub struct Request {
    client: Client,
    method: Method,
    url: Result<Url, Error>,
    headers: HeaderMap,
    secrets: HeaderMap,
    body: Option<Source>,
    repeatable: bool,
    accepted: Option<u16>,
    patience: Duration,
}

/// A failed attempt, and the pause that the server asked for.
struct Failed {
    error: Error,
    asked: Option<Duration>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, asked: None }
    }
}

impl Request {
    pub(crate) fn new(client: Client, method: Method, url: Result<Url, Error>) -> Self {
        let repeatable = method.is_idempotent();
        let patience = client.patience;
        Self {
            client,
            method,
            url,
            headers: HeaderMap::new(),
            secrets: HeaderMap::new(),
            body: None,
            repeatable,
            accepted: None,
            patience,
        }
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        if let Ok(url) = &mut self.url {
            url.query_pairs_mut().append_pair(name, value);
        }
        self
    }

    /// Sets a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => drop(self.headers.insert(name, value)),
            _ => self.url = Err(Error::Address(format!("the header {name} cannot be sent with this value"))),
        }
        self
    }

    /// Sets a header that, like the token, goes to the base's origin only.
    #[must_use]
    pub fn secret_header(mut self, name: &str, value: &model::Secret<String>) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value.expose())) {
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(true);
                self.secrets.insert(name, value);
            }
            _ => self.url = Err(Error::Address(format!("the header {name} cannot be sent with this value"))),
        }
        self
    }

    /// Sends `value` as JSON.
    #[must_use]
    pub fn json<T: Serialize>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => self.body = Some(Source::bytes(bytes.into())),
            Err(error) => self.url = Err(Error::Broken(format!("the request cannot be written as JSON: {error}"))),
        }
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self
    }

    /// Streams `source`, its length announced.
    #[must_use]
    pub fn body(mut self, source: Source) -> Self {
        self.body = Some(source);
        self
    }

    /// Marks the call with a fresh `Idempotency-Key`, so that it can be repeated without a second effect.
    #[must_use]
    pub fn once(self) -> Self {
        let key: model::VersionId = self.client.ambient.id();
        let mut marked = self.header("Idempotency-Key", &key.to_string());
        marked.repeatable = true;
        marked
    }

    /// Takes this status as an answer, not as a refusal.
    #[must_use]
    pub fn accept(mut self, status: u16) -> Self {
        self.accepted = Some(status);
        self
    }

    /// How long nothing may move before this call is given up.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends it, again where that may help. Any status but 2xx, 304 and the accepted one is an error.
    pub async fn send(self) -> Result<Answer, Error> {
        let url = self.url.clone()?;
        let mut attempt = 1;
        loop {
            let failed = match self.attempt(&url).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let Client { retry, ambient, .. } = &self.client;
            match retry.pause(attempt, &failed.error, failed.asked, self.repeatable, ambient) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(failed.error),
            }
            attempt += 1;
        }
    }

    /// One attempt, redirects included.
    async fn attempt(&self, url: &Url) -> Result<Answer, Failed> {
        let mut url = url.clone();
        for _ in 0..=redirect::MOST {
            let response = self.exchange(&url).await?;
            let status = response.status();
            if status.is_success() || status.as_u16() == 304 || self.accepted == Some(status.as_u16()) {
                return Ok(Answer::new(response, self.patience, origin(&url)));
            }
            match self.next_hop(&url, &response)? {
                Some(next) => url = next,
                None => return Err(self.refusal(response, &url).await),
            }
        }
        Err(Error::Broken("too many redirects".to_owned()).into())
    }

    /// Where a redirect leads. Only reads follow one.
    fn next_hop(&self, from: &Url, response: &reqwest::Response) -> Result<Option<Url>, Error> {
        let next = redirect::next(from, response)?;
        if next.is_some() && self.method != Method::GET && self.method != Method::HEAD {
            return Err(Error::Broken(format!(
                "{} sends a {} elsewhere: check the server's address",
                origin(from),
                self.method
            )));
        }
        Ok(next)
    }

    async fn exchange(&self, url: &Url) -> Result<reqwest::Response, Error> {
        let moved = Arc::new(AtomicU64::new(0));
        let mut request = self.client.http.request(self.method.clone(), url.clone()).headers(self.headers.clone());
        if same_origin(&self.client.base, url) {
            request = request.headers(self.secrets.clone());
            if let Some(token) = &self.client.token {
                request = request.header(AUTHORIZATION, bearer(token)?);
            }
        }
        if let Some(source) = &self.body {
            request = request.header(CONTENT_LENGTH, source.length).body(counted(source, &moved));
        }
        let sending = request.send();
        tokio::pin!(sending);
        let mut seen = 0;
        loop {
            match tokio::time::timeout(self.patience, &mut sending).await {
                Ok(answered) => return answered.map_err(|error| told(error, url)),
                Err(_) if moved.load(Ordering::Relaxed) == seen => return Err(Error::Timeout(origin(url))),
                Err(_) => seen = moved.load(Ordering::Relaxed),
            }
        }
    }

    async fn refusal(&self, response: reqwest::Response, url: &Url) -> Failed {
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let answer = Answer::new(response, self.patience, origin(url));
        Failed { error: answer.refusal().await, asked: asked.map(Duration::from_secs) }
    }
}

pub(crate) fn bearer(token: &model::Secret<String>) -> Result<HeaderValue, Error> {
    secret(&format!("Bearer {}", token.expose()))
}

/// A header's value that is printed nowhere.
pub(crate) fn secret(text: &str) -> Result<HeaderValue, Error> {
    let value = HeaderValue::try_from(text);
    let mut value = value.map_err(|_| Error::Address("the token holds characters that cannot be sent".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The body of one attempt; `moved` grows with what was taken.
fn counted(source: &Source, moved: &Arc<AtomicU64>) -> reqwest::Body {
    let moved = Arc::clone(moved);
    reqwest::Body::wrap_stream((source.open)().inspect(move |piece| {
        if let Ok(piece) = piece {
            moved.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
    }))
}

/// Our error for the library's, without its URL (presigned ones are secrets).
pub(crate) fn told(error: reqwest::Error, url: &Url) -> Error {
    let error = error.without_url();
    let why = innermost(&error);
    if error.is_connect() {
        return Error::Connect { origin: origin(url), why };
    }
    if error.is_timeout() {
        Error::Timeout(origin(url))
    } else {
        Error::Broken(format!("the exchange with {} broke: {why}", origin(url)))
    }
}
