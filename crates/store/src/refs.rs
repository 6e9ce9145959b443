//! Refs: names that move from version to version, each place for an interval.

use model::{Code, PackageId, RefId, RefName, RepoId, Timestamp, VersionId};
use serde_json::json;

use crate::args;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::value::Row;
use crate::{packages, versions};

/// A ref and the interval during which it points at a version.
#[derive(Clone, Debug)]
pub struct Ref {
    /// The interval's id.
    pub id: RefId,
    /// The package.
    pub package: PackageId,
    /// Its name.
    pub name: String,
    /// The version that it points at.
    pub version: VersionId,
    /// That version's name.
    pub version_name: String,
    /// Who put it there.
    pub by: String,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `None`: it is in force.
    pub to: Option<Timestamp>,
}

macro_rules! ref_from {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.package_id, r.name, r.version_id, v.version, r.by_subject, r.from_at, r.to_at
             FROM refs r JOIN versions v ON v.id = r.version_id ",
            $rest
        )
    };
}

fn reference(row: &Row) -> Result<Ref> {
    Ok(Ref {
        id: row.get(0)?,
        package: row.get(1)?,
        name: row.get(2)?,
        version: row.get(3)?,
        version_name: row.get(4)?,
        by: row.get(5)?,
        from: row.get(6)?,
        to: row.get(7)?,
    })
}

/// The ref in force with this name.
pub async fn find(session: &mut Session<'_>, package: PackageId, name: &str) -> Result<Option<Ref>> {
    const SQL: &str = ref_from!("WHERE r.package_id = $1 AND r.name = $2 AND r.to_at IS NULL");
    session.row(SQL, args![package, *name]).await?.as_ref().map(reference).transpose()
}

/// The refs of a package in force, after the name `after`, in the order of their names.
pub async fn list(session: &mut Session<'_>, package: PackageId, after: &str, limit: u32) -> Result<Vec<Ref>> {
    const SQL: &str = ref_from!("WHERE r.package_id = $1 AND r.name > $2 AND r.to_at IS NULL ORDER BY r.name LIMIT $3");
    session.rows(SQL, args![package, *after, limit]).await?.iter().map(reference).collect()
}

/// The refs in force that point at a version.
pub async fn of_version(session: &mut Session<'_>, version: VersionId, limit: u32) -> Result<Vec<Ref>> {
    const SQL: &str = ref_from!("WHERE r.version_id = $1 AND r.to_at IS NULL ORDER BY r.name LIMIT $2");
    session.rows(SQL, args![version, limit]).await?.iter().map(reference).collect()
}

/// Where a ref pointed and points, youngest first, those older than `before`.
pub async fn history(
    session: &mut Session<'_>,
    package: PackageId,
    name: &str,
    before: Option<RefId>,
    limit: u32,
) -> Result<Vec<Ref>> {
    const SQL: &str = ref_from!("WHERE r.package_id = $1 AND r.name = $2 AND r.id < $3 ORDER BY r.id DESC LIMIT $4");
    let before = before.unwrap_or(RefId(uuid::Uuid::max()));
    session.rows(SQL, args![package, *name, before, limit]).await?.iter().map(reference).collect()
}

/// What a ref must point at for a change to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it points at.
    Anything,
    /// It must not exist.
    Nothing,
    /// This version.
    Version(VersionId),
}

/// Points a ref at a published version. It points there already: fine.
#[derive(Clone, Debug)]
pub struct PutRef {
    /// Who and when.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// The new interval's id.
    pub id: RefId,
    /// Its name.
    pub name: RefName,
    /// The version, whose package the ref belongs to.
    pub version: VersionId,
    /// What it must point at now; 412 when it does not.
    pub expected: Expected,
}

impl Write for PutRef {
    type Out = Ref;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Ref> {
        let act = &self.act;
        let version = versions::lock(tx, self.repo, self.version).await?;
        version.expect_published()?;
        packages::lock(tx, version.package).await?;
        let before = find(tx, version.package, self.name.as_str()).await?;
        self.check(before.as_ref())?;
        if let Some(before) = before.as_ref().filter(|before| before.version == self.version) {
            return Ok(before.clone());
        }
        let sql = "UPDATE refs SET to_at = $3, to_event = $4 WHERE package_id = $1 AND name = $2 AND to_at IS NULL";
        tx.execute(sql, args![version.package, self.name, act.at, act.event]).await?;
        let sql = "INSERT INTO refs (id, package_id, name, version_id, from_at, from_event, by_subject)
             VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let args = args![self.id, version.package, self.name, self.version, act.at, act.event, act.actor];
        tx.execute(sql, args).await?;
        let id = version.package.to_string();
        let on = On { repo: Some(self.repo), kind: "package", id: &id };
        let detail = json!({
            "packageName": version.at.name, "ref": self.name, "versionId": self.version,
            "version": version.version, "previousVersionId": before.map(|before| before.version),
        });
        record(tx, act, "package.ref.updated", on, &detail).await?;
        packages::raise(tx, version.package).await?;
        let found = find(tx, version.package, self.name.as_str()).await?;
        found.ok_or_else(|| Error::Defect("a ref vanished".to_owned()))
    }
}

impl PutRef {
    fn check(&self, before: Option<&Ref>) -> Result<()> {
        let fits = match self.expected {
            Expected::Anything => true,
            Expected::Nothing => before.is_none(),
            Expected::Version(version) => before.is_some_and(|before| before.version == version),
        };
        if fits {
            return Ok(());
        }
        let now = before.map_or("does not exist".to_owned(), |before| format!("points at {}", before.version));
        Err(Error::refuse(Code::PreconditionFailed, format!("the ref {} {now}", self.name)))
    }
}
