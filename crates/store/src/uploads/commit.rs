//! Verifying the bytes: one at a time, under a lease, and then all at once.

use model::state::UploadState;
use model::{EventId, RepoId, Timestamp, UploadId};
use serde_json::json;

use super::{Announced, Part, Upload, lock, parts};
use crate::admission::{self, Allowance};
use crate::args;
use crate::blobs::{self, NewBlob};
use crate::deposit::Deposit;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::Tx;
use crate::store::Write;

/// Takes the lease to verify an upload; its holder is named by the act's event.
#[derive(Clone, Debug)]
pub struct BeginCommit {
    /// Who and when.
    pub act: Act,
    /// The repository of the upload.
    pub repo: RepoId,
    /// The upload.
    pub upload: UploadId,
    /// Until when the lease holds, unless it is held on to.
    pub until: Timestamp,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Begun {
    /// Nothing: it was committed before.
    Committed(Upload),
    /// These parts are to be put together and verified.
    Verify(Upload, Vec<Part>),
}

impl Write for BeginCommit {
    type Out = Begun;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Begun> {
        let upload = lock(tx, self.repo, self.upload).await?;
        upload.announced()?;
        if upload.state == UploadState::Committed {
            return Ok(Begun::Committed(upload));
        }
        upload.expect_open(self.act.at)?;
        if upload.state != UploadState::PendingCommit {
            return Err(Error::conflict("the upload must be completed before it is committed"));
        }
        if upload.busy_until.is_some_and(|until| until > self.act.at) {
            return Err(Error::conflict("the upload is being verified right now: ask again in a moment"));
        }
        let sql = "UPDATE uploads SET busy_until = $2, busy_by = $3 WHERE id = $1";
        tx.execute(sql, args![self.upload, self.until, self.act.event]).await?;
        let parts = parts(tx, self.upload).await?;
        Ok(Begun::Verify(upload, parts))
    }
}

/// Holds on to the lease, or lets it go. Returns whether it was still held.
#[derive(Clone, Debug)]
pub struct HoldCommit {
    /// The upload.
    pub upload: UploadId,
    /// Who holds it.
    pub by: EventId,
    /// Until when; `None` lets it go.
    pub until: Option<Timestamp>,
}

impl Write for HoldCommit {
    type Out = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool> {
        let sql = "UPDATE uploads SET busy_until = $3 WHERE id = $1 AND busy_by = $2 AND state = 'pending_commit'";
        Ok(tx.execute(sql, args![self.upload, self.by, self.until]).await? == 1)
    }
}

/// The bytes are verified: the blob becomes known and is pinned for the repository.
#[derive(Clone, Debug)]
pub struct FinishCommit {
    /// Who and when.
    pub act: Act,
    /// The repository of the upload.
    pub repo: RepoId,
    /// The upload.
    pub upload: UploadId,
    /// Who holds the lease.
    pub by: EventId,
    /// The verified bytes.
    pub blob: NewBlob,
    /// Until when they are kept without being entered in a version.
    pub pin_until: Timestamp,
}

impl Deposit for FinishCommit {
    type Out = Upload;

    fn is_stored(&self) -> bool {
        self.blob.is_stored()
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Upload> {
        let act = &self.act;
        let upload = lock(tx, self.repo, self.upload).await?;
        expect_held(&upload, self.by)?;
        let Announced { digest, length } = upload.announced()?;
        blobs::keep(tx, &self.blob, act.at).await?;
        if !blobs::pin(tx, self.repo, self.blob.digest, self.pin_until, length).await? {
            admission::give_back(tx, upload.tenant, Allowance::Bytes, length).await?;
        }
        admission::give_back(tx, upload.tenant, Allowance::Sessions, 1).await?;
        super::end::discard_parts(tx, self.upload, act.at).await?;
        let sql =
            "UPDATE uploads SET state = 'committed', ended_at = $2, busy_until = NULL, busy_by = NULL WHERE id = $1";
        tx.execute(sql, args![self.upload, act.at]).await?;
        let id = self.upload.to_string();
        let detail = json!({"digest": digest, "length": length});
        let on = On { repo: Some(self.repo), kind: "upload", id: &id };
        record(tx, act, "upload.committed", on, &detail).await?;
        lock(tx, self.repo, self.upload).await
    }
}

/// Refuses unless `by` is still the one who verifies.
pub(super) fn expect_held(upload: &Upload, by: EventId) -> Result<()> {
    if upload.state == UploadState::PendingCommit && upload.busy_by == Some(by) {
        return Ok(());
    }
    Err(Error::conflict(match &upload.reason {
        Some(reason) => format!("the upload ended while it was being verified: {reason}"),
        None => "the upload was taken over while it was being verified".to_owned(),
    }))
}
