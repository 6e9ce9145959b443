//! A look at how an answer begins, whatever its status.

use bytes::{Bytes, BytesMut};
use reqwest::Url;

use super::reply::Terms;
use super::{Call, Failure, Found, Question, Upstream, call};
use crate::address::origin;

/// The beginning of an answer.
#[derive(Debug, Default)]
pub struct Peeked {
    /// Its status: below 500, and none that asks for credentials or for patience.
    pub status: u16,
    /// `Content-Type` in lower case, without its parameters; empty when it was not told.
    pub media_type: String,
    /// Where it came from, redirects followed, as far as that may be shown: scheme, host and port.
    pub origin: String,
    /// The headers that were wanted, each at its place.
    pub headers: Vec<Option<String>>,
    /// The beginning of the body, at most what the question says. The rest is left where it is.
    pub body: Bytes,
}

impl Upstream {
    /// Asks for the beginning of an answer and some of its headers: for real, also while the breaker is open, of which
    /// it is the probe then.
    pub async fn peek(&self, question: Question<'_>, headers: &[&str]) -> Result<Peeked, Failure> {
        let own = &*self.0;
        let url = own.target(question.target)?;
        let place = own.gate.enter().await?;
        let (response, url) = own.follow(&Call { anyway: true, ..call(&question)? }, url).await?;
        let status = response.status().as_u16();
        if !matches!(status, 200..=299 | 400 | 402 | 404..=406 | 408..=428 | 430..=499) {
            return Err(Failure::status(origin(&url), status, own.after(&response)));
        }
        let header = |name: &&str| response.headers().get(*name)?.to_str().ok().map(str::to_owned);
        let headers = headers.iter().map(header).collect();
        let kind = header(&"content-type").unwrap_or_default();
        let media_type = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let from = origin(&url);
        let terms = Terms { compressed: true, most: u64::MAX, head: question.head };
        let body = match Found::new(response, Url::clone(&url), &terms, &own.limits, place) {
            Ok(found) => beginning(found, question.most).await,
            Err(failure) => Err(failure),
        };
        // What is not there need not be said well.
        let body = if status == 200 { body? } else { body.unwrap_or_default() };
        Ok(Peeked { status, media_type, origin: from, headers, body })
    }
}

async fn beginning(mut found: Found, most: u64) -> Result<Bytes, Failure> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut body = BytesMut::new();
    while body.len() < most {
        let Some(piece) = found.next().await? else { break };
        body.extend_from_slice(&piece);
    }
    body.truncate(most);
    Ok(body.freeze())
}
