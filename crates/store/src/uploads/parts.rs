//! Parts: handed out, received, replaced.

use model::{Code, RepoId, Sha256Digest, UploadId};
use serde_json::json;

use super::{DirectUpload, Upload, lock};
use crate::args;
use crate::blobs::discard;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::Tx;
use crate::store::Write;

/// Says that the client is about to send a part. Returns the upload as it is then.
#[derive(Clone, Debug)]
pub struct OfferPart {
    /// Who and when.
    pub act: Act,
    /// The repository of the upload.
    pub repo: RepoId,
    /// The upload.
    pub upload: UploadId,
    /// The part, from 1.
    pub number: u32,
    /// What to use when the parts shall go straight to the object store. Another request may have
    /// begun that before: then the first one counts, and this one must be given up.
    pub direct: Option<DirectUpload>,
}

impl Write for OfferPart {
    type Out = Upload;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Upload> {
        let act = &self.act;
        let upload = lock(tx, self.repo, self.upload).await?;
        upload.announced()?;
        upload.expect_taking_parts(act.at)?;
        let received = tx.row("SELECT 1 FROM upload_parts WHERE upload_id = $1 LIMIT 1", args![self.upload]).await?;
        let direct = self.direct.as_ref().filter(|_| upload.direct.is_none() && received.is_none());
        let sql = "UPDATE uploads SET state = 'parts_uploading', object_key = coalesce(object_key, $2),
             object_upload = coalesce(object_upload, $3) WHERE id = $1";
        let (key, name) = (direct.map(|it| it.key.clone()), direct.map(|it| it.upload.clone()));
        tx.execute(sql, args![self.upload, key, name]).await?;
        let id = self.upload.to_string();
        let on = On { repo: Some(self.repo), kind: "upload", id: &id };
        record(tx, act, "upload.part.offered", on, &json!({"partNumber": self.number})).await?;
        lock(tx, self.repo, self.upload).await
    }
}

/// Keeps a part that was received. One with the same number is replaced.
#[derive(Clone, Debug)]
pub struct PutPart {
    /// Who and when.
    pub act: Act,
    /// The repository of the upload.
    pub repo: RepoId,
    /// The upload.
    pub upload: UploadId,
    /// The part, from 1.
    pub number: u32,
    /// Its key in the blob store.
    pub place: String,
    /// Its length in bytes.
    pub length: u64,
    /// Its digest.
    pub digest: Sha256Digest,
    /// A checksum per MiB.
    pub sums: Vec<u8>,
}

impl Write for PutPart {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let act = &self.act;
        let upload = lock(tx, self.repo, self.upload).await?;
        upload.expect_taking_parts(act.at)?;
        if upload.direct.is_some() {
            return Err(Error::conflict("the parts of this upload go straight to the object store"));
        }
        self.check_total(tx, &upload).await?;
        let sql = "SELECT place FROM upload_parts WHERE upload_id = $1 AND part_number = $2";
        if let Some(row) = tx.row(sql, args![self.upload, self.number]).await? {
            discard(tx, &row.get::<String>(0)?, act.at).await?;
        }
        let sql = "INSERT INTO upload_parts (upload_id, part_number, place, length, digest, sums)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (upload_id, part_number)
             DO UPDATE SET place = excluded.place, length = excluded.length, digest = excluded.digest, sums = excluded.sums";
        tx.execute(sql, args![self.upload, self.number, self.place, self.length, self.digest, self.sums]).await?;
        tx.execute("UPDATE uploads SET state = 'parts_uploading' WHERE id = $1", args![self.upload]).await?;
        let id = self.upload.to_string();
        let detail = json!({"partNumber": self.number, "length": self.length, "digest": self.digest});
        let on = On { repo: Some(self.repo), kind: "upload", id: &id };
        record(tx, act, "upload.part.received", on, &detail).await
    }
}

impl PutPart {
    async fn check_total(&self, tx: &mut Tx<'_>, upload: &Upload) -> Result<()> {
        let sql = "SELECT CAST(coalesce(sum(length), 0) AS BIGINT) FROM upload_parts
             WHERE upload_id = $1 AND part_number <> $2";
        let row = tx.row(sql, args![self.upload, self.number]).await?;
        let others: u64 = row.ok_or_else(|| Error::Defect("no sum".to_owned()))?.get(0)?;
        let total = others.saturating_add(self.length);
        let length = upload.announced()?.length;
        if total > length {
            let why = format!("the parts have {total} bytes, more than the {length} announced");
            return Err(Error::refuse(Code::PayloadTooLarge, why));
        }
        Ok(())
    }
}
