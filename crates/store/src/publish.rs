//! One file published as one version: the write behind a native PUT.

use model::state::VersionState;
use model::{Code, EntryPath, PackageId, RepoId, Sha256Digest, VersionId, VersionName};
use serde_json::json;

use crate::admission::{self, Allowance, Limits};
use crate::blobs::{self, NewBlob};
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::packages::{self, Coordinate};
use crate::session::Tx;
use crate::store::Write;
use crate::{args, locations, repositories};

/// Publishes a file as the next version of its own package: blob, version, entry, location, event
/// and quota in one transaction. The version is sealed at once.
#[derive(Clone, Debug)]
pub struct PublishFile {
    /// Who and when.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// The package.
    pub package: Coordinate,
    /// The package's id when it is new.
    pub new_package: PackageId,
    /// The new version's id.
    pub version: VersionId,
    /// The path of the one entry; also its location in the repository.
    pub path: EntryPath,
    /// The media type given by the client.
    pub media_type: Option<String>,
    /// The bytes.
    pub blob: NewBlob,
    /// Whether a later version may take the path over.
    pub overwrite: bool,
    /// What must be at the path for this to happen.
    pub replace: Replace,
    /// The limits to use where the tenant has none of its own.
    pub limits: Limits,
}

/// A condition of the client on what is at the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replace {
    /// Whatever the repository allows.
    Anything,
    /// Nothing may be there.
    Nothing,
    /// Something must be there.
    Something,
    /// Exactly one of these bytes must be there.
    OneOf(Vec<Sha256Digest>),
}

/// What was published.
#[derive(Clone, Debug)]
pub struct PublishedFile {
    /// The package.
    pub package: PackageId,
    /// The version's name: `1`, `2`, ….
    pub version: VersionName,
    /// Whether the new copy was kept; otherwise a good one existed.
    pub copy_kept: bool,
}

impl Write for PublishFile {
    type Out = PublishedFile;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<PublishedFile> {
        let act = &self.act;
        repositories::expect_living(tx, self.repo).await?;
        let package = packages::ensure(tx, self.repo, &self.package, self.new_package, act.at).await?;
        self.check_condition(tx, package).await?;
        let name = self.next_version(tx, package).await?;
        admission::take(tx, act.tenant, Allowance::Bytes, self.blob.length, &self.limits, act.event.0.as_u128())
            .await?;
        let copy_kept = blobs::keep(tx, &self.blob, act.at).await?;
        self.insert(tx, package, &name).await?;
        locations::occupy(tx, self.repo, self.path.as_str(), package, self.version, &self.path, self.overwrite).await?;
        let id = self.version.to_string();
        let detail = json!({
            "packageName": self.package.name, "version": name.as_str(), "path": self.path.as_str(),
            "digest": self.blob.digest, "size": self.blob.length,
        });
        record(tx, act, "package.version.published", On { repo: Some(self.repo), kind: "version", id: &id }, &detail)
            .await?;
        packages::raise(tx, package).await?;
        Ok(PublishedFile { package, version: name, copy_kept })
    }
}

impl PublishFile {
    /// A new package begins at 1; an existing one goes on only where overwriting is allowed.
    async fn next_version(&self, tx: &mut Tx<'_>, package: PackageId) -> Result<VersionName> {
        let count: u64 = if package == self.new_package {
            0
        } else if self.overwrite {
            let sql = "SELECT generation FROM packages WHERE id = $1 FOR UPDATE";
            tx.row(sql, args![package]).await?;
            let row = tx.row("SELECT count(*) FROM versions WHERE package_id = $1", args![package]).await?;
            row.ok_or_else(|| Error::Defect("no count".to_owned()))?.get(0)?
        } else {
            return Err(Error::conflict(format!(
                "{} exists already: a published path never changes in this repository",
                self.path
            )));
        };
        VersionName::parse(&(count + 1).to_string()).map_err(|error| Error::Defect(error.to_string()))
    }

    /// The package is locked or new, so what is seen here still holds at the commit.
    async fn check_condition(&self, tx: &mut Tx<'_>, package: PackageId) -> Result<()> {
        if self.replace == Replace::Anything {
            return Ok(());
        }
        tx.row("SELECT generation FROM packages WHERE id = $1 FOR UPDATE", args![package]).await?;
        let found = locations::find(tx, self.repo, self.path.as_str()).await?;
        let there = found.filter(|found| found.state == VersionState::Published).map(|found| found.digest);
        let holds = match &self.replace {
            Replace::Anything => true,
            Replace::Nothing => there.is_none(),
            Replace::Something => there.is_some(),
            Replace::OneOf(digests) => there.is_some_and(|digest| digests.contains(&digest)),
        };
        if holds {
            return Ok(());
        }
        Err(Error::refuse(
            Code::PreconditionFailed,
            format!("{} is not in the state that the request names", self.path),
        ))
    }

    async fn insert(&self, tx: &mut Tx<'_>, package: PackageId, name: &VersionName) -> Result<()> {
        let act = &self.act;
        let sql =
            "INSERT INTO entries (version_id, path, repo_id, location, digest, size, media_type, added_at, added_event)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let version = "INSERT INTO versions (id, repo_id, package_id, version, state, created_by, created_at,
             published_by, published_at, published_event) VALUES ($1, $2, $3, $4, 'published', $5, $6, $5, $6, $7)
             ON CONFLICT DO NOTHING";
        let args = args![self.version, self.repo, package, *name, act.actor, act.at, act.event];
        if tx.execute(version, args).await? == 0 {
            return Err(Error::conflict(format!("version {name} of {} exists already", self.package.display_name)));
        }
        let blob = &self.blob;
        let path = &self.path;
        let args =
            args![self.version, *path, self.repo, *path, blob.digest, blob.length, self.media_type, act.at, act.event];
        tx.execute(sql, args).await?;
        tx.execute("UPDATE versions SET sealed_at = $2 WHERE id = $1", args![self.version, act.at]).await?;
        Ok(())
    }
}
