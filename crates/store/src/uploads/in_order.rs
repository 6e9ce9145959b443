//! Uploads whose bytes come in order, in as many chunks as the client likes, and whose digest comes last.
//! Chunks are durable when they are answered, so a session survives restarts and goes on at any replica. A part is a
//! file: it grows by the chunks that come to the process that made it.

use model::state::UploadState;
use model::{Code, RepoId, Sha256Digest, Timestamp, UploadId};
use serde_json::json;

use super::end::{discard_parts, end};
use super::{PARTS, Upload, lock};
use crate::admission::{self, Allowance, Limits};
use crate::args;
use crate::blobs::{self, NewBlob, Reach};
use crate::deposit::Deposit;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::repositories;
use crate::session::{Session, Tx};
use crate::store::Write;

/// What has come so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Bytes.
    pub bytes: u64,
    /// How many files they lie in.
    pub files: u32,
}

/// What has come of an upload so far.
pub async fn received(session: &mut Session<'_>, upload: UploadId) -> Result<Received> {
    let sql = "SELECT CAST(coalesce(sum(length), 0) AS BIGINT), coalesce(max(part_number), 0) FROM upload_parts
         WHERE upload_id = $1";
    let row = session.row(sql, args![upload]).await?.ok_or_else(|| Error::Defect("no sum".to_owned()))?;
    Ok(Received { bytes: row.get(0)?, files: row.get(1)? })
}

/// Begins an upload whose digest comes last. Takes one from the sessions allowance.
#[derive(Clone, Debug)]
pub struct Begin {
    /// Who and when.
    pub act: Act,
    /// Its id.
    pub id: UploadId,
    /// The repository that it is for.
    pub repo: RepoId,
    /// When it ends by itself unless more comes.
    pub expires_at: Timestamp,
    /// The limits to use where the tenant has none of its own.
    pub limits: Limits,
}

impl Write for Begin {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let act = &self.act;
        repositories::expect_living(tx, self.repo).await?;
        admission::take(tx, act.tenant, Allowance::Sessions, 1, &self.limits, act.event.0.as_u128()).await?;
        let sql = "INSERT INTO uploads (id, tenant_id, repo_id, state, deduped, created_by, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let state = UploadState::Initiated.word();
        tx.execute(sql, args![self.id, act.tenant, self.repo, *state, false, act.actor, act.at, self.expires_at])
            .await?;
        tell(tx, act, self.repo, self.id, "upload.session.created", &json!({"inOrder": true})).await
    }
}

/// Keeps the next chunk. 416 unless it begins where the bytes end.
#[derive(Clone, Debug)]
pub struct Append {
    /// Who and when.
    pub act: Act,
    /// The repository of the upload.
    pub repo: RepoId,
    /// The upload.
    pub upload: UploadId,
    /// Where the chunk begins.
    pub at: u64,
    /// Its length in bytes, at least 1.
    pub length: u64,
    /// The file that it made, or went on with, as it is now.
    pub file: Grown,
    /// When the upload ends by itself unless more comes.
    pub expires_at: Timestamp,
    /// The most bytes that an upload may have.
    pub longest: u64,
    /// The limits to use where the tenant has none of its own.
    pub limits: Limits,
}

/// A file that chunks are written to.
#[derive(Clone, Debug)]
pub struct Grown {
    /// Its key in the blob store.
    pub place: String,
    /// Its length in bytes.
    pub length: u64,
    /// Its digest.
    pub digest: Sha256Digest,
    /// A checksum per MiB.
    pub sums: Vec<u8>,
}

