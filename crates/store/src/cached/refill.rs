//! What was let go comes again.

use model::{RepoId, Sha256Digest, TenantId, Timestamp};
use serde_json::json;

use super::held_by_entries;
use crate::admission::{self, Allowance, Limits};
use crate::blobs::{self, NewBlob};
use crate::deposit::Deposit;
use crate::error::Result;
use crate::events::{Act, On, record};
use crate::session::Tx;
use crate::store::Write;
use crate::{args, repositories};

/// Bytes that a remote repository had let go of, or that were damaged, were fetched again, and are those that its entries
/// name. What was let go is paid for again: 429 where there is no room.
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

impl Deposit for Refill {
    type Out = ();

    fn is_stored(&self) -> bool {
        self.blob.is_stored()
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let (act, digest) = (&self.act, self.blob.digest);
        repositories::expect_living(tx, self.repo).await?;
        blobs::keep(tx, &self.blob, act.at).await?;
        let regained = enter(tx, self.repo, digest, self.blob.length, act.at).await?;
        admission::take(tx, act.tenant, Allowance::Bytes, regained, &self.limits, act.event.0.as_u128()).await?;
        refetched(tx, act, self.repo, &self.blob).await
    }
}

/// An upstream said once more what it had answered and what is damaged here. It is paid for.
#[derive(Clone, Debug)]
pub struct Mend {
    /// Who and when.
    pub act: Act,
    /// The repository.
    pub repo: RepoId,
    /// The bytes.
    pub blob: NewBlob,
}

impl Deposit for Mend {
    type Out = ();

    fn is_stored(&self) -> bool {
        self.blob.is_stored()
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        repositories::expect_living(tx, self.repo).await?;
        blobs::keep(tx, &self.blob, self.act.at).await?;
        refetched(tx, &self.act, self.repo, &self.blob).await
    }
}

async fn refetched(tx: &mut Tx<'_>, act: &Act, repo: RepoId, blob: &NewBlob) -> Result<()> {
    let id = blob.digest.to_string();
    let on = On { repo: Some(repo), kind: "blob", id: &id };
    record(tx, act, "blob.refetched", on, &json!({"digest": blob.digest, "length": blob.length})).await
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

/// A locked blob with good copies is cached in a repository from now on, unless it is empty. Returns what the entries
/// there hold of the bytes allowance again, to be taken by the caller.
pub(crate) async fn enter(
    tx: &mut Tx<'_>,
    repo: RepoId,
    digest: Sha256Digest,
    size: u64,
    at: Timestamp,
) -> Result<u64> {
    if size == 0 {
        return Ok(0);
    }
    let sql = "INSERT INTO cached (repo_id, digest, size, cached_at, used_at) VALUES ($1, $2, $3, $4, $4)
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
