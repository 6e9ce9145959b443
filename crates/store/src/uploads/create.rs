//! Beginning an upload, or finding that the bytes are here already.

use model::state::UploadState;
use model::{RepoId, Sha256Digest, Timestamp, UploadId};
use serde_json::json;

use super::{Upload, lock};
use crate::admission::{self, Allowance, Limits};
use crate::args;
use crate::blobs::{self, Reach};
use crate::deposit::Deposit;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::repositories;
use crate::session::Tx;

/// Begins an upload. Takes its length from the bytes allowance and one from the sessions allowance.
/// Where a repository within `reach` holds the bytes, the upload is committed at once instead and the
/// blob is pinned for `repo`, revived if it was condemned.
#[derive(Clone, Debug)]
pub struct CreateUpload {
    /// Who and when.
    pub act: Act,
    /// Its id.
    pub id: UploadId,
    /// The repository that it is for.
    pub repo: RepoId,
    /// The digest announced.
    pub digest: Sha256Digest,
    /// The length announced.
    pub length: u64,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// The repositories that the caller may read: knowing a digest is no right to its bytes.
    pub reach: Reach,
    /// Until when deduplicated bytes are kept for the repository.
    pub pin_until: Timestamp,
    /// The limits to use where the tenant has none of its own.
    pub limits: Limits,
}

impl Deposit for CreateUpload {
    type Out = Upload;

    fn is_stored(&self) -> bool {
        false
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Upload> {
        let act = &self.act;
        repositories::expect_living(tx, self.repo).await?;
        let deduped = self.deduplicate(tx).await?;
        if !deduped {
            self.take(tx, Allowance::Bytes, self.length).await?;
            self.take(tx, Allowance::Sessions, 1).await?;
        }
        let (state, ended) =
            if deduped { (UploadState::Committed, Some(act.at)) } else { (UploadState::Initiated, None) };
        let sql = "INSERT INTO uploads (id, tenant_id, repo_id, state, expected_digest, expected_length, deduped,
             created_by, created_at, expires_at, ended_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let (word, expires) = (state.word(), self.expires_at);
        let args = args![
            self.id,
            act.tenant,
            self.repo,
            *word,
            self.digest,
            self.length,
            deduped,
            act.actor,
            act.at,
            expires,
            ended
        ];
        tx.execute(sql, args).await?;
        let id = self.id.to_string();
        let detail = json!({"digest": self.digest, "length": self.length, "deduped": deduped});
        let on = On { repo: Some(self.repo), kind: "upload", id: &id };
        record(tx, act, "upload.session.created", on, &detail).await?;
        lock(tx, self.repo, self.id).await
    }
}

impl CreateUpload {
    async fn take(&self, tx: &mut Tx<'_>, what: Allowance, amount: u64) -> Result<()> {
        let spread = self.act.event.0.as_u128();
        admission::take(tx, self.act.tenant, what, amount, &self.limits, spread).await
    }

    async fn deduplicate(&self, tx: &mut Tx<'_>) -> Result<bool> {
        // Bytes out of reach must look like bytes that do not exist: the same statement, and no lock to wait for.
        let tenant = self.act.tenant;
        if !blobs::within_reach(tx, tenant, self.digest, &self.reach).await? {
            return Ok(false);
        }
        let Some(length) = blobs::lock_seen(tx, self.digest).await? else { return Ok(false) };
        if !blobs::within_reach(tx, tenant, self.digest, &self.reach).await? {
            return Ok(false);
        }
        if length != self.length {
            return Err(Error::conflict(format!(
                "the content sha256:{} has {length} bytes, not {}",
                self.digest, self.length
            )));
        }
        blobs::revive(tx, self.digest).await?;
        if blobs::pin(tx, self.repo, self.digest, self.pin_until, self.length).await? {
            self.take(tx, Allowance::Bytes, self.length).await?;
        }
        Ok(true)
    }
}
