//! First answers to requests that carried an `Idempotency-Key`.

use model::{Code, PrincipalId, Timestamp};

use crate::args;
use crate::error::{Error, Result};
use crate::session::{Session, Tx};
use crate::store::Write;

/// A status that no answer has: the first request is still under way.
const UNDER_WAY: u32 = 0;

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// Nothing: go on, then [`Keep`] or [`Release`].
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
    /// Now.
    pub at: Timestamp,
    /// A request that began before this has died.
    pub dead_before: Timestamp,
}

impl Write for Take {
    type Out = First;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<First> {
        let sql = "INSERT INTO idempotency (principal_id, key, request, status, body, created_at) VALUES ($1, $2, $3, $4, '', $5)
             ON CONFLICT (principal_id, key) DO UPDATE SET created_at = $5
             WHERE idempotency.status = $4 AND idempotency.request = $3 AND idempotency.created_at < $6";
        let args = args![self.principal, self.key, self.request, UNDER_WAY, self.at, self.dead_before];
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
            UNDER_WAY => Err(Error::conflict("the first request with this Idempotency-Key is still under way")),
            status => Ok(First::Answered { status, body: row.get(2)? }),
        }
    }
}

/// Keeps the first answer.
#[derive(Clone, Debug)]
pub struct Keep {
    /// Whose key.
    pub principal: PrincipalId,
    /// The key.
    pub key: String,
    /// The HTTP status.
    pub status: u32,
    /// The JSON body.
    pub body: String,
}

impl Write for Keep {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let sql = "UPDATE idempotency SET status = $3, body = $4 WHERE principal_id = $1 AND key = $2 AND status = $5";
        tx.execute(sql, args![self.principal, self.key, self.status, self.body, UNDER_WAY]).await.map(drop)
    }
}

/// Gives a key back after a request that changed nothing.
#[derive(Clone, Debug)]
pub struct Release {
    /// Whose key.
    pub principal: PrincipalId,
    /// The key.
    pub key: String,
}

impl Write for Release {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let sql = "DELETE FROM idempotency WHERE principal_id = $1 AND key = $2 AND status = $3";
        tx.execute(sql, args![self.principal, self.key, UNDER_WAY]).await.map(drop)
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
