//! Versions: drafts that are put together, published once, withdrawn and restored.

mod draft;
mod publish;
mod seal;

use model::state::{MarkKind, VersionState};
use model::{EventId, PackageId, RepoId, Timestamp, VersionId};

use crate::args;
use crate::error::{Error, Result};
use crate::packages::Coordinate;
use crate::session::{Session, Tx};
use crate::value::Row;

pub use draft::{CreateDraft, Drafted};
pub(crate) use publish::schedule_seal;
pub use publish::{PublishVersion, PublishedVersion, SEAL, SealLater};
pub use seal::SealVersion;

/// A version with its coordinate.
#[derive(Clone, Debug)]
pub struct Version {
    /// Its id.
    pub id: VersionId,
    /// Its repository.
    pub repo: RepoId,
    /// Its package.
    pub package: PackageId,
    /// The package's coordinate.
    pub at: Coordinate,
    /// Its name.
    pub version: String,
    /// Where it stands.
    pub state: VersionState,
    /// Who began it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Who published it.
    pub published_by: Option<String>,
    /// When.
    pub published_at: Option<Timestamp>,
    /// The event that says so.
    pub published_event: Option<EventId>,
    /// Since when it takes no more entries.
    pub sealed_at: Option<Timestamp>,
}

/// The columns and tables of a version, in the order that [`version`] reads them.
macro_rules! version_from {
    ($rest:literal) => {
        concat!(
            "SELECT v.id, v.repo_id, v.package_id, p.type, p.namespace, p.name, p.display_name, v.version, v.state,
             v.created_by, v.created_at, v.published_by, v.published_at, v.published_event, v.sealed_at
             FROM versions v JOIN packages p ON p.id = v.package_id ",
            $rest
        )
    };
}

fn version(row: &Row) -> Result<Version> {
    let state: String = row.get(8)?;
    let at = Coordinate { kind: row.get(3)?, namespace: row.get(4)?, name: row.get(5)?, display_name: row.get(6)? };
    Ok(Version {
        id: row.get(0)?,
        repo: row.get(1)?,
        package: row.get(2)?,
        at,
        version: row.get(7)?,
        state: VersionState::from_word(&state).ok_or_else(|| Error::Defect(format!("version state {state}")))?,
        created_by: row.get(9)?,
        created_at: row.get(10)?,
        published_by: row.get(11)?,
        published_at: row.get(12)?,
        published_event: row.get(13)?,
        sealed_at: row.get(14)?,
    })
}

/// The version with this id, when it belongs to `repo`.
pub async fn find(session: &mut Session<'_>, repo: RepoId, id: VersionId) -> Result<Option<Version>> {
    const SQL: &str = version_from!("WHERE v.id = $1 AND v.repo_id = $2");
    session.row(SQL, args![id, repo]).await?.as_ref().map(version).transpose()
}

/// The version with exactly this coordinate.
pub async fn at(
    session: &mut Session<'_>,
    repo: RepoId,
    namespace: &str,
    name: &str,
    named: &str,
) -> Result<Option<Version>> {
    const SQL: &str = version_from!("WHERE p.repo_id = $1 AND p.name = $2 AND p.namespace = $3 AND v.version = $4");
    session.row(SQL, args![repo, *name, *namespace, *named]).await?.as_ref().map(version).transpose()
}

/// The versions of a package, youngest first, those older than `before`. Drafts only with `drafts`.
pub async fn list(
    session: &mut Session<'_>,
    package: PackageId,
    before: Option<VersionId>,
    drafts: bool,
    limit: u32,
) -> Result<Vec<Version>> {
    const SQL: &str = version_from!(
        "WHERE v.package_id = $1 AND v.id < $2 AND ((v.state <> 'draft' AND v.published_at IS NOT NULL) OR $3) ORDER BY v.id DESC LIMIT $4"
    );
    let before = before.unwrap_or(VersionId(uuid::Uuid::max()));
    session.rows(SQL, args![package, before, drafts, limit]).await?.iter().map(version).collect()
}

/// The names of the refs in force of some versions of a package, `each` at most of one, and the kinds of the marks in
/// force on them: of all versions whose ids lie between the two, both included.
pub async fn names_and_marks(
    session: &mut Session<'_>,
    package: PackageId,
    (oldest, youngest): (VersionId, VersionId),
    each: u32,
) -> Result<(Vec<(VersionId, String)>, Vec<(VersionId, MarkKind)>)> {
    const REFS: &str = "SELECT version_id, name FROM
         (SELECT version_id, name, row_number() OVER (PARTITION BY version_id ORDER BY name) AS number FROM refs
          WHERE package_id = $1 AND version_id >= $2 AND version_id <= $3 AND to_at IS NULL) numbered
         WHERE number <= $4 ORDER BY version_id, number";
    const MARKS: &str = "SELECT DISTINCT v.id, m.kind FROM versions v JOIN marks m ON m.version_id = v.id
         WHERE v.package_id = $1 AND v.id >= $2 AND v.id <= $3 AND m.to_at IS NULL ORDER BY v.id, m.kind";
    let refs = session.rows(REFS, args![package, oldest, youngest, each]).await?;
    let marks = session.rows(MARKS, args![package, oldest, youngest]).await?;
    let refs = refs.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_>>()?;
    let kind = |word: String| MarkKind::from_word(&word).ok_or_else(|| Error::Defect(format!("mark {word}")));
    let marks = marks.iter().map(|row| Ok((row.get(0)?, kind(row.get(1)?)?))).collect::<Result<_>>()?;
    Ok((refs, marks))
}

/// The lengths in bytes of the files of some versions of a package together: of all versions whose ids lie between the two,
/// both included; those without a file left out.
pub async fn sizes(
    session: &mut Session<'_>,
    package: PackageId,
    (oldest, youngest): (VersionId, VersionId),
) -> Result<Vec<(VersionId, u64)>> {
    let sql = "SELECT v.id, CAST(sum(e.size) AS BIGINT) FROM versions v JOIN entries e ON e.version_id = v.id
         WHERE v.package_id = $1 AND v.id >= $2 AND v.id <= $3 GROUP BY v.id";
    let rows = session.rows(sql, args![package, oldest, youngest]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Locks the version. 404 when `repo` has none with this id.
pub(crate) async fn lock(tx: &mut Tx<'_>, repo: RepoId, id: VersionId) -> Result<Version> {
    const SQL: &str = version_from!("WHERE v.id = $1 AND v.repo_id = $2 FOR UPDATE OF v");
    let row = tx.row(SQL, args![id, repo]).await?.ok_or_else(|| Error::not_found("the version"))?;
    version(&row)
}

impl Version {
    /// Refuses unless it is a draft.
    pub(crate) fn expect_draft(&self) -> Result<()> {
        match self.state {
            VersionState::Draft => Ok(()),
            other => Err(Error::conflict(format!("{self} is {other}: only drafts can be changed"))),
        }
    }

    /// Refuses unless it is published: 409 for a draft, 410 once withdrawn.
    pub(crate) fn expect_published(&self) -> Result<()> {
        match self.state {
            VersionState::Published => Ok(()),
            VersionState::Draft => Err(Error::conflict(format!("{self} is a draft: publish it first"))),
            other => Err(Error::refuse(model::Code::Gone, format!("{self} is {other}"))),
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "version {} of {}", self.version, self.at.display_name)
    }
}
