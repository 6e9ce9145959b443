//! Versions that belong to another version of their package: signatures, attestations, bills of materials.

use model::{PackageId, RepoId, VersionId};

use crate::args;
use crate::error::Result;
use crate::session::{Session, Tx};
use crate::when::{When, shown};

/// A published version that belongs to another.
#[derive(Clone, Debug)]
pub struct Belonging {
    /// The version.
    pub id: VersionId,
    /// Its name.
    pub version: String,
    /// Its metadata.
    pub manifest: String,
}

macro_rules! belonging {
    ($($at:literal)?) => {
        concat!(
            "SELECT v.id, v.version, m.body FROM packages p JOIN subjects s ON s.package_id = p.id
         JOIN versions v ON v.id = s.version_id JOIN manifests m ON m.version_id = v.id
         WHERE p.repo_id = $1 AND p.name = $2 AND p.namespace = $3 AND s.subject = $4 AND s.version_id > $5
         AND ", shown!("v" $(, $at)?), " ORDER BY s.version_id LIMIT $6"
        )
    };
}

/// The versions of a package that are shown and belong to the version named `subject`, after the id
/// `after`, in the order of their making: one statement. None where there is no such package.
pub async fn list(
    session: &mut Session<'_>,
    repo: RepoId,
    (namespace, package): (&str, &str),
    subject: &str,
    (after, limit): (VersionId, u32),
    when: When,
) -> Result<Vec<Belonging>> {
    let args = args![repo, *package, *namespace, *subject, after, limit];
    let rows = session.rows_as_of(when, [belonging!(), belonging!("$7")], args).await?;
    rows.iter().map(|row| Ok(Belonging { id: row.get(0)?, version: row.get(1)?, manifest: row.get(2)? })).collect()
}

/// Says of a new version what it belongs to.
pub(crate) async fn put(tx: &mut Tx<'_>, package: PackageId, subject: &str, version: VersionId) -> Result<()> {
    let sql = "INSERT INTO subjects (package_id, subject, version_id) VALUES ($1, $2, $3)";
    tx.execute(sql, args![package, *subject, version]).await.map(drop)
}
