//! Entries: the paths of a version and the blobs behind them.

use std::collections::HashMap;

use model::{Code, EntryPath, RepoId, Sha256Digest, Timestamp, VersionId};
use serde_json::json;

use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::value::Row;
use crate::{args, blobs, versions};

/// The most entries that a version can have.
pub const ENTRIES: usize = 10_000;

/// An entry of a version.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its path in the version.
    pub path: String,
    /// The path in the repository under which clients fetch it.
    pub location: String,
    /// The blob.
    pub digest: Sha256Digest,
    /// Its length in bytes.
    pub size: u64,
    /// The SHA-1 that the publisher declared.
    pub sha1: Option<Vec<u8>>,
    /// The media type that the publisher declared.
    pub media_type: Option<String>,
    /// When it was published; before that, when it was entered.
    pub added_at: Timestamp,
}

/// The entries of a version after the path `after`, in the order of their paths.
pub async fn list(session: &mut Session<'_>, version: VersionId, after: &str, limit: u32) -> Result<Vec<Entry>> {
    let sql = "SELECT path, location, digest, size, sha1, media_type, added_at FROM entries
         WHERE version_id = $1 AND path > $2 ORDER BY path LIMIT $3";
    let entry = |row: &Row| {
        Ok(Entry {
            path: row.get(0)?,
            location: row.get(1)?,
            digest: row.get(2)?,
            size: row.get(3)?,
            sha1: row.get(4)?,
            media_type: row.get(5)?,
            added_at: row.get(6)?,
        })
    };
    session.rows(sql, args![version, *after, limit]).await?.iter().map(entry).collect()
}

/// How many entries a version has.
pub async fn count(session: &mut Session<'_>, version: VersionId) -> Result<u64> {
    let row = session.row("SELECT count(*) FROM entries WHERE version_id = $1", args![version]).await?;
    row.ok_or_else(|| Error::Defect("no count".to_owned()))?.get(0)
}

/// An entry to be made.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// Its path in the version.
    pub path: EntryPath,
    /// The path in the repository under which clients will fetch it.
    pub location: EntryPath,
    /// The blob: uploaded to this repository or entered here before.
    pub digest: Sha256Digest,
    /// Its length; must be the blob's.
    pub size: u64,
    /// The SHA-1 that the publisher declares.
    pub sha1: Option<Vec<u8>>,
    /// The media type that the publisher declares.
    pub media_type: Option<String>,
}

/// Puts entries into a draft: all or none. An entry with the same path is replaced.
#[derive(Clone, Debug)]
pub struct PutEntries {
    /// Who and when.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// The draft.
    pub version: VersionId,
    /// Each path once.
    pub entries: Vec<NewEntry>,
}

impl Write for PutEntries {
    type Out = u64;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<u64> {
        versions::lock(tx, self.repo, self.version).await?.expect_draft()?;
        let total = self.check_paths(tx).await?;
        self.check_blobs(tx).await?;
        let sql = "INSERT INTO entries (version_id, path, repo_id, location, digest, size, sha1, media_type, added_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (version_id, path) DO UPDATE SET
             location = excluded.location, digest = excluded.digest, size = excluded.size, sha1 = excluded.sha1,
             media_type = excluded.media_type, added_at = excluded.added_at";
        for new in &self.entries {
            let args = args![
                self.version,
                new.path,
                self.repo,
                new.location,
                new.digest,
                new.size,
                new.sha1,
                new.media_type,
                self.act.at
            ];
            tx.execute(sql, args).await?;
        }
        let id = self.version.to_string();
        let changed: Vec<_> =
            self.entries.iter().map(|new| json!({"path": new.path, "digest": new.digest, "size": new.size})).collect();
        let on = On { repo: Some(self.repo), kind: "version", id: &id };
        record(tx, &self.act, "package.version.entries.upserted", on, &json!({"entries": changed})).await?;
        Ok(total)
    }
}

impl PutEntries {
    /// No two paths of a version may be one on some file system. Returns how many there will be.
    async fn check_paths(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let mut twins: HashMap<String, String> = HashMap::new();
        for row in tx.rows("SELECT path FROM entries WHERE version_id = $1", args![self.version]).await? {
            let path: String = row.get(0)?;
            let known = EntryPath::parse(&path).map_err(|error| Error::Defect(error.to_string()))?;
            twins.insert(known.twin(), path);
        }
        for new in &self.entries {
            match twins.insert(new.path.twin(), new.path.as_str().to_owned()) {
                Some(known) if known != new.path.as_str() => {
                    let why = format!("the paths {known} and {} would be one on some file systems", new.path);
                    return Err(Error::conflict(why));
                }
                _ => {}
            }
        }
        if twins.len() > ENTRIES {
            return Err(Error::refuse(Code::PayloadTooLarge, format!("a version has at most {ENTRIES} entries")));
        }
        Ok(twins.len() as u64)
    }

    /// Every blob is here, held by this repository and as long as was said. Locked in the order of
    /// their digests, so that two requests cannot wait for each other.
    async fn check_blobs(&self, tx: &mut Tx<'_>) -> Result<()> {
        let mut wanted: Vec<&NewEntry> = self.entries.iter().collect();
        wanted.sort_by_key(|new| new.digest);
        for new in wanted {
            let length = expect_held(tx, self.repo, new.digest).await?;
            if length != new.size {
                let why = format!("{} has {length} bytes, not {} as declared", new.path, new.size);
                return Err(Error::conflict(why));
            }
        }
        Ok(())
    }
}

/// Locks a blob and takes it back from collection. 409 unless `repo` holds it. Returns its length.
pub(crate) async fn expect_held(tx: &mut Tx<'_>, repo: RepoId, digest: Sha256Digest) -> Result<u64> {
    let length = held(tx, repo, digest).await?;
    length.ok_or_else(|| Error::conflict(format!("sha256:{digest} was not uploaded to this repository")))
}

/// Locks a blob and takes it back from collection. Its length; `None` unless `repo` holds it.
pub(crate) async fn held(tx: &mut Tx<'_>, repo: RepoId, digest: Sha256Digest) -> Result<Option<u64>> {
    let Some(locked) = blobs::lock(tx, digest).await? else { return Ok(None) };
    if !blobs::held_in(tx, repo, digest).await? {
        return Ok(None);
    }
    if locked.condemned {
        blobs::revive(tx, digest).await?;
    }
    Ok(Some(locked.length))
}

/// Takes an entry out of a draft.
#[derive(Clone, Debug)]
pub struct RemoveEntry {
    /// Who and when.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// The draft.
    pub version: VersionId,
    /// Which.
    pub path: EntryPath,
}

impl Write for RemoveEntry {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        versions::lock(tx, self.repo, self.version).await?.expect_draft()?;
        let sql = "DELETE FROM entries WHERE version_id = $1 AND path = $2";
        if tx.execute(sql, args![self.version, self.path]).await? == 0 {
            return Err(Error::not_found(&format!("the entry {}", self.path)));
        }
        let id = self.version.to_string();
        let on = On { repo: Some(self.repo), kind: "version", id: &id };
        record(tx, &self.act, "package.version.entry.removed", on, &json!({"path": self.path})).await
    }
}
