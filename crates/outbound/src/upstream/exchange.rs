//! One request and its answer's head: within the walls, the breaker, the rate and the clock.

use std::io::ErrorKind;
use std::time::Duration;

use model::Secret;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, Url};
use tokio::time::timeout;

use super::challenge::Challenge;
use super::failure::Failure;
use super::reply::http_date;
use super::resolver::Walled;
use super::tokens::{Purpose, Token};
use super::walls::{CLOSED_ADDRESS, forbidden};
use super::{Call, Inner};
use crate::address::origin;
use crate::answer::Answer;
use crate::request::told;

/// Bytes that the answer of a token service may have.
const TOKEN_LIMIT: usize = 256 * 1024;

impl Inner {
    /// Sends `call` to `url`, showing `shown`, and settles with the breaker.
    pub(crate) async fn exchange(
        &self,
        call: &Call,
        url: &Url,
        shown: Option<HeaderValue>,
    ) -> Result<Response, Failure> {
        self.checked(url).await?;
        let admission = self.breakers.admit(origin(url), call.anyway).await?;
        self.gate.pace().await?;
        let response = match self.send(call, url, shown).await {
            Ok(response) => response,
            Err(failure @ Failure::Forbidden { .. }) => return Err(failure),
            Err(failure) => {
                admission.failed(None);
                return Err(failure);
            }
        };
        match response.status().as_u16() {
            429 => admission.failed(self.after(&response)),
            500..=599 => admission.failed(None),
            _ => admission.succeeded(),
        }
        if size(response.headers()) > self.limits.headers {
            return Err(Failure::Broken(format!("the headers of {} are too long", origin(url))));
        }
        Ok(response)
    }

    /// How long the answer asks us to stay away.
    pub(crate) fn after(&self, response: &Response) -> Option<Duration> {
        let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
        let seconds = text.parse().ok().map(Duration::from_secs);
        seconds.or_else(|| Some(http_date(text)?.since(self.ambient.now())))
    }

    /// The token that `challenge` from `challenger` asks for; `rejected` is one that was just refused; `anyway`:
    /// also while the breaker is open.
    pub(crate) async fn token(
        &self,
        challenger: &Url,
        challenge: Challenge,
        rejected: Option<&Secret<String>>,
        anyway: bool,
    ) -> Result<Secret<String>, Failure> {
        let purpose = Purpose { origin: origin(challenger), challenge: challenge.clone() };
        let fetch = self.fetch_token(challenger, &challenge, anyway);
        self.tokens.get(purpose, rejected, self.ambient.now(), fetch).await
    }

    async fn fetch_token(&self, challenger: &Url, challenge: &Challenge, anyway: bool) -> Result<Token, Failure> {
        let broken = |why: &str| Failure::Broken(format!("{} {why}", origin(challenger)));
        // A realm that is no address is a word for people: there is no token to be had, and what was refused is refused.
        let Ok(mut realm) = Url::parse(&challenge.realm) else {
            return Err(Failure::status(origin(challenger), 401, None));
        };
        if challenger.scheme() == "https" && realm.scheme() == "http" {
            return Err(broken("names a token service without TLS"));
        }
        for (name, value) in [("service", &challenge.service), ("scope", &challenge.scope)] {
            if let Some(value) = value {
                realm.query_pairs_mut().append_pair(name, value);
            }
        }
        let call = Call { method: Method::GET, headers: HeaderMap::new(), anyway };
        let response = self.exchange(&call, &realm, self.bound.to_realm(&realm, challenger)).await?;
        let (status, after) = (response.status().as_u16(), self.after(&response));
        if status != 200 {
            return Err(Failure::status(origin(&realm), status, after));
        }
        let body = Answer::new(response, self.limits.stall, origin(&realm)).bounded(TOKEN_LIMIT).await?;
        let odd = || Failure::Broken(format!("the token service {} gave no token", origin(&realm)));
        Token::read(&body, self.ambient.now()).ok_or_else(odd)
    }

    async fn checked(&self, url: &Url) -> Result<(), Failure> {
        let late = |_| Failure::Timeout(origin(url));
        timeout(self.limits.connect, self.resolver.check(url)).await.map_err(late)?
    }

    /// Sends it, once more where the connection broke before an answer began.
    async fn send(&self, call: &Call, url: &Url, shown: Option<HeaderValue>) -> Result<Response, Failure> {
        let mut again = true;
        loop {
            let mut request = self.http.request(call.method.clone(), url.clone()).headers(call.headers.clone());
            if let Some(shown) = &shown {
                request = request.header(AUTHORIZATION, shown.clone());
            }
            let answered = timeout(self.limits.answer, request.send()).await;
            match answered.map_err(|_| Failure::Timeout(origin(url)))? {
                Ok(response) => return Ok(response),
                Err(error) if again && torn(&error) => again = false,
                Err(error) if causes(&error).any(|cause| cause.is::<Walled>()) => {
                    return Err(forbidden(url, CLOSED_ADDRESS));
                }
                Err(error) => return Err(told(error, url).into()),
            }
        }
    }
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// What the library says when a connection ended before the head of an answer was there. Its type for that is no part
/// of what it shows; a test sees whether the words are still these.
const ENDED: &str = "connection closed before message completed";

/// Whether the connection broke before the head of an answer was there.
fn torn(error: &reqwest::Error) -> bool {
    let reset = |error: &std::io::Error| {
        matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe)
    };
    let broken = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref().is_some_and(reset) || cause.to_string() == ENDED
    };
    !error.is_connect() && !error.is_timeout() && causes(error).any(broken)
}

fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}
