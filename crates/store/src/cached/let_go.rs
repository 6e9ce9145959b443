//! A remote repository lets go of what it has of its upstream.

use model::{RepoId, Sha256Digest, TenantId};
use serde_json::json;

use super::{Cached, held_by_entries, is_needed};
use crate::admission::{self, Allowance};
use crate::error::Result;
use crate::events::{Act, On, record};
use crate::session::Tx;
use crate::store::Write;
use crate::{args, blobs};

/// Lets a remote repository go of contents: its entries hold nothing of the bytes allowance from now on, and blobs that
/// nothing needs any more are condemned. Left as they are: those that were read or came again since they were looked at,
/// those that are pinned there, and those of a version that is not published (a withdrawn one may be restored).
#[derive(Clone, Debug)]
pub struct LetGo {
    /// When, and the event.
    pub act: Act,
    /// The tenant of the repository.
    pub tenant: TenantId,
    /// The repository.
    pub repo: RepoId,
    /// Its contents as they were looked at.
    pub contents: Vec<Cached>,
}

/// What was let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// How many contents.
    pub contents: u64,
    /// Their lengths, each once.
    pub bytes: u64,
}

impl Write for LetGo {
    type Out = Released;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Released> {
        let (mut released, mut given_back) = (Released::default(), 0);
        let mut contents: Vec<&Cached> = self.contents.iter().collect();
        // As everybody locks them.
        contents.sort_by_key(|one| one.digest);
        for one in contents {
            if self.release(tx, one).await? {
                given_back += held_by_entries(tx, self.repo, one.digest).await?;
                released.contents += 1;
                released.bytes += one.size;
            }
        }
        if released.contents == 0 {
            return Ok(released);
        }
        admission::give_back(tx, self.tenant, Allowance::Bytes, given_back).await?;
        let id = self.repo.to_string();
        let on = On { repo: Some(self.repo), kind: "repository", id: &id };
        let detail = json!({"files": released.contents, "bytes": released.bytes});
        record(tx, &self.act, "repository.evicted", on, &detail).await?;
        Ok(released)
    }
}

impl LetGo {
    async fn release(&self, tx: &mut Tx<'_>, one: &Cached) -> Result<bool> {
        let (repo, digest, at) = (self.repo, one.digest, self.act.at);
        if blobs::lock(tx, digest).await?.is_none() || is_kept(tx, repo, digest).await? {
            return Ok(false);
        }
        let sql = "UPDATE cached SET evicted_at = $3 WHERE repo_id = $1 AND digest = $2 AND evicted_at IS NULL
             AND cached_at = $4 AND used_at = $5";
        if tx.execute(sql, args![repo, digest, at, one.cached_at, one.used_at]).await? == 0 {
            return Ok(false);
        }
        if !is_needed(tx, digest).await? {
            let sql = "UPDATE blobs SET condemned_at = $2 WHERE digest = $1 AND condemned_at IS NULL";
            tx.execute(sql, args![digest, at]).await?;
        }
        Ok(true)
    }
}

/// Whether the repository itself has a reason to keep a locked blob.
async fn is_kept(tx: &mut Tx<'_>, repo: RepoId, digest: Sha256Digest) -> Result<bool> {
    let sql = "SELECT 1 WHERE EXISTS (SELECT 1 FROM pins WHERE repo_id = $1 AND digest = $2)
         OR EXISTS (SELECT 1 FROM entries e JOIN versions v ON v.id = e.version_id
            WHERE e.digest = $2 AND e.repo_id = $1 AND v.state <> 'published')";
    Ok(tx.row(sql, args![repo, digest]).await?.is_some())
}
