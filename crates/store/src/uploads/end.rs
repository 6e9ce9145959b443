//! Uploads that come to nothing: given up, found wrong, expired. What they took is given back.

use std::collections::BTreeMap;

use model::state::UploadState;
use model::{EventId, RepoId, TenantId, Timestamp, UploadId};
use serde_json::{Value as Json, json};

use super::{Announced, Upload, commit, in_order, lock, upload, upload_columns};
use crate::admission::{self, Allowance};
use crate::args;
use crate::blobs::discard;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::Tx;
use crate::store::Write;

/// Gives an upload up. Done before: fine. Committed: refused.
#[derive(Clone, Debug)]
pub struct AbortUpload {
    /// Who and when.
    pub act: Act,
    /// The repository of the upload.
    pub repo: RepoId,
    /// The upload.
    pub upload: UploadId,
    /// Why.
    pub reason: String,
}

impl Write for AbortUpload {
    type Out = Upload;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Upload> {
        let upload = lock(tx, self.repo, self.upload).await?;
        match upload.state {
            UploadState::Aborted => return Ok(upload),
            UploadState::Committed => return Err(Error::conflict("the upload is committed already")),
            _ => {}
        }
        let detail = json!({"reason": self.reason});
        end(tx, &self.act, &upload, &self.reason, "upload.aborted", &detail).await?;
        lock(tx, self.repo, self.upload).await
    }
}

/// The bytes are not what was announced.
#[derive(Clone, Debug)]
pub struct RejectUpload {
    /// Who and when.
    pub act: Act,
    /// The repository of the upload.
    pub repo: RepoId,
    /// The upload.
    pub upload: UploadId,
    /// Who holds the lease.
    pub by: EventId,
    /// What was found, for the client and the journal.
    pub found: String,
}

impl Write for RejectUpload {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let upload = lock(tx, self.repo, self.upload).await?;
        commit::expect_held(&upload, self.by)?;
        let Announced { digest, length } = upload.announced()?;
        let detail = json!({"expectedDigest": digest, "expectedLength": length, "found": self.found});
        let action = "upload.commit.verification_failed";
        end(tx, &self.act, &upload, "verification_failed", action, &detail).await
    }
}

/// Ends open uploads whose time is over, as many as there are event ids. One that is being verified
/// right now is left alone. Returns those that were ended, for the bytes in the object store.
#[derive(Clone, Debug)]
pub struct ExpireUploads {
    /// Who and when; the event id is not used.
    pub act: Act,
    /// An event id for each upload at most.
    pub events: Vec<EventId>,
}

impl Write for ExpireUploads {
    type Out = Vec<Upload>;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<Upload>> {
        const SQL: &str = concat!(
            "SELECT ",
            upload_columns!(),
            " FROM uploads WHERE state IN ('initiated', 'parts_uploading', 'pending_commit') AND expires_at <= $1
             AND coalesce(busy_until, 0) <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED"
        );
        let limit = self.events.len() as u64;
        let rows = tx.rows(SQL, args![self.act.at, limit]).await?;
        let expired: Vec<Upload> = rows.iter().map(upload).collect::<Result<_>>()?;
        let mut taken: BTreeMap<TenantId, (u64, u64)> = BTreeMap::new();
        for (upload, event) in expired.iter().zip(&self.events) {
            let act = Act { event: *event, tenant: upload.tenant, ..self.act.clone() };
            let (bytes, sessions) = taken.entry(upload.tenant).or_default();
            *bytes += close(tx, &act, upload, "expired", "upload.aborted", &json!({"reason": "expired"})).await?;
            *sessions += 1;
        }
        // At the end, and all bytes before all sessions: as everybody locks them.
        for (tenant, (bytes, _)) in &taken {
            admission::give_back(tx, *tenant, Allowance::Bytes, *bytes).await?;
        }
        for (tenant, (_, sessions)) in &taken {
            admission::give_back(tx, *tenant, Allowance::Sessions, *sessions).await?;
        }
        Ok(expired)
    }
}

/// Ends an open upload, giving back what it took.
pub(super) async fn end(
    tx: &mut Tx<'_>,
    act: &Act,
    upload: &Upload,
    reason: &str,
    action: &str,
    detail: &Json,
) -> Result<()> {
    let bytes = close(tx, act, upload, reason, action, detail).await?;
    admission::give_back(tx, upload.tenant, Allowance::Bytes, bytes).await?;
    admission::give_back(tx, upload.tenant, Allowance::Sessions, 1).await
}

/// Ends an open upload. Returns how many bytes of the allowance it took, besides a session.
async fn close(tx: &mut Tx<'_>, act: &Act, upload: &Upload, reason: &str, action: &str, detail: &Json) -> Result<u64> {
    let taken = match upload.announced {
        Some(announced) => announced.length,
        None => in_order::received(tx, upload.id).await?.bytes,
    };
    discard_parts(tx, upload.id, act.at).await?;
    if let Some(direct) = &upload.direct {
        discard(tx, &direct.key, act.at).await?;
    }
    let sql = "UPDATE uploads SET state = 'aborted', reason = $2, ended_at = $3, busy_until = NULL, busy_by = NULL WHERE id = $1";
    tx.execute(sql, args![upload.id, *reason, act.at]).await?;
    let id = upload.id.to_string();
    record(tx, act, action, On { repo: Some(upload.repo), kind: "upload", id: &id }, detail).await?;
    Ok(taken)
}

/// Hands the bytes of all parts over for deletion.
pub(super) async fn discard_parts(tx: &mut Tx<'_>, upload: UploadId, at: Timestamp) -> Result<()> {
    let sql = "INSERT INTO trash (place, created_at) SELECT place, CAST($2 AS BIGINT) FROM upload_parts
         WHERE upload_id = $1 ON CONFLICT DO NOTHING";
    if tx.execute(sql, args![upload, at]).await? > 0 {
        tx.execute("DELETE FROM upload_parts WHERE upload_id = $1", args![upload]).await?;
        tx.touch_work();
    }
    Ok(())
}
