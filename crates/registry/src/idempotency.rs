//! The same request sent twice has one effect and one answer.

use std::pin::pin;
use std::time::Duration;

use sha2::{Digest, Sha256};
use store::idempotency::{First, Hold, Keep, Release, Renew, Take};

use crate::call::Call;
use crate::error::{Error, Result};

/// After this long without a sign of life the first request counts as dead.
const DEAD: Duration = Duration::from_secs(60);
/// After an answer that does not say whether anything was changed, the key stays taken so long: until
/// the database has committed or given up what was under way.
const DOUBT: Duration = Duration::from_secs(15);

/// A key that was taken for this request.
pub struct Taken {
    call: Call,
    hold: Hold,
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
        // A request may hold a password that could be guessed from a plain hash.
        request.update(self.registry.inner.seal.pepper());
        for part in parts {
            request.update((part.len() as u64).to_le_bytes());
            request.update(part);
        }
        let (at, attempt) = (self.registry.now(), self.registry.ambient().id());
        let (key, request) = (key.to_owned(), request.finalize().into());
        let hold = Hold { principal, key: key.clone(), attempt };
        let take = Take { principal, key, request, attempt, at, dead_before: at.minus(DEAD) };
        Ok(match self.registry.store().write(take).await? {
            First::Fresh => Idempotent::Do(Taken { call: self.clone(), hold }),
            First::Answered { status, body } => Idempotent::Answer(u16::try_from(status).unwrap_or(200), body),
        })
    }
}

impl Taken {
    /// Does `work`, the request, and gives signs of life meanwhile, however long it takes.
    pub async fn holding<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            if let Ok(done) = tokio::time::timeout(DEAD / 3, &mut work).await {
                return done;
            }
            match self.renew(self.call.registry.now()).await {
                Ok(true) => {}
                Ok(false) => tracing::warn!("an Idempotency-Key passed to another request while this one ran"),
                Err(error) => tracing::warn!(%error, "an Idempotency-Key could not be held on to"),
            }
        }
    }

    async fn renew(&self, at: model::Timestamp) -> Result<bool> {
        Ok(self.call.registry.store().write(Renew { hold: self.hold.clone(), at }).await?)
    }

    /// Keeps the first answer, for a day. Nothing happens when the key has passed to another request.
    pub async fn keep(self, status: u16, body: String) -> Result<()> {
        let keep = Keep { hold: self.hold, status: u32::from(status), body };
        self.call.registry.store().write(keep).await?;
        Ok(())
    }

    /// Gives the key back: the request was refused and certainly changed nothing.
    pub async fn release(self) -> Result<()> {
        self.call.registry.store().write(Release { hold: self.hold }).await?;
        Ok(())
    }

    /// Nobody knows whether the request changed anything: the key stays taken for a little while, so that a
    /// repetition meets what was done, not what is being done.
    pub async fn leave_in_doubt(self) -> Result<()> {
        let at = self.call.registry.now().minus(DEAD).plus(DOUBT);
        self.renew(at).await?;
        Ok(())
    }
}
