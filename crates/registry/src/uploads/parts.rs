//! Parts come in, through us or straight to the object store.

use blobs::{Body, Expect, Key, Writer};
use bytes::Bytes;
use model::{Secret, Sha256Digest, Timestamp, UploadId};
use store::uploads::{DirectUpload, OfferPart, PARTS, PutPart, Upload};

use crate::authorize::{Grant, Write};
use crate::error::{Error, Result};
use crate::to_the_end::to_the_end;

/// Where a part can be sent.
#[derive(Clone, Debug)]
pub struct PartOffer {
    /// The upload as it is now.
    pub upload: Upload,
    /// The part.
    pub number: u32,
    /// An address of the object store for a PUT; `None`: our own address of the part.
    pub url: Option<Secret<String>>,
    /// Until when.
    pub expires_at: Timestamp,
}

/// A part that is being received. Dropped before [`IncomingPart::finish`], it leaves nothing behind.
pub struct IncomingPart {
    grant: Grant<Write>,
    upload: UploadId,
    number: u32,
    length: Option<u64>,
    writer: Writer,
}

/// A part that was received.
#[derive(Clone, Debug)]
pub struct ReceivedPart {
    /// Its number.
    pub number: u32,
    /// Its length in bytes.
    pub length: u64,
    /// Its digest; in hex, its ETag.
    pub digest: Sha256Digest,
}

impl ReceivedPart {
    /// The ETag, in quotes, as complete wants it back.
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.digest)
    }
}

impl Grant<Write> {
    /// Says where to send a part. 400 for a number outside 1 to 10,000, 413 when the part alone is
    /// longer than what was announced, 409 once the upload is complete or over.
    pub async fn offer_part(&self, id: UploadId, number: u32, size: Option<u64>) -> Result<PartOffer> {
        check_number(number)?;
        let upload = self.find_upload(id).await?;
        upload.expect_taking_parts(self.ambient().now())?;
        let limit = upload.announced()?.length;
        if size.is_some_and(|size| size > limit) {
            return Err(blobs::Error::TooLong { limit }.into());
        }
        let direct = self.begin_direct(&upload).await?;
        let write = OfferPart { act: self.act(), repo: self.repo_id(), upload: id, number, direct: direct.clone() };
        let offered = self.store().write(write).await;
        let in_force = offered.as_ref().ok().and_then(|upload| upload.direct.clone());
        if direct.is_some() && direct != in_force {
            self.registry().give_up_direct(&Upload { direct, ..upload }).await;
        }
        let upload = offered?;
        let (url, expires_at) = self.presign(&upload, number).await?;
        Ok(PartOffer { upload, number, url, expires_at })
    }

    /// Begins to receive a part. `length` is what the client says it has.
    pub async fn receive_part(&self, id: UploadId, number: u32, length: Option<u64>) -> Result<IncomingPart> {
        check_number(number)?;
        let upload = self.find_upload(id).await?;
        upload.expect_taking_parts(self.ambient().now())?;
        if upload.direct.is_some() {
            return Err(store::Error::conflict("the parts of this upload go straight to the object store").into());
        }
        let limit = upload.announced()?.length;
        if length.is_some_and(|length| length > limit) {
            return Err(blobs::Error::TooLong { limit }.into());
        }
        let writer = self.registry().blobs().part_writer(self.ambient()).at_most(limit);
        Ok(IncomingPart { grant: self.clone(), upload: id, number, length, writer })
    }

    /// Begins an upload at the object store where that is wanted and possible and not done yet.
    async fn begin_direct(&self, upload: &Upload) -> Result<Option<DirectUpload>> {
        let Some(store) = self.registry().blobs().direct() else { return Ok(None) };
        if self.settings().presigned_parts.is_none() || upload.direct.is_some() {
            return Ok(None);
        }
        let (key, upload) = store.create_multipart(self.ambient()).await?;
        Ok(Some(DirectUpload { key: key.as_str().to_owned(), upload }))
    }

    async fn presign(&self, upload: &Upload, number: u32) -> Result<(Option<Secret<String>>, Timestamp)> {
        let (Some(direct), Some(store)) = (&upload.direct, self.registry().blobs().direct()) else {
            return Ok((None, upload.expires_at));
        };
        let ttl = self.settings().presigned_parts.unwrap_or(std::time::Duration::from_secs(60));
        let key = Key::parse(&direct.key).map_err(|error| Error::Defect(error.to_string()))?;
        let url = store.presign_part(&key, &direct.upload, number, ttl).await?;
        Ok((Some(url), self.ambient().now().plus(ttl)))
    }
}

fn check_number(number: u32) -> Result<()> {
    if (1..=PARTS).contains(&number) {
        return Ok(());
    }
    Err(Error::bad_request(format!("partNumber must be 1 to {PARTS}")))
}

impl IncomingPart {
    /// Takes the next bytes.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        Ok(self.writer.write(bytes).await?)
    }

    /// Makes the part durable, also when the caller goes away. It replaces one that was sent before under the same
    /// number.
    pub async fn finish(self) -> Result<ReceivedPart> {
        to_the_end(self.keep()).await
    }

    async fn keep(self) -> Result<ReceivedPart> {
        let expect = Expect { sha256: None, length: self.length };
        let received = self.writer.finish(expect).await.map_err(|error| match error {
            blobs::Error::Length { expected, actual } => {
                Error::bad_request(format!("the part has {actual} bytes, not {expected} as declared"))
            }
            other => other.into(),
        })?;
        let Body::Stored { key } = &received.body else {
            return Err(Error::Defect("a part was not stored".to_owned()));
        };
        let write = PutPart {
            act: self.grant.act(),
            repo: self.grant.repo_id(),
            upload: self.upload,
            number: self.number,
            place: key.as_str().to_owned(),
            length: received.length,
            digest: received.digest,
            sums: received.sums.iter().flat_map(|sum| sum.to_le_bytes()).collect(),
        };
        if let Err(error) = self.grant.store().write(write).await {
            self.grant.registry().abandon(Some(key.clone()), &error).await;
            return Err(error.into());
        }
        Ok(ReceivedPart { number: self.number, length: received.length, digest: received.digest })
    }
}
