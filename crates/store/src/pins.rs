//! Pins: bytes that were received for a repository and that no version has entered yet.

use std::collections::BTreeSet;

use model::{RepoId, Sha256Digest, TenantId, Timestamp};
use serde_json::json;

use crate::admission::{self, Allowance};
use crate::args;
use crate::error::Result;
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;

/// Whether a pin has ended.
pub async fn is_due(session: &mut Session<'_>, at: Timestamp) -> Result<bool> {
    Ok(session.row("SELECT 1 FROM pins WHERE until <= $1 LIMIT 1", args![at]).await?.is_some())
}

/// Drops up to `limit` pins that have ended. What they hold of the tenant's bytes allowance is given
/// back (a version that was published meanwhile holds its own); the blobs themselves stay until they are collected.
/// Returns how many pins went.
#[derive(Clone, Debug)]
pub struct Expire {
    /// When, and the event.
    pub act: Act,
    /// Pins at most.
    pub limit: u32,
}

struct Due {
    repo: RepoId,
    digest: Sha256Digest,
    tenant: TenantId,
}

impl Write for Expire {
    type Out = u64;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let act = &self.act;
        let (mut dropped, mut unused) = (0u64, 0u64);
        let all = self.due(tx).await?;
        // Allowance before blob, as everywhere.
        for tenant in all.iter().map(|due| due.tenant).collect::<BTreeSet<_>>() {
            admission::lock(tx, tenant, Allowance::Bytes).await?;
        }
        for due in all {
            lock_blob(tx, due.digest).await?;
            let sql = "DELETE FROM pins WHERE repo_id = $1 AND digest = $2 AND until <= $3 RETURNING charged";
            let Some(row) = tx.row(sql, args![due.repo, due.digest, act.at]).await? else { continue };
            let charged: u64 = row.get(0)?;
            admission::give_back(tx, due.tenant, Allowance::Bytes, charged).await?;
            (dropped, unused) = (dropped + 1, unused + charged);
        }
        if dropped > 0 {
            let id = act.tenant.to_string();
            let detail = json!({"pins": dropped, "bytesGivenBack": unused});
            record(tx, act, "upload.pins.expired", On { repo: None, kind: "tenant", id: &id }, &detail).await?;
        }
        Ok(dropped)
    }
}

impl Expire {
    async fn due(&self, tx: &mut Tx<'_>) -> Result<Vec<Due>> {
        let sql = "SELECT p.repo_id, p.digest, r.tenant_id FROM pins p JOIN repositories r ON r.id = p.repo_id
             WHERE p.until <= $1 ORDER BY p.digest, p.repo_id LIMIT $2";
        let rows = tx.rows(sql, args![self.act.at, self.limit]).await?;
        rows.iter().map(|row| Ok(Due { repo: row.get(0)?, digest: row.get(1)?, tenant: row.get(2)? })).collect()
    }
}

/// Whoever enters a blob locks its row too, so the two cannot miss each other.
async fn lock_blob(tx: &mut Tx<'_>, digest: Sha256Digest) -> Result<()> {
    tx.row("SELECT length FROM blobs WHERE digest = $1 FOR UPDATE", args![digest]).await.map(drop)
}
