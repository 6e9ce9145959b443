//! What upstreams answered: each answer once, insert-only; and which of them holds now.

mod writes;

use model::{ObservationId, RepoId, Sha256Digest, Timestamp, VersionId};
use serde_json::json;

use crate::args;
use crate::error::Result;
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::value::Row;
use crate::when::{When, and_added, shown};

pub use writes::{Answer, Confirm, Observe, Retell};

/// An answer of an upstream, as it holds now.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Its id.
    pub id: ObservationId,
    /// Its bytes; `None`: the upstream has no such thing.
    pub digest: Option<Sha256Digest>,
    /// Their length.
    pub length: u64,
    /// Their media type.
    pub media_type: String,
    /// Where they came from.
    pub address: String,
    /// The tag that the upstream gave them.
    pub etag: Option<String>,
    /// When they last changed there.
    pub changed_at: Option<Timestamp>,
    /// When it was first answered.
    pub seen_at: Timestamp,
    /// When the upstream last said that it holds.
    pub checked_at: Timestamp,
}

/// The answer that holds to a question, if it was ever asked.
pub async fn find(session: &mut Session<'_>, repo: RepoId, target: &str) -> Result<Option<Observation>> {
    let sql = "SELECT o.id, o.digest, o.length, o.media_type, o.address, o.etag, o.changed_at, o.seen_at, l.checked_at
         FROM outlooks l JOIN observations o ON o.id = l.observation_id WHERE l.repo_id = $1 AND l.target = $2";
    session.row(sql, args![repo, *target]).await?.as_ref().map(observation).transpose()
}

/// The last answer to a question that had been given at a moment.
pub async fn find_at(
    session: &mut Session<'_>,
    repo: RepoId,
    target: &str,
    at: Timestamp,
) -> Result<Option<Observation>> {
    let sql = "SELECT id, digest, length, media_type, address, etag, changed_at, seen_at, seen_at FROM observations
         WHERE repo_id = $1 AND target = $2 AND seen_at <= $3 ORDER BY seen_at DESC, id DESC LIMIT 1";
    session.row(sql, args![repo, *target, at]).await?.as_ref().map(observation).transpose()
}

/// The answers with these bytes that had been given at a moment, each with its question.
pub async fn with_digest_at(
    session: &mut Session<'_>,
    repo: RepoId,
    digest: Sha256Digest,
    at: Timestamp,
) -> Result<Vec<(String, Observation)>> {
    let sql = "SELECT id, digest, length, media_type, address, etag, changed_at, seen_at, seen_at, target
         FROM observations WHERE digest = $2 AND repo_id = $1 AND seen_at <= $3 ORDER BY id";
    let rows = session.rows(sql, args![repo, digest, at]).await?;
    rows.iter().map(|row| Ok((row.get(9)?, observation(row)?))).collect()
}

/// The answers with these bytes that hold, each with its question.
pub async fn with_digest(
    session: &mut Session<'_>,
    repo: RepoId,
    digest: Sha256Digest,
) -> Result<Vec<(String, Observation)>> {
    let sql = "SELECT o.id, o.digest, o.length, o.media_type, o.address, o.etag, o.changed_at, o.seen_at, l.checked_at,
         o.target FROM observations o JOIN outlooks l ON l.repo_id = o.repo_id AND l.target = o.target
            AND l.observation_id = o.id
         WHERE o.digest = $2 AND o.repo_id = $1 ORDER BY o.id";
    let rows = session.rows(sql, args![repo, digest]).await?;
    rows.iter().map(|row| Ok((row.get(9)?, observation(row)?))).collect()
}

/// Since when a repository knows of bytes that are a version: first told by an answer to a question that begins so or is
/// this one, or kept at a path. One statement.
pub async fn known_since(
    session: &mut Session<'_>,
    repo: RepoId,
    digest: Option<Sha256Digest>,
    (beginning, target): (&str, &str),
    path: &str,
) -> Result<Option<Timestamp>> {
    let sql = "SELECT (SELECT min(o.seen_at) FROM observations o
            WHERE o.digest = $2 AND o.repo_id = $1 AND substr(o.target, 1, length($3)) = $3),
         (SELECT min(o.seen_at) FROM observations o
            WHERE o.repo_id = $1 AND o.target = $4 AND o.digest IS NOT NULL),
         (SELECT e.added_at FROM locations l JOIN entries e ON e.version_id = l.version_id AND e.path = l.entry_path
            WHERE l.repo_id = $1 AND l.path = $5)";
    let row = session.row(sql, args![repo, digest, *beginning, *target, *path]).await?;
    let Some(row) = row else { return Ok(None) };
    let times: [Option<Timestamp>; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
    Ok(times.into_iter().flatten().min())
}

