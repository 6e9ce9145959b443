//! Uploading: announce a digest and a length, send parts, complete, commit.

mod commit;
mod complete;
mod in_order;
mod open_files;
mod parts;

use std::time::Duration;

use model::{Code, Sha256Digest, UploadId};
use store::uploads::{AbortUpload, CreateUpload, ExpireUploads, Part, Upload};

use crate::authorize::{Grant, Write};
use crate::error::{Error, Result};
use crate::registry::Registry;

pub use in_order::{IncomingBlob, IncomingChunk};
pub(crate) use open_files::OpenFiles;
pub use parts::{IncomingPart, PartOffer, ReceivedPart};

/// How long somebody who verifies an upload is believed to be alive without saying so.
const LEASE: Duration = Duration::from_secs(30);

impl Grant<Write> {
    /// Begins an upload of content that is announced by digest and length. When it is in a repository
    /// that the caller may read, nothing needs to be sent: the upload comes back committed and
    /// `deduped`. 413 over the longest upload, 429 over an allowance, 409 when the digest is known
    /// to the caller with another length.
    pub async fn create_upload(&self, digest: Sha256Digest, length: u64) -> Result<Upload> {
        if (length == 0) != (digest == Sha256Digest::OF_NOTHING) {
            return Err(Error::bad_request("expectedLength is 0 for the digest of an empty file, and only for it"));
        }
        let limit = self.settings().max_upload;
        if length > limit {
            return Err(blobs::Error::TooLong { limit }.into());
        }
        let now = self.ambient().now();
        let write = CreateUpload {
            act: self.act(),
            id: self.ambient().id(),
            repo: self.repo_id(),
            digest,
            length,
            expires_at: now.plus(self.settings().upload_session),
            reach: self.call().reach(),
            pin_until: now.plus(self.settings().pin),
            limits: self.settings().limits,
        };
        Ok(self.registry().deposit(write).await?)
    }

    /// An upload and the parts of it that were received here.
    pub async fn upload(&self, id: UploadId) -> Result<(Upload, Vec<Part>)> {
        let upload = self.find_upload(id).await?;
        let parts = self.store().read(async |session| store::uploads::parts(session, id).await).await?;
        Ok((upload, parts))
    }

    /// Gives an upload up. Given up or expired before: fine. 409 once it is committed.
    pub async fn abort_upload(&self, id: UploadId, reason: Option<String>) -> Result<Upload> {
        let reason = reason.unwrap_or_else(|| "client_abort".to_owned());
        if reason.is_empty() || reason.len() > 500 || reason.chars().any(char::is_control) {
            return Err(Error::bad_request("reason must have 1 to 500 bytes without control characters"));
        }
        self.find_upload(id).await?;
        let write = AbortUpload { act: self.act(), repo: self.repo_id(), upload: id, reason };
        let upload = self.store().write(write).await?;
        self.registry().give_up_direct(&upload).await;
        Ok(upload)
    }

    async fn find_upload(&self, id: UploadId) -> Result<Upload> {
        let repo = self.repo_id();
        let found = self.store().read(async |session| store::uploads::find(session, repo, id).await).await?;
        let found = found.filter(|upload| upload.announced.is_some());
        found.ok_or_else(|| Error::refuse(Code::NotFound, "the upload was not found"))
    }
}

impl Registry {
    /// Ends up to `limit` uploads whose time is over: what they took of the allowances is given
    /// back and their bytes go to the trash. Returns how many; call again while it is `limit`.
    pub async fn expire_uploads(&self, limit: u32) -> Result<u64> {
        let events = (0..limit).map(|_| self.ambient().id()).collect();
        let expired = self.store().write(ExpireUploads { act: self.act(), events }).await?;
        for upload in &expired {
            self.inner.open_files.close(upload.id);
            self.give_up_direct(upload).await;
        }
        Ok(expired.len() as u64)
    }

    /// Tells the object store that no more parts come. It keeps them until it is told.
    async fn give_up_direct(&self, upload: &Upload) {
        let (Some(direct), Some(store)) = (&upload.direct, self.blobs().direct()) else { return };
        let Ok(key) = blobs::Key::parse(&direct.key) else { return };
        if let Err(error) = store.abort_multipart(&key, &direct.upload).await {
            tracing::warn!(%error, upload = %upload.id, "parts of an ended upload could not be removed");
        }
    }
}
