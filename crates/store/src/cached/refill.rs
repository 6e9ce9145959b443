//! What was let go comes again.

use model::{RepoId, Sha256Digest, TenantId, Timestamp};
use serde_json::json;

use super::held_by_entries;
use crate::admission::{self, Allowance, Limits};
use crate::blobs::{self, NewBlob};
use crate::error::Result;
use crate::events::{Act, On, record};
use crate::session::Tx;
use crate::store::Write;
use crate::{args, repositories};

/// Bytes that a remote repository had let go of were fetched again, and are those that its entries name. They are paid
/// for again: 429 where there is no room.
#[derive(Clone, Debug)]
pub struct Refill {
    /// Who and when.
    pub act: Act,
    /// The repository.
    pub repo: RepoId,
    /// The bytes.
    pub blob: NewBlob,
    /// The limits to use where the tenant has none of its own.
    pub limits: Limits,
}

impl Write for Refill {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let (act, digest) = (&self.act, self.blob.digest);
        repositories::expect_living(tx, self.repo).await?;
        blobs::keep(tx, &self.blob, act.at).await?;
        let regained = enter(tx, self.repo, digest, self.blob.length, act.at).await?;
        admission::take(tx, act.tenant, Allowance::Bytes, regained, &self.limits, act.event.0.as_u128()).await?;
        let id = digest.to_string();
        let on = On { repo: Some(self.repo), kind: "blob", id: &id };
        record(tx, act, "blob.refetched", on, &json!({"digest": digest, "length": self.blob.length})).await
    }
}

/// What was let go and read again while its bytes were still there is kept. Whether it is; 429 where there is no room.
#[derive(Clone, Debug)]
pub struct Reclaim {
    /// When, and the event.
    pub act: Act,
    /// The tenant of the repository.
    pub tenant: TenantId,
    /// The repository.
    pub repo: RepoId,
    /// The blob.
    pub digest: Sha256Digest,
    /// The limits to use where the tenant has none of its own.
    pub limits: Limits,
}

impl Write for Reclaim {
    type Out = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool> {
        let (act, digest) = (&self.act, self.digest);
        let Some(length) = blobs::lock_good(tx, digest).await? else { return Ok(false) };
        let Some(regained) = regain(tx, self.repo, digest, act.at).await? else { return Ok(false) };
        blobs::revive(tx, digest).await?;
        admission::take(tx, self.tenant, Allowance::Bytes, regained, &self.limits, act.event.0.as_u128()).await?;
        let id = digest.to_string();
        let on = On { repo: Some(self.repo), kind: "blob", id: &id };
        record(tx, act, "blob.revived", on, &json!({"digest": digest, "length": length})).await?;
        Ok(true)
    }
}

/// A locked blob with good copies is cached in a repository from now on, where it lies in a place of its own. Returns what
/// the entries there hold of the bytes allowance again, to be taken by the caller.
pub(crate) async fn enter(
    tx: &mut Tx<'_>,
    repo: RepoId,
    digest: Sha256Digest,
    size: u64,
    at: Timestamp,
) -> Result<u64> {
    let sql = "INSERT INTO cached (repo_id, digest, size, cached_at, used_at) SELECT $1, $2, $3, $4, $4
         WHERE EXISTS (SELECT 1 FROM copies WHERE digest = $2 AND state = 'good' AND kind IN ('file', 'object'))
         ON CONFLICT DO NOTHING";
    if tx.execute(sql, args![repo, digest, size, at]).await? == 1 {
        return Ok(0);
    }
    Ok(regain(tx, repo, digest, at).await?.unwrap_or_default())
}

/// `None`: the repository had not let go of it.
async fn regain(tx: &mut Tx<'_>, repo: RepoId, digest: Sha256Digest, at: Timestamp) -> Result<Option<u64>> {
    let sql = "UPDATE cached SET evicted_at = NULL, cached_at = $3, used_at = $3
         WHERE repo_id = $1 AND digest = $2 AND evicted_at IS NOT NULL";
    match tx.execute(sql, args![repo, digest, at]).await? {
        0 => Ok(None),
        _ => held_by_entries(tx, repo, digest).await.map(Some),
    }
}
