//! Packages: names in a repository, and the counters that say when readers must look again.

use model::{PackageId, RepoId, Timestamp, VersionId};

use crate::args;
use crate::error::{Error, Result};
use crate::session::{Session, Tx};
use crate::value::Row;
use crate::when::{When, shown};

/// The coordinate of a package: its repository and its normalised name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinate {
    /// The format's word, e.g. `raw`.
    pub kind: String,
    /// The namespace; empty where the format has none.
    pub namespace: String,
    /// The normalised name.
    pub name: String,
    /// The name as people wrote it.
    pub display_name: String,
}

/// A package as lists show it.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its id.
    pub id: PackageId,
    /// Its coordinate.
    pub at: Coordinate,
    /// When its name was first used.
    pub created_at: Timestamp,
    /// The youngest published version; `None` when there are only drafts.
    pub latest: Option<Latest>,
}

/// The youngest published version of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latest {
    /// Its id.
    pub id: VersionId,
    /// Its name.
    pub version: String,
    /// When it was published.
    pub published_at: Timestamp,
}

/// Which packages a list has beside those with a version that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// None.
    Nothing,
    /// Those with a draft.
    Drafts,
    /// All whose names are taken; as of a moment, those of which anything had been published by then.
    Taken,
}

impl Beside {
    fn number(self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Drafts => 1,
            Self::Taken => 2,
        }
    }
}

/// Sorts after every name and path: they have at most 1024 bytes.
pub fn last() -> String {
    char::MAX.to_string().repeat(257)
}

/// The first text after all those that begin with `prefix`, by bytes.
pub(crate) fn after_prefix(prefix: &str) -> String {
    let mut rest: Vec<char> = prefix.chars().collect();
    while let Some(c) = rest.pop() {
        let next = if c == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(c) + 1) };
        if let Some(next) = next {
            rest.push(next);
            return rest.into_iter().collect();
        }
    }
    last()
}

/// That the name of the package `p` is taken.
macro_rules! taken {
    () => {
        "p.id IS NOT NULL"
    };
    ($at:literal) => {
        concat!("EXISTS (SELECT 1 FROM versions d WHERE d.package_id = p.id AND d.published_at <= ", $at, ")")
    };
}

macro_rules! list {
    ($($at:literal)?) => {
        concat!(
            "SELECT p.id, p.type, p.namespace, p.name, p.display_name, p.created_at, v.id, v.version, v.published_at
         FROM packages p LEFT JOIN versions v ON v.id = (SELECT x.id FROM versions x
            WHERE x.package_id = p.id AND ", shown!("x" $(, $at)?), " ORDER BY x.id DESC LIMIT 1)
         WHERE p.repo_id = $1 AND p.name >= $2 AND p.name < $3 AND (p.name, p.namespace) > ($4, $5)
         AND (v.id IS NOT NULL OR ($6 = 2 AND ", taken!($($at)?), ")
            OR ($6 = 1 AND EXISTS (SELECT 1 FROM versions d WHERE d.package_id = p.id AND d.state = 'draft')))
         ORDER BY p.name, p.namespace LIMIT $7"
        )
    };
}

/// Packages whose normalised name begins with `prefix`, in the order of (name, namespace) after
/// `after`: those with a version that is shown, and what is wanted beside them.
pub async fn list(
    session: &mut Session<'_>,
    repo: RepoId,
    prefix: &str,
    after: (&str, &str),
    beside: Beside,
    limit: u32,
    when: When,
) -> Result<Vec<Package>> {
    let (from, end, beside) = (prefix.max(after.0), after_prefix(prefix), beside.number());
    let args = args![repo, *from, end, *after.0, *after.1, beside, limit];
    let rows = session.rows_as_of(when, [list!(), list!("$8")], args).await?;
    rows.iter().map(package).collect()
}

/// A number that is another one whenever what readers see of any package of the repository has changed: packages never
/// go and their counters only grow. It looks at each package, but takes a small part of the time of reading them.
pub async fn state_of_all(session: &mut Session<'_>, repo: RepoId) -> Result<u64> {
    let sql = "SELECT CAST(coalesce(sum(generation), 0) AS BIGINT) FROM packages WHERE repo_id = $1";
    let row = session.row(sql, args![repo]).await?.ok_or_else(|| Error::Defect("no sum".to_owned()))?;
    row.get(0)
}

fn package(row: &Row) -> Result<Package> {
    let latest = match row.get::<Option<VersionId>>(6)? {
        Some(id) => Some(Latest { id, version: row.get(7)?, published_at: row.get(8)? }),
        None => None,
    };
    let at = Coordinate { kind: row.get(1)?, namespace: row.get(2)?, name: row.get(3)?, display_name: row.get(4)? };
    Ok(Package { id: row.get(0)?, at, created_at: row.get(5)?, latest })
}

