//! The bytes of condemned blobs go, after a while.

use model::{CopyId, RepoId, Sha256Digest, TenantId, Timestamp};
use serde_json::json;

use super::is_needed;
use crate::error::Result;
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::value::Row;
use crate::{args, blobs, healing};

/// Blobs that were condemned until `before`, at most `limit`, the longest condemned first.
pub async fn condemned(session: &mut Session<'_>, before: Timestamp, limit: u32) -> Result<Vec<Sha256Digest>> {
    let sql = "SELECT digest FROM blobs WHERE condemned_at IS NOT NULL AND condemned_at <= $1
         ORDER BY condemned_at, digest LIMIT $2";
    session.rows(sql, args![before, limit]).await?.iter().map(|row| row.get(0)).collect()
}

/// Whether there are any.
pub async fn is_condemned(session: &mut Session<'_>, before: Timestamp) -> Result<bool> {
    Ok(!condemned(session, before, 1).await?.is_empty())
}

/// Removes the copies of condemned blobs, their places going to the trash; rows of blobs and entries stay. One that is
/// needed again is revived instead. Whatever the time since it was condemned, nothing that is needed goes.
#[derive(Clone, Debug)]
pub struct Remove {
    /// When, and the event.
    pub act: Act,
    /// Which.
    pub digests: Vec<Sha256Digest>,
    /// Those that were condemned later stay.
    pub before: Timestamp,
    /// Whether those go, too, that were read since they were let go. If not, they are told.
    pub although_read: bool,
}

/// What became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Blobs whose copies went.
    pub removed: u64,
    /// Their lengths.
    pub bytes: u64,
    /// What was read since it was let go, where, and whose.
    pub read: Vec<(TenantId, RepoId, Sha256Digest)>,
}

/// A copy to be removed: its place, its id, whether it is inline.
type Doomed = (String, CopyId, bool);

impl Write for Remove {
    type Out = Outcome;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Outcome> {
        let (mut outcome, mut doomed) = (Outcome::default(), Vec::new());
        let mut digests = self.digests.clone();
        digests.sort_unstable();
        for digest in digests {
            if let Some(length) = self.judge(tx, digest, &mut outcome).await? {
                doomed.extend(copies(tx, digest).await?);
                outcome.removed += 1;
                outcome.bytes += length;
            }
        }
        if outcome.removed == 0 {
            return Ok(outcome);
        }
        // Places are locked after all blobs, in their order.
        doomed.sort_unstable();
        for (place, copy, inline) in &doomed {
            healing::remove(tx, *copy, place, *inline, &self.act).await?;
        }
        let id = self.act.tenant.to_string();
        let detail = json!({"blobs": outcome.removed, "bytes": outcome.bytes});
        record(tx, &self.act, "blob.copies.removed", On { repo: None, kind: "tenant", id: &id }, &detail).await?;
        tx.touch_copies();
        Ok(outcome)
    }
}

impl Remove {
    /// Locks the blob. Its length, where its copies go.
    async fn judge(&self, tx: &mut Tx<'_>, digest: Sha256Digest, outcome: &mut Outcome) -> Result<Option<u64>> {
        let sql = "SELECT length, condemned_at FROM blobs WHERE digest = $1 FOR UPDATE";
        let Some(row) = tx.row(sql, args![digest]).await? else { return Ok(None) };
        let since: Option<Timestamp> = row.get(1)?;
        if since.is_none_or(|since| since > self.before) {
            return Ok(None);
        }
        if is_needed(tx, digest).await? {
            blobs::revive(tx, digest).await?;
            return Ok(None);
        }
        let read = if self.although_read { Vec::new() } else { read_since(tx, digest).await? };
        if !read.is_empty() {
            outcome.read.extend(read.into_iter().map(|(tenant, repo)| (tenant, repo, digest)));
            return Ok(None);
        }
        blobs::revive(tx, digest).await?;
        Ok(Some(row.get(0)?))
    }
}

async fn copies(tx: &mut Tx<'_>, digest: Sha256Digest) -> Result<Vec<Doomed>> {
    let rows = tx.rows("SELECT place, id, kind FROM copies WHERE digest = $1", args![digest]).await?;
    let doomed = |row: &Row| Ok((row.get(0)?, row.get(1)?, row.get::<String>(2)? == "inline"));
    rows.iter().map(doomed).collect()
}

/// Repositories that let go of the blob and have read it since.
async fn read_since(tx: &mut Tx<'_>, digest: Sha256Digest) -> Result<Vec<(TenantId, RepoId)>> {
    let sql = "SELECT DISTINCT r.tenant_id, r.id FROM entries e JOIN repositories r ON r.id = e.repo_id
         JOIN cached c ON c.repo_id = e.repo_id AND c.digest = e.digest
         WHERE e.digest = $1 AND c.evicted_at IS NOT NULL AND c.used_at > c.evicted_at ORDER BY r.tenant_id, r.id";
    tx.rows(sql, args![digest]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}
