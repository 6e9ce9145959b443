//! Upload sessions: bytes announced by digest and length, received in parts, verified, then pinned
//! for their repository; or bytes that come in order and tell their digest last ([`in_order`]).
//!
//! Locks are always taken in the order upload, blob, bytes allowance, sessions allowance.

mod commit;
mod complete;
mod create;
mod end;
pub mod in_order;
mod parts;

use model::state::UploadState;
use model::{EventId, RepoId, Sha256Digest, TenantId, Timestamp, UploadId};
use serde::{Deserialize, Serialize};

use crate::args;
use crate::error::{Error, Result};
use crate::session::{Session, Tx};
use crate::value::Row;

pub use commit::{BeginCommit, Begun, FinishCommit, HoldCommit};
pub use complete::Complete;
pub use create::CreateUpload;
pub use end::{AbortUpload, ExpireUploads, RejectUpload};
pub use parts::{OfferPart, PutPart};

/// The highest number that a part can have.
pub const PARTS: u32 = 10_000;

/// An upload session.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The repository that it is for.
    pub repo: RepoId,
    /// Where it stands.
    pub state: UploadState,
    /// What was announced; `None` where the digest comes last.
    pub announced: Option<Announced>,
    /// Whether the bytes were here already and nothing had to be sent.
    pub deduped: bool,
    /// Who began it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was committed or aborted.
    pub ended_at: Option<Timestamp>,
    /// Why it was aborted.
    pub reason: Option<String>,
    /// The parts that complete fixed, by number.
    pub completion: Option<Vec<ListedPart>>,
    /// Where the parts go when they go straight to the object store.
    pub direct: Option<DirectUpload>,
    /// Until when somebody verifies the bytes.
    pub busy_until: Option<Timestamp>,
    /// Who does.
    pub busy_by: Option<EventId>,
}

/// What was announced of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The digest.
    pub digest: Sha256Digest,
    /// The length in bytes.
    pub length: u64,
}

/// An upload whose parts go straight to the object store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectUpload {
    /// The key that the object will have.
    pub key: String,
    /// The object store's own name for the upload.
    pub upload: String,
}

/// A part as complete lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedPart {
    /// From 1.
    pub number: u32,
    /// What the upload of the part answered, without quotes.
    pub etag: String,
}

/// A part that was received here.
#[derive(Clone, Debug)]
pub struct Part {
    /// From 1.
    pub number: u32,
    /// Its key in the blob store.
    pub place: String,
    /// Its length in bytes.
    pub length: u64,
    /// Its digest; in hex, its ETag.
    pub digest: Sha256Digest,
    /// A checksum per MiB.
    pub sums: Vec<u8>,
}

/// Columns of an upload, in the order that [`upload`] reads them.
macro_rules! upload_columns {
    () => {
        "id, tenant_id, repo_id, state, expected_digest, expected_length, deduped, created_by, created_at, expires_at,
         ended_at, reason, completion, object_key, object_upload, busy_until, busy_by"
    };
}
pub(crate) use upload_columns;

/// Whether the time of an open upload is over.
pub async fn is_due(session: &mut Session<'_>, at: Timestamp) -> Result<bool> {
    let sql = "SELECT 1 FROM uploads WHERE state IN ('initiated', 'parts_uploading', 'pending_commit')
         AND expires_at <= $1 AND coalesce(busy_until, 0) <= $1 LIMIT 1";
    Ok(session.row(sql, args![at]).await?.is_some())
}

fn upload(row: &Row) -> Result<Upload> {
    let state: String = row.get(3)?;
    let completion: Option<String> = row.get(12)?;
    let defect = |error: serde_json::Error| Error::Defect(format!("completion of an upload: {error}"));
    let direct = row.get::<Option<String>>(13)?.zip(row.get::<Option<String>>(14)?);
    Ok(Upload {
        id: row.get(0)?,
        tenant: row.get(1)?,
        repo: row.get(2)?,
        state: UploadState::from_word(&state).ok_or_else(|| Error::Defect(format!("upload state {state}")))?,
        announced: match row.get::<Option<Sha256Digest>>(4)? {
            Some(digest) => Some(Announced { digest, length: row.get(5)? }),
            None => None,
        },
        deduped: row.get(6)?,
        created_by: row.get(7)?,
        created_at: row.get(8)?,
        expires_at: row.get(9)?,
        ended_at: row.get(10)?,
        reason: row.get(11)?,
        completion: completion.map(|text| serde_json::from_str(&text).map_err(defect)).transpose()?,
        direct: direct.map(|(key, upload)| DirectUpload { key, upload }),
        busy_until: row.get(15)?,
        busy_by: row.get(16)?,
    })
}

/// The upload with this id, when it belongs to `repo`.
pub async fn find(session: &mut Session<'_>, repo: RepoId, id: UploadId) -> Result<Option<Upload>> {
    const SQL: &str = concat!("SELECT ", upload_columns!(), " FROM uploads WHERE id = $1 AND repo_id = $2");
    session.row(SQL, args![id, repo]).await?.as_ref().map(upload).transpose()
}

/// Its parts, in the order of their numbers.
pub async fn parts(session: &mut Session<'_>, id: UploadId) -> Result<Vec<Part>> {
    let sql =
        "SELECT part_number, place, length, digest, sums FROM upload_parts WHERE upload_id = $1 ORDER BY part_number";
    let part = |row: &Row| {
        Ok(Part {
            number: row.get(0)?,
            place: row.get(1)?,
            length: row.get(2)?,
            digest: row.get(3)?,
            sums: row.get(4)?,
        })
    };
    session.rows(sql, args![id]).await?.iter().map(part).collect()
}

/// Locks the upload. 404 when `repo` has none with this id.
async fn lock(tx: &mut Tx<'_>, repo: RepoId, id: UploadId) -> Result<Upload> {
    const SQL: &str = concat!("SELECT ", upload_columns!(), " FROM uploads WHERE id = $1 AND repo_id = $2 FOR UPDATE");
    let row = tx.row(SQL, args![id, repo]).await?.ok_or_else(|| Error::not_found("the upload"))?;
    upload(&row)
}

impl Upload {
    /// What was announced. 404 for an upload of the other kind: its clients are others.
    pub fn announced(&self) -> Result<Announced> {
        self.announced.ok_or_else(|| Error::not_found("the upload"))
    }

    /// Refuses when the session has ended or has expired.
    pub fn expect_open(&self, now: Timestamp) -> Result<()> {
        match (self.state, &self.reason) {
            (UploadState::Aborted, Some(reason)) => Err(Error::conflict(format!("the upload was aborted: {reason}"))),
            (UploadState::Aborted, None) => Err(Error::conflict("the upload was aborted")),
            (UploadState::Committed, _) => Err(Error::conflict("the upload is committed already")),
            _ if self.expires_at <= now => {
                Err(Error::conflict(format!("the upload expired at {}: begin a new one", self.expires_at)))
            }
            _ => Ok(()),
        }
    }

    /// Refuses unless parts can still be sent.
    pub fn expect_taking_parts(&self, now: Timestamp) -> Result<()> {
        self.expect_open(now)?;
        match self.state {
            UploadState::PendingCommit => Err(Error::conflict("the upload is complete: it takes no more parts")),
            _ => Ok(()),
        }
    }
}
