//! First answers to requests that carried an `Idempotency-Key`.
//!
//! Whoever takes a key gets it for one attempt and gives signs of life while the request runs. A key
//! whose attempt has gone silent passes to the next request; from then on the old attempt can neither
//! answer nor give the key back.

use model::{Code, PrincipalId, Timestamp};

use uuid::Uuid;

use crate::args;
use crate::error::{Error, Result};
use crate::session::{Session, Tx};
use crate::store::Write;

/// A status that no answer has: the first request is still under way.
const UNDER_WAY: u32 = 0;

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// Nothing: go on, [`Renew`] meanwhile, then [`Keep`] or [`Release`].
    Fresh,
    /// The same request was answered before.
    Answered {
        /// The HTTP status.
        status: u32,
        /// The JSON body.
        body: String,
    },
}

/// Takes a key for a request. 409 while the first request with it is under way, 422 when it was used
/// for another request.
#[derive(Clone, Debug)]
pub struct Take {
    /// Whose key.
    pub principal: PrincipalId,
    /// The key.
    pub key: String,
    /// SHA-256 over method, address and body.
    pub request: [u8; 32],
    /// The name of this attempt: new each time.
    pub attempt: Uuid,
    /// Now.
    pub at: Timestamp,
    /// An attempt whose last sign of life is older than this has died.
    pub dead_before: Timestamp,
}

impl Write for Take {
    type Out = First;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<First> {
        let sql = "INSERT INTO idempotency (principal_id, key, request, status, body, attempt, created_at)
             VALUES ($1, $2, $3, $4, '', $7, $5)
             ON CONFLICT (principal_id, key) DO UPDATE SET created_at = $5, attempt = $7
             WHERE idempotency.status = $4 AND idempotency.request = $3 AND idempotency.created_at < $6";
        let args = args![self.principal, self.key, self.request, UNDER_WAY, self.at, self.dead_before, self.attempt];
        if tx.execute(sql, args).await? == 1 {
            return Ok(First::Fresh);
        }
        let sql = "SELECT request, status, body FROM idempotency WHERE principal_id = $1 AND key = $2";
        let row = tx.row(sql, args![self.principal, self.key]).await?;
        let row = row.ok_or_else(|| Error::Defect("an idempotency key vanished".to_owned()))?;
        if row.get::<Vec<u8>>(0)? != self.request {
            return Err(Error::refuse(Code::Unprocessable, "this Idempotency-Key was used for another request"));
        }
        match row.get::<u32>(1)? {
            UNDER_WAY => Err(Error::conflict(
                "the first request with this Idempotency-Key is still under way, or its outcome is not known yet: ask again in a minute",
            )),
            status => Ok(First::Answered { status, body: row.get(2)? }),
        }
    }
}

/// An attempt in hand: which key, whose, and the attempt that holds it.
#[derive(Clone, Debug)]
pub struct Hold {
    /// Whose key.
    pub principal: PrincipalId,
    /// The key.
    pub key: String,
    /// The attempt that took it.
    pub attempt: Uuid,
}

/// A sign of life of an attempt. `false`: the key has passed to another attempt.
#[derive(Clone, Debug)]
pub struct Renew {
    /// Which.
    pub hold: Hold,
    /// When it was alive.
    pub at: Timestamp,
}

impl Write for Renew {
    type Out = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool> {
        let Hold { principal, key, attempt } = &self.hold;
        let sql = "UPDATE idempotency SET created_at = $4
             WHERE principal_id = $1 AND key = $2 AND attempt = $3 AND status = $5";
        Ok(tx.execute(sql, args![*principal, *key, *attempt, self.at, UNDER_WAY]).await? == 1)
    }
}

/// Keeps the first answer. `false`: the key has passed to another attempt, nothing is kept.
#[derive(Clone, Debug)]
pub struct Keep {
    /// Which.
    pub hold: Hold,
    /// The HTTP status.
    pub status: u32,
    /// The JSON body.
    pub body: String,
}

impl Write for Keep {
    type Out = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool> {
        let Hold { principal, key, attempt } = &self.hold;
        let sql = "UPDATE idempotency SET status = $4, body = $5
             WHERE principal_id = $1 AND key = $2 AND attempt = $3 AND status = $6";
        Ok(tx.execute(sql, args![*principal, *key, *attempt, self.status, self.body, UNDER_WAY]).await? == 1)
    }
}

/// Gives a key back after a request that changed nothing. `false`: it has passed to another attempt.
#[derive(Clone, Debug)]
pub struct Release {
    /// Which.
    pub hold: Hold,
}

impl Write for Release {
    type Out = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool> {
        let Hold { principal, key, attempt } = &self.hold;
        let sql = "DELETE FROM idempotency WHERE principal_id = $1 AND key = $2 AND attempt = $3 AND status = $4";
        Ok(tx.execute(sql, args![*principal, *key, *attempt, UNDER_WAY]).await? == 1)
    }
}

/// Whether an answer older than `before` is still kept.
pub async fn is_due(session: &mut Session<'_>, before: Timestamp) -> Result<bool> {
    Ok(session.row("SELECT 1 FROM idempotency WHERE created_at < $1 LIMIT 1", args![before]).await?.is_some())
}

/// Forgets up to `limit` answers older than `before`. Returns how many.
#[derive(Clone, Debug)]
pub struct Forget {
    /// The first moment that is kept.
    pub before: Timestamp,
    /// Answers at most.
    pub limit: u32,
}

impl Write for Forget {
    type Out = u64;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let sql = "DELETE FROM idempotency WHERE (principal_id, key) IN
             (SELECT principal_id, key FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
        tx.execute(sql, args![self.before, self.limit]).await
    }
}
