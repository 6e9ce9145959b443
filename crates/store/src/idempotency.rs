//! First answers to requests that carried an `Idempotency-Key`: how they end.

use model::Timestamp;

use crate::args;
use crate::error::Result;
use crate::session::{Session, Tx};
use crate::store::Write;

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