impl Write for Append {
    type Out = Received;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Received> {
        let act = &self.act;
        let upload = lock(tx, self.repo, self.upload).await?;
        upload.expect_in_order()?;
        let so_far = received(tx, self.upload).await?;
        if so_far.bytes != self.at {
            let why = format!("the next byte is number {}, not {}", so_far.bytes, self.at);
            return Err(Error::refuse(Code::InvalidRange, why));
        }
        let bytes = so_far.bytes.saturating_add(self.length);
        let files = so_far.files + u32::from(self.file.length == self.length);
        if bytes > self.longest || files > PARTS {
            let why = format!("an upload has at most {} bytes in {PARTS} chunks", self.longest);
            return Err(Error::refuse(Code::PayloadTooLarge, why));
        }
        admission::take(tx, act.tenant, Allowance::Bytes, self.length, &self.limits, act.event.0.as_u128()).await?;
        self.keep(tx, files).await?;
        let now = received(tx, self.upload).await?;
        if now != (Received { bytes, files }) {
            return Err(Error::Defect(format!("{bytes} bytes in {files} files became {now:?}")));
        }
        let sql = "UPDATE uploads SET state = 'parts_uploading', expires_at = $2 WHERE id = $1";
        tx.execute(sql, args![self.upload, self.expires_at]).await?;
        let detail = json!({"partNumber": files, "offset": self.at, "length": self.length});
        tell(tx, act, self.repo, self.upload, "upload.part.received", &detail).await?;
        Ok(now)
    }
}

impl Append {
    /// A new file, or the last one, longer. Any other is left alone.
    async fn keep(&self, tx: &mut Tx<'_>, number: u32) -> Result<()> {
        let file = &self.file;
        let sql = "INSERT INTO upload_parts (upload_id, part_number, place, length, digest, sums)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (place) DO UPDATE
             SET length = excluded.length, digest = excluded.digest, sums = excluded.sums
             WHERE upload_parts.upload_id = excluded.upload_id AND upload_parts.part_number = excluded.part_number";
        let args = args![self.upload, number, file.place, file.length, file.digest, file.sums];
        tx.execute(sql, args).await.map(drop)
    }
}

/// The bytes are whole and verified: the blob becomes known and is pinned for the repository.
#[derive(Clone, Debug)]
pub struct Finish {
    /// Who and when.
    pub act: Act,
    /// The repository.
    pub repo: RepoId,
    /// The session that they came in; `None`: they came at once.
    pub session: Option<Ended>,
    /// The verified bytes.
    pub blob: NewBlob,
    /// Their SHA-512, where the client names them so.
    pub sha512: Option<[u8; 64]>,
    /// Until when they are kept without being entered in a version.
    pub pin_until: Timestamp,
    /// The limits to use where the tenant has none of its own.
    pub limits: Limits,
}

/// A session whose bytes are whole.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// The upload.
    pub upload: UploadId,
    /// What had come when the bytes were looked at.
    pub received: Received,
    /// Whether the blob is the only file itself, and not a copy made of the files.
    pub in_place: bool,
}

impl Deposit for Finish {
    type Out = ();

    fn is_stored(&self) -> bool {
        self.blob.is_stored()
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let act = &self.act;
        repositories::expect_living(tx, self.repo).await?;
        let mut taken = 0;
        if let Some(ended) = &self.session {
            let upload = lock(tx, self.repo, ended.upload).await?;
            upload.expect_in_order()?;
            if received(tx, ended.upload).await? != ended.received {
                return Err(Error::conflict("more bytes came while the upload was being ended"));
            }
            taken = ended.received.bytes;
        }
        blobs::keep(tx, &self.blob, act.at).await?;
        if let Some(sha512) = &self.sha512 {
            blobs::also_named(tx, "sha512", sha512, self.blob.digest).await?;
        }
        let needed = self.blob.length.max(taken);
        if blobs::pin(tx, self.repo, self.blob.digest, self.pin_until, needed).await? {
            let spread = act.event.0.as_u128();
            admission::take(tx, act.tenant, Allowance::Bytes, needed - taken, &self.limits, spread).await?;
        } else {
            admission::give_back(tx, act.tenant, Allowance::Bytes, taken).await?;
        }
        if let Some(ended) = &self.session {
            self.end(tx, ended).await?;
        }
        let id = self.session.map_or_else(|| self.blob.digest.to_string(), |ended| ended.upload.to_string());
        let detail = json!({"digest": self.blob.digest, "length": self.blob.length});
        let kind = if self.session.is_some() { "upload" } else { "blob" };
        record(tx, act, "upload.committed", On { repo: Some(self.repo), kind, id: &id }, &detail).await
    }
}

