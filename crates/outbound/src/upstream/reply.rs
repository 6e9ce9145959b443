//! What an upstream answered, and its body within the bounds of the question.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use model::Timestamp;
use reqwest::Url;
use reqwest::header::HeaderMap;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::coding::Decoder;
use super::failure::Failure;
use super::settings::Limits;
use crate::address::origin;
use crate::answer::Answer;

/// An answer of an upstream.
#[derive(Debug)]
pub enum Reply {
    /// 200: it is there.
    Found(Box<Found>),
    /// 304: what the question's `etag` stands for is still what is at this address, to which it led.
    Unchanged(String),
    /// 404 or 410: there is none.
    Missing,
}

/// What is there: its headers, and a body that streams. It keeps one of the upstream's places until it is read
/// to its end or dropped.
pub struct Found {
    answer: Answer,
    address: Url,
    origin: String,
    decoder: Decoder,
    coded: bool,
    left: u64,
    pace: Pace,
    broken: Option<Failure>,
    place: Option<OwnedSemaphorePermit>,
}

/// What a question says of the body that it wants.
pub(crate) struct Terms {
    pub(crate) compressed: bool,
    pub(crate) most: u64,
    pub(crate) head: bool,
}

impl Found {
    /// Checks the head of a 200.
    pub(crate) fn new(
        response: reqwest::Response,
        address: Url,
        terms: &Terms,
        limits: &Limits,
        place: OwnedSemaphorePermit,
    ) -> Result<Self, Failure> {
        let origin = origin(&address);
        let coded = coding(response.headers(), terms.compressed)
            .ok_or_else(|| odd(&origin, "is coded in a way that was not asked for"))?;
        if !terms.head && !coded && !delimited(response.headers()) {
            return Err(odd(&origin, "has no length, so that nobody could tell when it is cut short"));
        }
        let framings = ["content-length", "transfer-encoding"];
        if !terms.head && framings.iter().all(|framing| response.headers().contains_key(*framing)) {
            return Err(odd(&origin, "says in two ways where it ends"));
        }
        let answer = Answer::new(response, limits.stall, origin.clone());
        let left = if terms.head { 0 } else { terms.most };
        if !terms.head && answer.length().is_some_and(|length| length > terms.most) {
            return Err(odd(&origin, TOO_LONG));
        }
        let (decoder, pace) = (Decoder::new(coded && !terms.head), Pace::new(limits));
        Ok(Self { answer, address, origin, decoder, coded, left, pace, broken: None, place: Some(place) })
    }

    /// A header's text, if it is there and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.answer.header(name)
    }

    /// `ETag`, verbatim: for the next question's `etag`. `None` for what is no entity tag, such as `*`.
    pub fn etag(&self) -> Option<&str> {
        self.header("etag").filter(|etag| {
            let tag = etag.strip_prefix("W/").unwrap_or(etag);
            tag.len() > 1 && tag.starts_with('"') && tag.ends_with('"')
        })
    }

    /// `Last-Modified`, if it is a date.
    pub fn changed_at(&self) -> Option<Timestamp> {
        http_date(self.header("last-modified")?)
    }

    /// `Content-Type` in lower case, without its parameters; empty when it was not told.
    pub fn media_type(&self) -> String {
        let kind = self.header("content-type").unwrap_or_default();
        kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// The announced length of the body in bytes; none when it is not known, as for a coded one.
    pub fn length(&self) -> Option<u64> {
        self.answer.length().filter(|_| !self.coded)
    }

    /// Where the answer came from, redirects followed. It may be presigned: not for logs.
    pub fn address(&self) -> &str {
        self.address.as_str()
    }

    /// The next piece of the body, without its coding; none at its end, which was reached only if all of it came.
    /// After a failure the same failure comes again.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        if let Some(broken) = &self.broken {
            return Err(broken.clone());
        }
        let piece = self.piece().await;
        match &piece {
            Ok(Some(_)) => {}
            Ok(None) => self.place = None,
            Err(failure) => {
                self.broken = Some(failure.clone());
                self.place = None;
            }
        }
        piece
    }

    /// The whole body in memory: at most what the question said.
    pub async fn whole(mut self) -> Result<Bytes, Failure> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            if let Some(piece) = self.decoder.step().map_err(|_| odd(&self.origin, BADLY_CODED))? {
                return self.counted(piece).map(Some);
            }
            let asked = Instant::now();
            let Some(piece) = self.answer.next().await? else {
                let rest = self.decoder.finish().map_err(|_| odd(&self.origin, BADLY_CODED))?;
                return rest.map(|rest| self.counted(rest)).transpose();
            };
            if self.pace.crawls(asked.elapsed(), piece.len()) {
                return Err(Failure::Timeout(self.origin.clone()));
            }
            self.decoder.feed(piece);
        }
    }

    fn counted(&mut self, piece: Bytes) -> Result<Bytes, Failure> {
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(length).ok_or_else(|| odd(&self.origin, TOO_LONG))?;
        Ok(piece)
    }
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Found({})", self.origin)
    }
}

const TOO_LONG: &str = "is longer than anything that belongs there";
const BADLY_CODED: &str = "is not the gzip that it says it is";

fn odd(origin: &str, why: &str) -> Failure {
    Failure::Broken(format!("the answer of {origin} {why}"))
}

/// Whether the body is gzip; none: it is coded otherwise, or although plain bytes were asked for.
fn coding(headers: &HeaderMap, compressed: bool) -> Option<bool> {
    let mut gzip = false;
    for value in headers.get_all("content-encoding") {
        match value.to_str().ok()?.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => {}
            "gzip" | "x-gzip" if compressed && !gzip => gzip = true,
            _ => return None,
        }
    }
    Some(gzip)
}

/// Whether the end of the body can be told from a connection that broke.
fn delimited(headers: &HeaderMap) -> bool {
    headers.contains_key("content-length") || headers.contains_key("transfer-encoding")
}

/// How fast a body comes: slowness is counted while we wait for it, not while we are busy with it.
struct Pace {
    slowest: u64,
    patience: Duration,
    waited: Duration,
    came: u64,
}

impl Pace {
    fn new(limits: &Limits) -> Self {
        Self { slowest: limits.slowest, patience: limits.stall, waited: Duration::ZERO, came: 0 }
    }

    fn crawls(&mut self, waited: Duration, came: usize) -> bool {
        self.waited += waited;
        self.came += came as u64;
        let counted = self.waited.saturating_sub(self.patience);
        u128::from(self.came) < counted.as_millis() * u128::from(self.slowest) / 1000
    }
}

/// A date of HTTP (RFC 9110, section 5.6.7).
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    let time = httpdate::parse_http_date(text.trim()).ok()?;
    Some(Timestamp(0).plus(time.duration_since(std::time::UNIX_EPOCH).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_may_be_slow_for_a_while_but_not_crawl() {
        let limits = Limits { stall: Duration::from_secs(30), slowest: 1000, ..Limits::default() };
        let mut pace = Pace::new(&limits);
        assert!(!pace.crawls(Duration::from_secs(30), 1));
        assert!(!pace.crawls(Duration::from_secs(1), 999));
        assert!(pace.crawls(Duration::from_secs(2), 1));
        let mut quick = Pace::new(&limits);
        assert!(!quick.crawls(Duration::from_secs(3600), 4_000_000));
    }

    #[test]
    fn dates_are_read() {
        assert_eq!(http_date("Fri, 21 Nov 2025 04:40:00 GMT"), Timestamp::parse("2025-11-21T04:40:00Z"));
        assert_eq!(http_date("yesterday"), None);
    }
}
