//! What a package's indexes are made of, in few statements whatever the number of versions.

use model::state::MarkKind;
use model::{PackageId, RepoId, Sha256Digest, Timestamp, VersionId};

use crate::args;
use crate::error::{Error, Result};
use crate::packages::after_prefix;
use crate::session::Session;
use crate::value::Row;
use crate::when::{When, and_added, in_force, shown};

/// A package and the counter of what readers see of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation {
    /// The package.
    pub package: PackageId,
    /// Raised by every change.
    pub number: u64,
}

/// The generation of a package, if there is one of this name.
pub async fn generation(
    session: &mut Session<'_>,
    repo: RepoId,
    namespace: &str,
    name: &str,
) -> Result<Option<Generation>> {
    let sql = "SELECT id, generation FROM packages WHERE repo_id = $1 AND name = $2 AND namespace = $3";
    let Some(row) = session.row(sql, args![repo, *name, *namespace]).await? else { return Ok(None) };
    Ok(Some(Generation { package: row.get(0)?, number: row.get(1)? }))
}

/// The names of a package, and its counter.
#[derive(Clone, Debug)]
pub struct Names {
    /// The namespace.
    pub namespace: String,
    /// The normalised name.
    pub name: String,
    /// The name as people write it.
    pub display: String,
    /// Its generation.
    pub generation: u64,
}

/// The names of a package, and its counter.
pub async fn names(session: &mut Session<'_>, package: PackageId) -> Result<Names> {
    let sql = "SELECT namespace, name, display_name, generation FROM packages WHERE id = $1";
    let row = session.row(sql, args![package]).await?.ok_or_else(|| Error::Defect("a package vanished".to_owned()))?;
    Ok(Names { namespace: row.get(0)?, name: row.get(1)?, display: row.get(2)?, generation: row.get(3)? })
}

/// A published version without what is in it.
#[derive(Clone, Debug)]
pub struct Head {
    /// Its id.
    pub id: VersionId,
    /// Its name.
    pub version: String,
    /// When it was published.
    pub published_at: Timestamp,
    /// When its youngest file was added.
    pub changed_at: Timestamp,
    /// Marks in force on the whole version, with their texts.
    pub marks: Vec<(MarkKind, String)>,
}

macro_rules! heads {
    ($($at:literal)?) => {
        concat!(
            "SELECT v.id, v.version, v.published_at,
             (SELECT max(e.added_at) FROM entries e WHERE e.version_id = v.id", and_added!("e" $(, $at)?), "),
             m.kind, m.text
         FROM versions v LEFT JOIN marks m ON m.version_id = v.id AND m.path = '' AND ", in_force!("m" $(, $at)?), "
         WHERE v.package_id = $1 AND ", shown!("v" $(, $at)?), " AND ($2 IS NULL OR v.version = $2)
         ORDER BY v.published_at, v.id, m.kind, m.from_at DESC"
        )
    };
}

/// The versions of a package that are shown, in the order of their publishing; with `only`, that one.
pub async fn heads(session: &mut Session<'_>, package: PackageId, only: Option<&str>, when: When) -> Result<Vec<Head>> {
    let mut heads: Vec<Head> = Vec::new();
    let only = only.map(str::to_owned);
    let args = args![package, only];
    for row in session.rows_as_of(when, [heads!(), heads!("$3")], args).await? {
        let id: VersionId = row.get(0)?;
        if heads.last().is_none_or(|last| last.id != id) {
            let (published_at, changed_at) = (row.get(2)?, row.get::<Option<Timestamp>>(3)?);
            let changed_at = changed_at.unwrap_or(published_at);
            heads.push(Head { id, version: row.get(1)?, published_at, changed_at, marks: Vec::new() });
        }
        if let (Some(head), Some(kind)) = (heads.last_mut(), row.get::<Option<String>>(4)?) {
            let kind = MarkKind::from_word(&kind).ok_or_else(|| Error::Defect(format!("mark {kind}")))?;
            head.marks.push((kind, row.get(5)?));
        }
    }
    Ok(heads)
}

