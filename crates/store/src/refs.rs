//! Refs: names that move from version to version, each place for an interval.

use model::{Code, PackageId, RefId, RefName, RepoId, Timestamp, VersionId};
use serde_json::json;

use crate::args;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::value::Row;
use crate::when::{When, in_force, shown};
use crate::{locations, packages, versions};

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
    /// Whether it never moves once it points somewhere; 409 then.
    pub fixed: bool,
}

impl Write for PutRef {
    type Out = Ref;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Ref> {
        let act = &self.act;
        let version = versions::lock(tx, self.repo, self.version).await?;
        version.expect_published()?;
        packages::lock(tx, version.package).await?;
        let before = find(tx, version.package, self.name.as_str()).await?;
        self.expected.check(&self.name, before.as_ref())?;
        if let Some(before) = before.as_ref().filter(|before| before.version == self.version) {
            return Ok(before.clone());
        }
        expect_loose(before.as_ref(), self.fixed)?;
        if before.is_some() {
            end(tx, act, version.package, &self.name).await?;
        }
        begin(tx, act, version.package, (self.id, &self.name), self.version).await?;
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

impl Expected {
    fn check(self, name: &RefName, before: Option<&Ref>) -> Result<()> {
        let fits = match self {
            Self::Anything => true,
            Self::Nothing => before.is_none(),
            Self::Version(version) => before.is_some_and(|before| before.version == version),
        };
        if fits {
            return Ok(());
        }
        let now = before.map_or("does not exist".to_owned(), |before| format!("points at {}", before.version));
        Err(Error::refuse(Code::PreconditionFailed, format!("the ref {name} {now}")))
    }
}

/// Begins an interval; none is in force.
async fn begin(
    tx: &mut Tx<'_>,
    act: &Act,
    package: PackageId,
    (id, name): (RefId, &RefName),
    version: VersionId,
) -> Result<()> {
    let sql = "INSERT INTO refs (id, package_id, name, version_id, from_at, from_event, by_subject)
         VALUES ($1, $2, $3, $4, $5, $6, $7)";
    tx.execute(sql, args![id, package, *name, version, act.at, act.event, act.actor]).await.map(drop)
}

/// Ends the interval in force, if there is one. Returns whether there was.
async fn end(tx: &mut Tx<'_>, act: &Act, package: PackageId, name: &RefName) -> Result<bool> {
    let sql = "UPDATE refs SET to_at = $3, to_event = $4 WHERE package_id = $1 AND name = $2 AND to_at IS NULL";
    Ok(tx.execute(sql, args![package, *name, act.at, act.event]).await? == 1)
}

/// A ref that points at a version from its publishing on.
#[derive(Clone, Debug)]
pub struct NewRef {
    /// The id of its interval.
    pub id: RefId,
    /// Its name.
    pub name: RefName,
    /// Whether it never moves once it points somewhere.
    pub fixed: bool,
}

/// Points a ref at a version that is published in this very transaction. The event is the publish's
/// own. Returns whether it pointed elsewhere before.
pub(crate) async fn point(
    tx: &mut Tx<'_>,
    act: &Act,
    package: PackageId,
    new: &NewRef,
    version: VersionId,
) -> Result<bool> {
    packages::lock(tx, package).await?;
    let before = find(tx, package, new.name.as_str()).await?;
    if before.as_ref().is_some_and(|before| before.version == version) {
        return Ok(false);
    }
    expect_loose(before.as_ref(), new.fixed)?;
    if before.is_some() {
        end(tx, act, package, &new.name).await?;
    }
    begin(tx, act, package, (new.id, &new.name), version).await?;
    Ok(true)
}

/// Refuses to move a ref that stays where it is.
pub(crate) fn expect_loose(before: Option<&Ref>, fixed: bool) -> Result<()> {
    match before {
        Some(before) if fixed => Err(Error::conflict(format!(
            "{} points at {}, and the repository's setting immutableRefs keeps it there",
            before.name, before.version_name
        ))),
        _ => Ok(()),
    }
}

/// Ends the refs in force that point at a version, but for those that are fixed.
pub(crate) async fn end_all_of(
    tx: &mut Tx<'_>,
    act: &Act,
    version: VersionId,
    fixed: impl Fn(&RefName) -> bool,
) -> Result<()> {
    const SQL: &str = "SELECT package_id, name FROM refs WHERE version_id = $1 AND to_at IS NULL ORDER BY name";
    for row in tx.rows(SQL, args![version]).await? {
        let name: String = row.get(1)?;
        let name = RefName::parse(&name).map_err(|error| Error::Defect(error.to_string()))?;
        if !fixed(&name) {
            end(tx, act, row.get(0)?, &name).await?;
        }
    }
    Ok(())
}

macro_rules! names {
    ($($at:literal)?) => {
        concat!(
            "SELECT r.name FROM refs r JOIN versions v ON v.id = r.version_id
         WHERE r.package_id = $1 AND r.name > $2 AND ", in_force!("r" $(, $at)?), " AND ", shown!("v" $(, $at)?), "
         ORDER BY r.name LIMIT $3"
        )
    };
}

/// The names of the refs in force of a package that point at versions that are shown, after the name
/// `after`, in the order of their bytes.
pub async fn names(
    session: &mut Session<'_>,
    package: PackageId,
    after: &str,
    limit: u32,
    when: When,
) -> Result<Vec<String>> {
    let rows = session.rows_as_of(when, [names!(), names!("$4")], args![package, *after, limit]).await?;
    let mut names: Vec<String> = rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
    names.dedup();
    Ok(names)
}

macro_rules! pointed {
    ($($at:literal)?) => {
        concat!(
            "SELECT p.id, v.version FROM packages p JOIN refs r ON r.package_id = p.id AND ",
            in_force!("r" $(, $at)?), "
         JOIN versions v ON v.id = r.version_id
         WHERE p.repo_id = $1 AND p.name = $2 AND p.namespace = $3 AND r.name = $4 AND ", shown!("v" $(, $at)?), "
         ORDER BY r.from_at DESC"
        )
    };
}

/// The package, and the name of the version that a ref of it points at, where that is shown: one statement. As of a moment,
/// 410 where that was collected since.
pub async fn pointed(
    session: &mut Session<'_>,
    repo: RepoId,
    (namespace, package): (&str, &str),
    name: &str,
    when: When,
) -> Result<Option<(PackageId, String)>> {
    let args = args![repo, *package, *namespace, *name];
    let rows = session.rows_as_of(when, [pointed!(), pointed!("$5")], args).await?;
    match (rows.first(), when) {
        (Some(row), _) => Ok(Some((row.get(0)?, row.get(1)?))),
        (None, When::Now) => Ok(None),
        (None, When::At(at)) => {
            expect_not_collected(session, repo, (namespace, package), name, at).await.map(|()| None)
        }
    }
}

async fn expect_not_collected(
    session: &mut Session<'_>,
    repo: RepoId,
    (namespace, package): (&str, &str),
    name: &str,
    at: Timestamp,
) -> Result<()> {
    const SQL: &str = concat!(
        "SELECT 1 FROM packages p JOIN refs r ON r.package_id = p.id AND ",
        in_force!("r", "$5"),
        " JOIN versions v ON v.id = r.version_id
         WHERE p.repo_id = $1 AND p.name = $2 AND p.namespace = $3 AND r.name = $4 AND v.state = 'collected' LIMIT 1"
    );
    match session.row(SQL, args![repo, *package, *namespace, *name, at]).await? {
        Some(_) => Err(locations::collected(&format!("{package}:{name}"))),
        None => Ok(()),
    }
}

/// Ends a ref. 404 when it is not in force.
#[derive(Clone, Debug)]
pub struct EndRef {
    /// Who and when.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// Whose.
    pub package: PackageId,
    /// Which.
    pub name: RefName,
    /// What it must point at now; 412 when it does not.
    pub expected: Expected,
    /// Whether it never moves once it points somewhere; 409 then.
    pub fixed: bool,
}

impl Write for EndRef {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        packages::lock(tx, self.package).await?;
        let before = find(tx, self.package, self.name.as_str()).await?;
        let Some(before) = before else { return Err(Error::not_found(&format!("the ref {}", self.name))) };
        self.expected.check(&self.name, Some(&before))?;
        expect_loose(Some(&before), self.fixed)?;
        end(tx, &self.act, self.package, &self.name).await?;
        let id = self.package.to_string();
        let on = On { repo: Some(self.repo), kind: "package", id: &id };
        let detail = json!({"ref": self.name, "previousVersionId": before.version, "version": before.version_name});
        record(tx, &self.act, "package.ref.ended", on, &detail).await?;
        packages::raise(tx, self.package).await
    }
}
