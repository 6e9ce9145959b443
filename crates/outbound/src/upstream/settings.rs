//! What an upstream needs to know, and the question that is put to it.

use std::num::NonZeroU32;
use std::time::Duration;

use model::Secret;

use super::credentials::Credentials;
use super::walls::Walls;
use crate::proxies::Proxies;
use crate::trust::Trust;

/// What reading from an upstream takes. Not printable: a proxy's address may hold a password.
#[derive(Clone)]
pub struct UpstreamSettings {
    /// Its base address: `http` or `https`, without credentials, query or fragment.
    pub address: String,
    /// Who we are; goes to the address's origin only.
    pub credentials: Option<Credentials>,
    /// The address of a token service on another origin, the only other one that may see the credentials.
    pub realm: Option<String>,
    /// Which private networks it may lead to.
    pub walls: Walls,
    /// Whom we believe.
    pub trust: Trust,
    /// More authorities for this upstream alone: certificates as PEM text.
    pub extra_ca: Option<String>,
    /// The system's proxies; they may be anywhere.
    pub proxies: Proxies,
    /// A proxy for this upstream alone, in place of the system's: an `http` or `https` address, within the walls.
    pub proxy: Option<Secret<String>>,
    /// How much and how long.
    pub limits: Limits,
    /// What we call ourselves.
    pub user_agent: String,
}

impl UpstreamSettings {
    /// The usual settings for the upstream at `address`.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            credentials: None,
            realm: None,
            walls: Walls::default(),
            trust: Trust::default(),
            extra_ca: None,
            proxies: Proxies::default(),
            proxy: None,
            limits: Limits::default(),
            user_agent: crate::client::USER_AGENT.to_owned(),
        }
    }
}

/// The bounds of what is asked and taken.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long connecting may take: name, TCP and TLS.
    pub connect: Duration,
    /// How long a request waits for the head of its answer, connecting included.
    pub answer: Duration,
    /// How long a body may pause.
    pub stall: Duration,
    /// Bytes per second that a body must bring on average, after a first `stall` of waiting.
    pub slowest: u64,
    /// Bytes that the headers of an answer may have in all.
    pub headers: usize,
    /// Questions at one time.
    pub at_once: usize,
    /// How long a question waits for its place or turn.
    pub wait: Duration,
    /// Requests in a second; none: any number.
    pub rate: Option<NonZeroU32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            stall: Duration::from_secs(30),
            slowest: 1024,
            headers: 64 * 1024,
            at_once: 32,
            wait: Duration::from_secs(30),
            rate: None,
        }
    }
}

/// A question to an upstream. Not printable: its target may be presigned.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Where: a percent-encoded path beneath the upstream's address without a slash at its beginning, or a whole
    /// `http` or `https` address.
    pub target: &'a str,
    /// `Accept`; empty: anything.
    pub accept: &'a str,
    /// `If-None-Match`: the entity tag of what we have, verbatim.
    pub etag: Option<&'a str>,
    /// Whether the body may come as gzip, to be undone here. For files it may not: their bytes are what counts.
    pub compressed: bool,
    /// Bytes that the body may have, its coding undone.
    pub most: u64,
    /// Whether only the head of the answer is wanted.
    pub head: bool,
}

impl<'a> Question<'a> {
    /// For a file: its plain bytes, at most `most`.
    pub fn file(target: &'a str, most: u64) -> Self {
        Self { target, accept: "", etag: None, compressed: false, most, head: false }
    }

    /// For a document that tells of files: it may come as gzip.
    pub fn index(target: &'a str, accept: &'a str, most: u64) -> Self {
        Self { accept, compressed: true, ..Self::file(target, most) }
    }
}