/// Whether the package has a version of this name that was withdrawn.
pub async fn is_withdrawn(session: &mut Session<'_>, package: PackageId, version: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM versions WHERE package_id = $1 AND version = $2 AND state IN ('tombstoned', 'collected') LIMIT 1";
    Ok(session.row(sql, args![package, version.to_owned()]).await?.is_some())
}

macro_rules! refs {
    ($($at:literal)?) => {
        concat!(
            "SELECT r.name, v.version FROM refs r JOIN versions v ON v.id = r.version_id
         WHERE r.package_id = $1 AND ", in_force!("r" $(, $at)?), " AND ", shown!("v" $(, $at)?), "
         ORDER BY r.name, r.from_at DESC"
        )
    };
}

/// The refs of a package that are in force: name and version, those that point at versions that are shown.
pub async fn refs(session: &mut Session<'_>, package: PackageId, when: When) -> Result<Vec<(String, String)>> {
    let rows = session.rows_as_of(when, [refs!(), refs!("$2")], args![package]).await?;
    let mut refs: Vec<(String, String)> =
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_>>()?;
    // Intervals can touch where clocks differ: the one that began last holds.
    refs.dedup_by(|later, earlier| later.0 == earlier.0);
    Ok(refs)
}

macro_rules! refs_in {
    ($($at:literal)?) => {
        concat!(
            "SELECT p.name, r.name FROM packages p JOIN refs r ON r.package_id = p.id
         WHERE p.repo_id = $1 AND p.namespace = $2 AND p.namespace <> '' AND r.name >= $3 AND r.name < $4
         AND ", in_force!("r" $(, $at)?), "
         AND EXISTS (SELECT 1 FROM versions v WHERE v.package_id = p.id AND ", shown!("v" $(, $at)?), ")
         ORDER BY p.name, r.name"
        )
    };
}

/// The refs in force whose names begin with `prefix`, of the packages in a namespace that have a version that is
/// shown: package and ref, in the order of both.
pub async fn refs_in(
    session: &mut Session<'_>,
    repo: RepoId,
    namespace: &str,
    prefix: &str,
    when: When,
) -> Result<Vec<(String, String)>> {
    let end = after_prefix(prefix);
    let args = args![repo, *namespace, *prefix, end];
    let rows = session.rows_as_of(when, [refs_in!(), refs_in!("$5")], args).await?;
    let mut refs: Vec<(String, String)> =
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_>>()?;
    refs.dedup();
    Ok(refs)
}

/// What is in a version.
#[derive(Clone, Debug)]
pub struct Inside {
    /// The version.
    pub id: VersionId,
    /// Its metadata.
    pub manifest: String,
    /// Its files in the order of their paths.
    pub files: Vec<File>,
}

/// A file of a version.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path in the version.
    pub path: String,
    /// The path in the repository.
    pub location: String,
    /// Its content.
    pub digest: Sha256Digest,
    /// Its length in bytes.
    pub size: u64,
    /// More that the format keeps.
    pub attributes: Option<String>,
    /// When it was added.
    pub added_at: Timestamp,
}

macro_rules! files {
    ($($at:literal)?) => {
        concat!(
            "SELECT e.version_id, e.path, e.location, e.digest, e.size, e.attributes, e.added_at FROM entries e
         WHERE e.version_id = $1", and_added!("e" $(, $at)?), " ORDER BY e.path"
        )
    };
}

/// What is in one version: two statements.
pub async fn inside(session: &mut Session<'_>, id: VersionId, when: When) -> Result<Inside> {
    let sql = "SELECT body FROM manifests WHERE version_id = $1";
    let manifest = session.row(sql, args![id]).await?.map(|row| row.get(0)).transpose()?.unwrap_or_default();
    let files = session.rows_as_of(when, [files!(), files!("$2")], args![id]).await?;
    let files = files.iter().map(file).collect::<Result<_>>()?;
    Ok(Inside { id, manifest, files })
}

