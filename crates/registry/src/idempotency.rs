//! The same request sent twice has one effect and one answer.

use std::time::Duration;

use sha2::{Digest, Sha256};
use store::idempotency::{First, Keep, Release, Take};

use crate::call::Call;
use crate::error::{Error, Result};

/// After this long without an answer the first request counts as dead.
const DEAD: Duration = Duration::from_secs(120);

/// A key that was taken for this request.
pub struct Taken {
    call: Call,
    key: String,
}

/// What to do with a request that carries a key.
pub enum Idempotent {
    /// Do it, then settle the key.
    Do(Taken),
    /// Answer this again: status and JSON body.
    Answer(u16, String),
}

impl Call {
    /// Takes `key` for the request with these parts. 401 for nobody, 400 for a key that is none.
    pub async fn take_key(&self, key: &str, parts: &[&[u8]]) -> Result<Idempotent> {
        let principal = self.identity()?.principal;
        if key.is_empty() || key.len() > 255 || key.chars().any(char::is_control) {
            return Err(Error::bad_request("Idempotency-Key must have 1 to 255 printable characters"));
        }
        let mut request = Sha256::new();
        for part in parts {
            request.update((part.len() as u64).to_le_bytes());
            request.update(part);
        }
        let at = self.registry.now();
        let (key, request) = (key.to_owned(), request.finalize().into());
        let take = Take { principal, key: key.clone(), request, at, dead_before: at.minus(DEAD) };
        Ok(match self.registry.store().write(take).await? {
            First::Fresh => Idempotent::Do(Taken { call: self.clone(), key }),
            First::Answered { status, body } => Idempotent::Answer(u16::try_from(status).unwrap_or(200), body),
        })
    }
}

impl Taken {
    /// Keeps the first answer, for a day.
    pub async fn keep(self, status: u16, body: String) -> Result<()> {
        let principal = self.call.identity()?.principal;
        let keep = Keep { principal, key: self.key, status: u32::from(status), body };
        Ok(self.call.registry.store().write(keep).await?)
    }

    /// Gives the key back: the request was refused and changed nothing.
    pub async fn release(self) -> Result<()> {
        let principal = self.call.identity()?.principal;
        Ok(self.call.registry.store().write(Release { principal, key: self.key }).await?)
    }
}