/// The answers with bytes that hold now to questions beneath a path.
pub async fn beneath(session: &mut Session<'_>, repo: RepoId, path: &str) -> Result<Vec<(String, Sha256Digest)>> {
    let sql = "SELECT l.target, o.digest FROM outlooks l JOIN observations o ON o.id = l.observation_id
         WHERE l.repo_id = $1 AND l.target > $2 AND l.target < $3 AND o.digest IS NOT NULL ORDER BY l.target";
    // What follows the slash in the order of bytes.
    let rows = session.rows(sql, args![repo, format!("{path}/"), format!("{path}0")]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// What was answered to a question, the latest first.
pub async fn stood(session: &mut Session<'_>, repo: RepoId, target: &str, limit: u32) -> Result<Vec<Sha256Digest>> {
    let sql = "SELECT digest FROM observations WHERE repo_id = $1 AND target = $2 AND digest IS NOT NULL
         ORDER BY seen_at DESC, id DESC LIMIT $3";
    let rows = session.rows(sql, args![repo, *target, limit]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// The answers with bytes that were given to a question after a moment, the latest ones, in their order.
pub async fn after(
    session: &mut Session<'_>,
    repo: RepoId,
    target: &str,
    after: Timestamp,
    limit: u32,
) -> Result<Vec<Observation>> {
    let sql = "SELECT id, digest, length, media_type, address, etag, changed_at, seen_at, seen_at FROM observations
         WHERE repo_id = $1 AND target = $2 AND seen_at > $3 AND digest IS NOT NULL
         ORDER BY seen_at DESC, id DESC LIMIT $4";
    let rows = session.rows(sql, args![repo, *target, after, limit]).await?;
    rows.iter().rev().map(observation).collect()
}

fn observation(row: &Row) -> Result<Observation> {
    Ok(Observation {
        id: row.get(0)?,
        digest: row.get(1)?,
        length: row.get(2)?,
        media_type: row.get(3)?,
        address: row.get(4)?,
        etag: row.get(5)?,
        changed_at: row.get(6)?,
        seen_at: row.get(7)?,
        checked_at: row.get(8)?,
    })
}

/// An immutable thing of an upstream was met with other bytes than ours: ours stay, and this is told.
#[derive(Clone, Debug)]
pub struct Alarm {
    /// Who asked, and when.
    pub act: Act,
    /// The remote repository.
    pub repo: RepoId,
    /// Which path.
    pub path: String,
    /// What we have.
    pub ours: Sha256Digest,
    /// What the upstream has, in words.
    pub theirs: String,
}

impl Write for Alarm {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let on = On { repo: Some(self.repo), kind: "upstream", id: &self.path };
        let detail = json!({"ours": self.ours, "theirs": self.theirs});
        record(tx, &self.act, "upstream.changed", on, &detail).await
    }
}

/// What a remote repository has of a package: its versions, with the content at each path.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The version's id.
    pub id: VersionId,
    /// When it was published here: fetched.
    pub fetched_at: Option<Timestamp>,
    /// The version's name.
    pub version: String,
    /// Whether it may be shown: published, not withdrawn.
    pub shown: bool,
    /// The path under which clients fetch the file; `None`: it has none.
    pub location: Option<String>,
    /// Its content.
    pub digest: Option<Sha256Digest>,
    /// Its length.
    pub size: Option<u64>,
    /// More that the format keeps of it, JSON.
    pub attributes: Option<String>,
}

/// ` AND` that the version had been fetched; nothing as of now.
macro_rules! and_fetched {
    () => {
        ""
    };
    ($at:literal) => {
        concat!(" AND v.published_at <= ", $at)
    };
}

macro_rules! kept {
    ($($at:literal)?) => {
        concat!(
            "SELECT v.version, ", shown!("v" $(, $at)?), ", e.location, e.digest, e.size, e.attributes, v.id,
             v.published_at
         FROM packages p JOIN versions v ON v.package_id = p.id
         LEFT JOIN entries e ON e.version_id = v.id", and_added!("e" $(, $at)?), "
         WHERE p.repo_id = $1 AND p.name = $2 AND p.namespace = $3", and_fetched!($($at)?)
        )
    };
}

/// What is kept of a package, a line for each file.
pub async fn kept(
    session: &mut Session<'_>,
    repo: RepoId,
    namespace: &str,
    name: &str,
    when: When,
) -> Result<Vec<Kept>> {
    let args = args![repo, *name, *namespace];
    session.rows_as_of(when, [kept!(), kept!("$4")], args).await?.iter().map(line).collect()
}

fn line(row: &Row) -> Result<Kept> {
    Ok(Kept {
        version: row.get(0)?,
        shown: row.get(1)?,
        location: row.get(2)?,
        digest: row.get(3)?,
        size: row.get(4)?,
        attributes: row.get(5)?,
        id: row.get(6)?,
        fetched_at: row.get(7)?,
    })
}
