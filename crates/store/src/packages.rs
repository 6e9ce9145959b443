//! Packages: names in a repository, and the counters that say when readers must look again.

use model::{PackageId, RepoId, Timestamp};

use crate::args;
use crate::error::{Error, Result};
use crate::session::{Session, Tx};

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

/// The package at a coordinate, if it exists.
pub async fn find(session: &mut Session<'_>, repo: RepoId, namespace: &str, name: &str) -> Result<Option<PackageId>> {
    let sql = "SELECT id FROM packages WHERE repo_id = $1 AND name = $2 AND namespace = $3";
    session.row(sql, args![repo, *name, *namespace]).await?.map(|row| row.get(0)).transpose()
}

/// The package at a coordinate, made with the id `new` when it does not exist.
pub(crate) async fn ensure(
    tx: &mut Tx<'_>,
    repo: RepoId,
    at: &Coordinate,
    new: PackageId,
    now: Timestamp,
) -> Result<PackageId> {
    let sql = "INSERT INTO packages (id, repo_id, type, namespace, name, display_name, generation, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, 0, $7) ON CONFLICT DO NOTHING";
    let args = args![new, repo, at.kind, at.namespace, at.name, at.display_name, now];
    if tx.execute(sql, args).await? == 1 {
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