impl Finish {
    async fn end(&self, tx: &mut Tx<'_>, ended: &Ended) -> Result<()> {
        admission::give_back(tx, self.act.tenant, Allowance::Sessions, 1).await?;
        if ended.in_place {
            // The file is the blob now, or went to the trash because the blob was here already.
            tx.execute("DELETE FROM upload_parts WHERE upload_id = $1", args![ended.upload]).await?;
        } else {
            discard_parts(tx, ended.upload, self.act.at).await?;
        }
        let sql = "UPDATE uploads SET state = 'committed', ended_at = $2 WHERE id = $1";
        tx.execute(sql, args![ended.upload, self.act.at]).await.map(drop)
    }
}

/// Gives an upload up, or ends it because its bytes are wrong. 404 once it has ended.
#[derive(Clone, Debug)]
pub struct GiveUp {
    /// Who and when.
    pub act: Act,
    /// The repository of the upload.
    pub repo: RepoId,
    /// The upload.
    pub upload: UploadId,
    /// Why.
    pub reason: String,
}

impl Write for GiveUp {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let upload = lock(tx, self.repo, self.upload).await?;
        upload.expect_in_order()?;
        let detail = json!({"reason": self.reason});
        end(tx, &self.act, &upload, &self.reason, "upload.aborted", &detail).await
    }
}

/// Takes a blob that a repository holds which the caller may read for another repository too. `false`:
/// none of them holds it.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Who and when.
    pub act: Act,
    /// The repository that gets it.
    pub repo: RepoId,
    /// The blob.
    pub digest: Sha256Digest,
    /// The repositories that may give it: knowing a digest is no right to its bytes.
    pub reach: Reach,
    /// Until when it is kept without being entered in a version.
    pub pin_until: Timestamp,
    /// The limits to use where the tenant has none of its own.
    pub limits: Limits,
}

impl Deposit for Mount {
    type Out = bool;

    fn is_stored(&self) -> bool {
        false
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool> {
        let act = &self.act;
        repositories::expect_living(tx, self.repo).await?;
        // Bytes out of reach must look like bytes that do not exist: the same statement, and no lock to wait for.
        if !blobs::within_reach(tx, act.tenant, self.digest, &self.reach).await? {
            return Ok(false);
        }
        let Some(length) = blobs::lock_seen(tx, self.digest).await? else { return Ok(false) };
        if !blobs::within_reach(tx, act.tenant, self.digest, &self.reach).await? {
            return Ok(false);
        }
        blobs::revive(tx, self.digest).await?;
        if blobs::pin(tx, self.repo, self.digest, self.pin_until, length).await? {
            let spread = act.event.0.as_u128();
            admission::take(tx, act.tenant, Allowance::Bytes, length, &self.limits, spread).await?;
        }
        let id = self.digest.to_string();
        let on = On { repo: Some(self.repo), kind: "blob", id: &id };
        record(tx, act, "upload.mounted", on, &json!({"digest": self.digest, "length": length})).await?;
        Ok(true)
    }
}

impl Upload {
    /// Refuses with 404 unless it takes chunks in order and is open.
    pub fn expect_in_order(&self) -> Result<()> {
        let open = matches!(self.state, UploadState::Initiated | UploadState::PartsUploading);
        if open && self.announced.is_none() { Ok(()) } else { Err(Error::not_found("the upload")) }
    }
}

async fn tell(
    tx: &mut Tx<'_>,
    act: &Act,
    repo: RepoId,
    upload: UploadId,
    action: &str,
    detail: &serde_json::Value,
) -> Result<()> {
    let id = upload.to_string();
    record(tx, act, action, On { repo: Some(repo), kind: "upload", id: &id }, detail).await
}
