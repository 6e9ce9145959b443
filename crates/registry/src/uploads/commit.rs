//! The parts become one verified blob.

use std::future::Future;
use std::pin::pin;

use blobs::{BlobCopy, Expect, Key, Received};
use model::{EventId, UploadId};
use store::uploads::{BeginCommit, Begun, FinishCommit, HoldCommit, Part, RejectUpload, Upload};

use super::LEASE;
use crate::authorize::{Grant, Write};
use crate::error::{Error, Result};
use crate::store_file::stored_place;
use crate::to_the_end::to_the_end;

impl Grant<Write> {
    /// Puts the parts together, verifies digest and length and pins the blob for the repository.
    /// Goes on when the caller goes away. Committed before: answered again, also after its time.
    /// 409 `upload_verification_failed` when the bytes are not what was announced: then the upload
    /// is over. 409 `conflict` while somebody else is at it.
    pub async fn commit_upload(&self, id: UploadId) -> Result<Upload> {
        let grant = self.clone();
        to_the_end(async move { Box::pin(grant.commit(id)).await }).await
    }

    async fn commit(&self, id: UploadId) -> Result<Upload> {
        let act = self.act();
        let (by, until) = (act.event, act.at.plus(LEASE));
        let begun = self.store().write(BeginCommit { act, repo: self.repo_id(), upload: id, until }).await?;
        let (upload, parts) = match begun {
            Begun::Committed(upload) => return Ok(upload),
            Begun::Verify(upload, parts) => (upload, parts),
        };
        match self.holding(id, by, Box::pin(self.verify(&upload, &parts))).await {
            Ok(received) => self.finish(&upload, by, received).await,
            Err(error) => Err(self.failed(id, by, error).await?),
        }
    }

    /// Does `work` and says now and then that it is still being done.
    async fn holding<T>(&self, upload: UploadId, by: EventId, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            match tokio::time::timeout(LEASE / 3, &mut work).await {
                Ok(done) => return done,
                Err(_) => {
                    let until = Some(self.ambient().now().plus(LEASE));
                    if let Err(error) = self.store().write(HoldCommit { upload, by, until }).await {
                        tracing::warn!(%error, %upload, "the lease of a commit could not be prolonged");
                    }
                }
            }
        }
    }

    async fn verify(&self, upload: &Upload, parts: &[Part]) -> blobs::Result<Received> {
        let announced = upload.announced().map_err(|error| blobs::Error::Config(error.to_string()))?;
        let expect = Expect::exactly(announced.digest, announced.length);
        let key = |place: &str| Key::parse(place).map_err(|error| blobs::Error::Config(error.to_string()));
        let bytes = self.registry().blobs();
        if let Some(direct) = &upload.direct {
            return bytes.adopt(&key(&direct.key)?, expect).await;
        }
        let copy = |part: &Part| {
            let sums = part.sums.chunks_exact(8).filter_map(|sum| sum.try_into().ok().map(u64::from_le_bytes));
            Ok(BlobCopy { key: key(&part.place)?, offset: 0, length: part.length, sums: sums.collect() })
        };
        let copies = parts.iter().map(copy).collect::<blobs::Result<Vec<_>>>()?;
        bytes.compose(self.ambient(), &copies, expect).await
    }

    async fn finish(&self, upload: &Upload, by: EventId, received: Received) -> Result<Upload> {
        let place = stored_place(&received).filter(|_| upload.direct.is_none());
        let act = self.act();
        let pin_until = act.at.plus(self.settings().pin);
        let blob = self.registry().new_blob(received);
        let write = FinishCommit { act, repo: self.repo_id(), upload: upload.id, by, blob, pin_until };
        match self.registry().deposit(write).await {
            Ok(upload) => Ok(upload),
            Err(error) => {
                self.registry().abandon(place, &error).await;
                self.let_go(upload.id, by).await;
                Err(error.into())
            }
        }
    }

    /// Bytes that are wrong end the upload; anything else lets it be tried again.
    async fn failed(&self, upload: UploadId, by: EventId, error: blobs::Error) -> Result<Error> {
        use blobs::Error as Bytes;
        // Parts that are not there because their store is not there say nothing of the upload.
        if matches!(error, Bytes::Missing)
            && let Err(away) = self.registry().expect_our_blobs().await
        {
            self.let_go(upload, by).await;
            return Ok(away);
        }
        let refusal = match &error {
            Bytes::Digest { .. } | Bytes::Length { .. } => Error::from(error),
            Bytes::Damaged { .. } | Bytes::Missing => {
                let code = model::Code::UploadVerificationFailed;
                Error::refuse(code, format!("{error}: upload the content again"))
            }
            _ => {
                self.let_go(upload, by).await;
                return Ok(error.into());
            }
        };
        let found = refusal.to_string();
        self.store().write(RejectUpload { act: self.act(), repo: self.repo_id(), upload, by, found }).await?;
        Ok(refusal)
    }

    async fn let_go(&self, upload: UploadId, by: EventId) {
        if let Err(error) = self.store().write(HoldCommit { upload, by, until: None }).await {
            tracing::warn!(%error, %upload, "the lease of a commit was not given back; it runs out by itself");
        }
    }
}