/// The package at a coordinate, if it exists.
pub async fn find(session: &mut Session<'_>, repo: RepoId, namespace: &str, name: &str) -> Result<Option<PackageId>> {
    let sql = "SELECT id FROM packages WHERE repo_id = $1 AND name = $2 AND namespace = $3";
    session.row(sql, args![repo, *name, *namespace]).await?.map(|row| row.get(0)).transpose()
}

/// The package at a coordinate, if it was ever published in; with `drafts`, if it exists.
pub async fn find_shown(
    session: &mut Session<'_>,
    repo: RepoId,
    namespace: &str,
    name: &str,
    drafts: bool,
) -> Result<Option<PackageId>> {
    let sql = "SELECT p.id FROM packages p WHERE p.repo_id = $1 AND p.name = $2 AND p.namespace = $3
         AND ($4 OR EXISTS (SELECT 1 FROM versions v WHERE v.package_id = p.id AND v.published_at IS NOT NULL))";
    session.row(sql, args![repo, *name, *namespace, drafts]).await?.map(|row| row.get(0)).transpose()
}

/// The names of the packages of a namespace; with a moment: of those of which anything had been published by then.
pub async fn names_in(
    session: &mut Session<'_>,
    repo: RepoId,
    namespace: &str,
    at: Option<Timestamp>,
) -> Result<Vec<String>> {
    let sql = "SELECT p.name FROM packages p WHERE p.repo_id = $1 AND p.namespace = $2
         AND ($3 OR EXISTS (SELECT 1 FROM versions v WHERE v.package_id = p.id AND v.published_at <= $4))";
    let (all, at) = (at.is_none(), at.unwrap_or(Timestamp(0)));
    let args = args![repo, *namespace, all, at];
    session.rows(sql, args).await?.iter().map(|row| row.get(0)).collect()
}

/// Whether anything of a package had been published at a moment, also if it had been withdrawn again.
pub async fn was_published(
    session: &mut Session<'_>,
    repo: RepoId,
    (namespace, name): (&str, &str),
    at: Timestamp,
) -> Result<bool> {
    let sql = "SELECT 1 FROM packages p JOIN versions v ON v.package_id = p.id
         WHERE p.repo_id = $1 AND p.name = $2 AND p.namespace = $3 AND v.published_at <= $4 LIMIT 1";
    Ok(session.row(sql, args![repo, *name, *namespace, at]).await?.is_some())
}

/// The package at a coordinate, made with the id `new` when it does not exist. Its generation begins
/// at 1: whoever makes a package need not [`raise`] it.
pub(crate) async fn ensure(
    tx: &mut Tx<'_>,
    repo: RepoId,
    at: &Coordinate,
    new: PackageId,
    now: Timestamp,
) -> Result<PackageId> {
    let sql = "INSERT INTO packages (id, repo_id, type, namespace, name, display_name, generation, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, 1, $7) ON CONFLICT DO NOTHING";
    let args = args![new, repo, at.kind, at.namespace, at.name, at.display_name, now];
    if tx.execute(sql, args).await? == 1 {
        tx.touch_package(new);
        return Ok(new);
    }
    find(tx, repo, &at.namespace, &at.name).await?.ok_or_else(|| Error::Defect("a package vanished".to_owned()))
}

/// Says that what readers see of the package has changed: the last statement of a transaction.
pub(crate) async fn raise(tx: &mut Tx<'_>, package: PackageId) -> Result<()> {
    tx.execute("UPDATE packages SET generation = generation + 1 WHERE id = $1", args![package]).await?;
    tx.touch_package(package);
    Ok(())
}

/// Locks the package: what is decided about its refs and paths is decided one at a time. Versions that are on their way
/// into it hold its row against those who would take it away: this must not wait for them, as they wait for this.
pub(crate) async fn lock(tx: &mut Tx<'_>, package: PackageId) -> Result<()> {
    tx.row("SELECT generation FROM packages WHERE id = $1 FOR NO KEY UPDATE", args![package]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_just_after_it() {
        assert_eq!(after_prefix("ab"), "ac");
        assert_eq!(after_prefix("a\u{d7ff}"), "a\u{e000}");
        assert_eq!(after_prefix("a\u{10ffff}"), "b");
        assert_eq!(after_prefix(""), last());
        assert!(after_prefix("a/").as_str() > "a/\u{10ffff}x");
    }
}
