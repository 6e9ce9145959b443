//! Pins: bytes that were received for a repository and that no version has entered yet.

use std::collections::BTreeMap;

use model::{RepoId, Sha256Digest, TenantId, Timestamp};
use serde_json::json;

use crate::admission::{self, Allowance};
use crate::args;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;

/// Whether a pin has ended.
pub async fn is_due(session: &mut Session<'_>, at: Timestamp) -> Result<bool> {
    Ok(session.row("SELECT 1 FROM pins WHERE until <= $1 LIMIT 1", args![at]).await?.is_some())
}

/// Looks at up to `limit` pins that have ended. One that a draft still needs (also a withdrawn draft,
/// whose entries stay) is kept until `keep_until`: nothing else pays for those bytes. Of the others, what
/// they hold of the tenant's bytes allowance is given back (a version that was published meanwhile holds
/// its own); the blobs themselves stay until they are collected. Returns how many it looked at.
#[derive(Clone, Debug)]
pub struct Expire {
    /// When, and the event.
    pub act: Act,
    /// Pins at most.
    pub limit: u32,
    /// When those that are kept are looked at again.
    pub keep_until: Timestamp,
}

/// Lets go of a blob that was uploaded to a repository and is in no published version there; later it is
/// collected. 404 when the repository never held it, 409 while a published version does.
#[derive(Clone, Debug)]
pub struct LetGo {
    /// Who and when.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// The blob.
    pub digest: Sha256Digest,
}

impl Write for LetGo {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let (act, id) = (&self.act, self.digest.to_string());
        lock_blob(tx, self.digest).await?;
        let sql = "SELECT v.state FROM entries e JOIN versions v ON v.id = e.version_id
             WHERE e.digest = $1 AND e.repo_id = $2 ORDER BY v.state = 'published' DESC LIMIT 1";
        let state: Option<String> =
            tx.row(sql, args![self.digest, self.repo]).await?.map(|row| row.get(0)).transpose()?;
        if state.as_deref() == Some("published") {
            return Err(Error::conflict(format!("sha256:{id} is part of a published version: withdraw that")));
        }
        let sql = "DELETE FROM pins WHERE repo_id = $1 AND digest = $2 RETURNING charged";
        match (tx.row(sql, args![self.repo, self.digest]).await?, state) {
            (Some(row), _) => {
                admission::give_back(tx, act.tenant, Allowance::Bytes, row.get(0)?).await?;
                let on = On { repo: Some(self.repo), kind: "blob", id: &id };
                record(tx, act, "upload.pin.ended", on, &json!({"digest": self.digest})).await
            }
            (None, Some(_)) => Ok(()),
            (None, None) => Err(Error::not_found(&format!("sha256:{id}"))),
        }
    }
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
        let (mut dropped, mut unused) = (0u64, BTreeMap::new());
        let all = self.due(tx).await?;
        let looked_at = all.len() as u64;
        for due in all {
            lock_blob(tx, due.digest).await?;
            if needed(tx, due.repo, due.digest).await? {
                let sql = "UPDATE pins SET until = $4 WHERE repo_id = $1 AND digest = $2 AND until <= $3";
                tx.execute(sql, args![due.repo, due.digest, act.at, self.keep_until]).await?;
                continue;
            }
            let sql = "DELETE FROM pins WHERE repo_id = $1 AND digest = $2 AND until <= $3 RETURNING charged";
            let Some(row) = tx.row(sql, args![due.repo, due.digest, act.at]).await? else { continue };
            let charged: u64 = row.get(0)?;
            *unused.entry(due.tenant).or_default() += charged;
            dropped += 1;
        }
        // Blobs before allowances, as everywhere.
        for (tenant, charged) in &unused {
            admission::give_back(tx, *tenant, Allowance::Bytes, *charged).await?;
        }
        if dropped > 0 {
            let id = act.tenant.to_string();
            let detail = json!({"pins": dropped, "bytesGivenBack": unused.values().sum::<u64>()});
            record(tx, act, "upload.pins.expired", On { repo: None, kind: "tenant", id: &id }, &detail).await?;
        }
        Ok(looked_at)
    }
}

impl Expire {
    async fn due(&self, tx: &mut Tx<'_>) -> Result<Vec<Due>> {
        let sql =
            "WITH due AS MATERIALIZED (SELECT repo_id, digest FROM pins WHERE until <= $1 ORDER BY until LIMIT $2)
             SELECT d.repo_id, d.digest, r.tenant_id FROM due d JOIN repositories r ON r.id = d.repo_id
             ORDER BY d.digest, d.repo_id";
        let rows = tx.rows(sql, args![self.act.at, self.limit]).await?;
        rows.iter().map(|row| Ok(Due { repo: row.get(0)?, digest: row.get(1)?, tenant: row.get(2)? })).collect()
    }
}

/// Whether a version that was never published needs the bytes: no version pays for them yet.
async fn needed(tx: &mut Tx<'_>, repo: RepoId, digest: Sha256Digest) -> Result<bool> {
    let sql = "SELECT 1 WHERE EXISTS (SELECT 1 FROM entries e JOIN versions v ON v.id = e.version_id
            WHERE e.digest = $2 AND e.repo_id = $1 AND v.state <> 'collected' AND v.published_at IS NULL)
         OR EXISTS (SELECT 1 FROM manifests m JOIN versions v ON v.id = m.version_id
            WHERE m.blob_digest = $2 AND v.repo_id = $1 AND v.state <> 'collected' AND v.published_at IS NULL)";
    Ok(tx.row(sql, args![repo, digest]).await?.is_some())
}

/// Whoever enters a blob locks its row too, so the two cannot miss each other.
async fn lock_blob(tx: &mut Tx<'_>, digest: Sha256Digest) -> Result<()> {
    tx.row("SELECT length FROM blobs WHERE digest = $1 FOR UPDATE", args![digest]).await.map(drop)
}