macro_rules! manifests_in {
    ($($at:literal)?) => {
        concat!(
            "SELECT v.id, m.body FROM versions v LEFT JOIN manifests m ON m.version_id = v.id
         WHERE v.package_id = $1 AND v.id >= $2 AND v.id <= $3 AND ", shown!("v" $(, $at)?), " ORDER BY v.id"
        )
    };
}

macro_rules! files_in {
    ($($at:literal)?) => {
        concat!(
            "SELECT e.version_id, e.path, e.location, e.digest, e.size, e.attributes, e.added_at
         FROM versions v JOIN entries e ON e.version_id = v.id
         WHERE v.package_id = $1 AND v.id >= $2 AND v.id <= $3", and_added!("e" $(, $at)?), " ORDER BY v.id, e.path"
        )
    };
}

/// What is in the versions of a package that are shown and whose ids are `from` to `to`: two statements.
pub async fn inside_range(
    session: &mut Session<'_>,
    package: PackageId,
    (from, to): (VersionId, VersionId),
    when: When,
) -> Result<Vec<Inside>> {
    let mut found: Vec<Inside> = Vec::new();
    for row in session.rows_as_of(when, [manifests_in!(), manifests_in!("$4")], args![package, from, to]).await? {
        let manifest = row.get::<Option<String>>(1)?.unwrap_or_default();
        found.push(Inside { id: row.get(0)?, manifest, files: Vec::new() });
    }
    // What is withdrawn between the two looks keeps its files; what is published between them is in the second alone.
    let rows = session.rows_as_of(when, [files_in!(), files_in!("$4")], args![package, from, to]).await?;
    let files = rows.iter().map(|row| Ok((row.get(0)?, file(row)?)));
    hand_out(&mut found, files.collect::<Result<Vec<_>>>()?);
    Ok(found)
}

/// Gives files to their versions, both in the order of the versions' ids. A file of none of them is left out.
fn hand_out(versions: &mut [Inside], files: Vec<(VersionId, File)>) {
    let mut versions = versions.iter_mut().peekable();
    for (id, file) in files {
        while versions.next_if(|version| version.id < id).is_some() {}
        if let Some(version) = versions.peek_mut().filter(|version| version.id == id) {
            version.files.push(file);
        }
    }
}

fn file(row: &Row) -> Result<File> {
    Ok(File {
        path: row.get(1)?,
        location: row.get(2)?,
        digest: row.get(3)?,
        size: row.get(4)?,
        attributes: row.get(5)?,
        added_at: row.get(6)?,
    })
}

/// The versions of a package that are published, by name: what a change to several of them needs.
pub async fn published(session: &mut Session<'_>, package: PackageId) -> Result<Vec<(VersionId, String)>> {
    let sql = "SELECT id, version FROM versions WHERE package_id = $1 AND state = 'published' ORDER BY id";
    session.rows(sql, args![package]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_version_that_came_meanwhile_take_nothing_from_the_others() {
        let id = |number: u128| VersionId(uuid::Uuid::from_u128(number));
        let file = |path: &str| File {
            path: path.to_owned(),
            location: path.to_owned(),
            digest: Sha256Digest([7; 32]),
            size: 1,
            attributes: None,
            added_at: Timestamp(1),
        };
        let version = |number| Inside { id: id(number), manifest: String::new(), files: Vec::new() };
        let mut versions = [version(2), version(4), version(5), version(8)];
        let files = [(1, "a"), (2, "b"), (3, "c"), (3, "d"), (4, "e"), (4, "f"), (7, "g"), (8, "h"), (9, "i")];
        hand_out(&mut versions, files.map(|(number, path)| (id(number), file(path))).to_vec());
        let paths = versions.map(|version| version.files.into_iter().map(|file| file.path).collect::<String>());
        assert_eq!(paths, ["b", "ef", "", "h"]);
    }
}
