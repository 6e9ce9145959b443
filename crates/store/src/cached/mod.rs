//! What remote repositories have of their upstreams and can fetch again: which of it was read when, what was let go,
//! and when its bytes go.
//!
//! A repository lets go of a blob ([`LetGo`]): from then on its entries hold nothing of the bytes allowance. A blob that
//! nothing else needs is condemned by that and removed later ([`Remove`]), unless something came to need it. The rows of
//! blob and entries stay; whoever reads them fetches the bytes again ([`Refill`]). What was never let go is needed: by
//! every entry, pin, open upload, manifest and answer of an upstream in any repository.

mod let_go;
mod refill;
mod remove;

use model::{RepoId, Sha256Digest, Timestamp};

use crate::args;
use crate::error::{Error, Result};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::value::Row;

pub use let_go::{LetGo, Released};
pub(crate) use refill::enter;
pub use refill::{Mend, Reclaim, Refill};
pub use remove::{Outcome, Remove, condemned, is_condemned};

/// A content that a remote repository could let go of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cached {
    /// The blob.
    pub digest: Sha256Digest,
    /// Its length in bytes.
    pub size: u64,
    /// When it came, the last time.
    pub cached_at: Timestamp,
    /// When it was last read, to about an hour.
    pub used_at: Timestamp,
}

/// In which order contents are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Least recently read first.
    Use,
    /// Oldest first.
    Age,
}

/// Contents of a repository that it has not let go of, after `after`, at most `limit`.
pub async fn list(
    session: &mut Session<'_>,
    repo: RepoId,
    by: By,
    after: Option<Cached>,
    limit: u32,
) -> Result<Vec<Cached>> {
    let sql = match by {
        By::Use => {
            "SELECT digest, size, cached_at, used_at FROM cached WHERE repo_id = $1 AND evicted_at IS NULL
             AND (used_at, digest) > ($2, $3) ORDER BY used_at, digest LIMIT $4"
        }
        By::Age => {
            "SELECT digest, size, cached_at, used_at FROM cached WHERE repo_id = $1 AND evicted_at IS NULL
             AND (cached_at, digest) > ($2, $3) ORDER BY cached_at, digest LIMIT $4"
        }
    };
    let at = after.map_or(Timestamp(i64::MIN), |after| if by == By::Use { after.used_at } else { after.cached_at });
    let digest = after.map_or(Sha256Digest([0; 32]), |after| after.digest);
    let cached =
        |row: &Row| Ok(Cached { digest: row.get(0)?, size: row.get(1)?, cached_at: row.get(2)?, used_at: row.get(3)? });
    session.rows(sql, args![repo, at, digest, limit]).await?.iter().map(cached).collect()
}

/// The bytes that a repository has and could let go of, each content once.
pub async fn bytes(session: &mut Session<'_>, repo: RepoId) -> Result<u64> {
    let sql = "SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM cached WHERE repo_id = $1 AND evicted_at IS NULL";
    session.row(sql, args![repo]).await?.ok_or_else(|| Error::Defect("no sum".to_owned()))?.get(0)
}

/// Whether the repository has let go of the content.
pub async fn is_let_go(session: &mut Session<'_>, repo: RepoId, digest: Sha256Digest) -> Result<bool> {
    let sql = "SELECT 1 FROM cached WHERE repo_id = $1 AND digest = $2 AND evicted_at IS NOT NULL";
    Ok(session.row(sql, args![repo, digest]).await?.is_some())
}

/// Whether the blob has no copies at all, damaged ones included: they were removed on purpose.
pub async fn is_removed(session: &mut Session<'_>, digest: Sha256Digest) -> Result<bool> {
    Ok(session.row("SELECT 1 FROM copies WHERE digest = $1 LIMIT 1", args![digest]).await?.is_none())
}

/// Where a content is in a repository: namespace and name of the package, and the path under which clients fetch it.
pub async fn place(
    session: &mut Session<'_>,
    repo: RepoId,
    digest: Sha256Digest,
) -> Result<Option<(String, String, String)>> {
    let sql = "SELECT p.namespace, p.name, e.location FROM entries e JOIN versions v ON v.id = e.version_id
         JOIN packages p ON p.id = v.package_id WHERE e.digest = $1 AND e.repo_id = $2 ORDER BY e.location LIMIT 1";
    let row = session.row(sql, args![digest, repo]).await?;
    row.map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).transpose()
}

/// Notes reads. Later ones win; what is not cached is left out.
#[derive(Clone, Debug)]
pub struct NoteReads {
    /// What was last read when, in the order of repositories and digests (so that two processes that write at once
    /// wait for each other, and not in a circle).
    pub reads: Vec<((RepoId, Sha256Digest), Timestamp)>,
}

impl Write for NoteReads {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let sql = "UPDATE cached SET used_at = $3 WHERE repo_id = $1 AND digest = $2 AND used_at < $3";
        for ((repo, digest), at) in &self.reads {
            tx.execute(sql, args![*repo, *digest, *at]).await?;
        }
        Ok(())
    }
}

/// Whether anything in any repository needs the bytes of a locked blob. An answer with which a file came does not: the
/// file's entry does.
pub(crate) async fn is_needed(tx: &mut Tx<'_>, digest: Sha256Digest) -> Result<bool> {
    let sql = "SELECT 1 WHERE EXISTS (SELECT 1 FROM entries e JOIN versions v ON v.id = e.version_id
            LEFT JOIN cached c ON c.repo_id = e.repo_id AND c.digest = e.digest
            WHERE e.digest = $1 AND v.state <> 'collected' AND c.evicted_at IS NULL)
         OR EXISTS (SELECT 1 FROM pins WHERE digest = $1)
         OR EXISTS (SELECT 1 FROM manifests WHERE blob_digest = $1)
         OR EXISTS (SELECT 1 FROM observations WHERE digest = $1 AND substr(target, 1, 1) <> '/')
         OR EXISTS (SELECT 1 FROM uploads
            WHERE state IN ('initiated', 'parts_uploading', 'pending_commit') AND expected_digest = $1)";
    Ok(tx.row(sql, args![digest]).await?.is_some())
}

/// What the entries of a content in a repository hold of the bytes allowance, when it is not let go.
pub(crate) async fn held_by_entries(tx: &mut Tx<'_>, repo: RepoId, digest: Sha256Digest) -> Result<u64> {
    let sql = "SELECT CAST(coalesce(sum(e.size), 0) AS BIGINT) FROM entries e JOIN versions v ON v.id = e.version_id
         WHERE e.digest = $1 AND e.repo_id = $2 AND v.published_at IS NOT NULL";
    tx.row(sql, args![digest, repo]).await?.ok_or_else(|| Error::Defect("no sum".to_owned()))?.get(0)
}
