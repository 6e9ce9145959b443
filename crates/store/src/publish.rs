//! One file published as one version: the write behind a native PUT.

use model::state::VersionState;
use model::{Code, EntryPath, PackageId, RepoId, Sha256Digest, VersionId, VersionName};
use serde_json::json;

use crate::admission::{self, Allowance, Limits};
use crate::blobs::{self, NewBlob};
use crate::deposit::Deposit;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::observations::Answer;
use crate::packages::{self, Coordinate};
use crate::session::{Session, Tx};
use crate::{args, cached, healing, locations, repositories};

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
    /// Where it came from, when nobody sent it.
    pub upstream: Option<Box<FromUpstream>>,
    /// The limits to use where the tenant has none of its own.
    pub limits: Limits,
}

/// Of a file that came from an upstream, where it may change: with which answer, which holds from now on.
#[derive(Clone, Debug)]
pub struct FromUpstream {
    /// The answer. Its target begins with a slash.
    pub answer: Answer,
    /// The version that it was judged as.
    pub version: VersionName,
    /// The repository's revision that it was asked for under: settings and rules are of this one.
    pub revision: u64,
    /// More that is kept of the file, JSON.
    pub attributes: Option<String>,
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
    /// The version's id: the new one, or that of the version whose lost bytes came back.
    pub id: VersionId,
    /// The version's name: `1`, `2`, ….
    pub version: String,
    /// Whether something was at the path before.
    pub replaced: bool,
    /// Whether the new copy was kept; otherwise a good one existed.
    pub copy_kept: bool,
}

impl Deposit for PublishFile {
    type Out = PublishedFile;

    fn is_stored(&self) -> bool {
        self.blob.is_stored()
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<PublishedFile> {
        let act = &self.act;
        repositories::expect_living(tx, self.repo).await?;
        if let Some(from) = &self.upstream {
            repositories::expect_revision(tx, self.repo, from.revision).await?;
        }
        let package = packages::ensure(tx, self.repo, &self.package, self.new_package, act.at).await?;
        self.check_condition(tx, package).await?;
        if let Some(healed) = self.heal(tx, package).await? {
            return Ok(healed);
        }
        let there = self.number_there(tx, package).await?;
        let copy_kept = blobs::keep(tx, &self.blob, act.at).await?;
        let regained = self.observe(tx, package).await?;
        let taken = self.blob.length + regained;
        admission::take(tx, act.tenant, Allowance::Bytes, taken, &self.limits, act.event.0.as_u128()).await?;
        let name = self.insert(tx, package, there.unwrap_or(0)).await?;
        if self.upstream.as_ref().is_some_and(|from| from.version != name) {
            return Err(Error::refuse(Code::PreconditionFailed, format!("{} is another version by now", self.path)));
        }
        locations::occupy(tx, self.repo, self.path.as_str(), package, self.version, &self.path, self.overwrite).await?;
        let id = self.version.to_string();
        let detail = json!({
            "packageName": self.package.name, "version": name.as_str(), "path": self.path.as_str(),
            "digest": self.blob.digest, "size": self.blob.length,
        });
        record(tx, act, "package.version.published", On { repo: Some(self.repo), kind: "version", id: &id }, &detail)
            .await?;
        if package != self.new_package {
            packages::raise(tx, package).await?;
        }
        let (id, version) = (self.version, name.as_str().to_owned());
        Ok(PublishedFile { package, id, version, replaced: there.is_some(), copy_kept })
    }
}

impl PublishFile {
    /// The same bytes again, for a published path whose blob has no good copy left: they heal the blob.
    /// Nothing else changes; the version holds its share of the allowance already.
    async fn heal(&self, tx: &mut Tx<'_>, package: PackageId) -> Result<Option<PublishedFile>> {
        if package == self.new_package || self.overwrite {
            return Ok(None);
        }
        let Some(there) = locations::find(tx, self.repo, self.path.as_str()).await? else { return Ok(None) };
        let same = there.state == VersionState::Published && there.digest == self.blob.digest;
        if !same || !healing::take(tx, &self.act, self.repo, &self.path, &self.blob).await? {
            return Ok(None);
        }
        let row = tx.row("SELECT version FROM versions WHERE id = $1", args![there.version]).await?;
        let version = row.ok_or_else(|| Error::Defect("a version vanished".to_owned()))?.get(0)?;
        Ok(Some(PublishedFile { package, id: there.version, version, replaced: true, copy_kept: true }))
    }

    /// Of a file from an upstream: it is cached, and its answer holds. Returns what older entries of its bytes hold of the
    /// allowance again. 410 for bytes that were withdrawn at this path.
    async fn observe(&self, tx: &mut Tx<'_>, package: PackageId) -> Result<u64> {
        let (Some(from), NewBlob { digest, length, .. }) = (&self.upstream, &self.blob) else { return Ok(0) };
        let sql = "SELECT 1 FROM entries e JOIN versions v ON v.id = e.version_id
             WHERE e.digest = $1 AND v.package_id = $2 AND v.state IN ('tombstoned', 'collected') LIMIT 1";
        if tx.row(sql, args![*digest, package]).await?.is_some() {
            let why = format!("{} was withdrawn here, and the upstream has the same bytes still", self.path);
            return Err(Error::refuse(Code::Gone, why));
        }
        from.answer.keep_beside(tx, self.repo, (*digest, *length), self.act.at).await?;
        cached::enter(tx, self.repo, *digest, *length, self.act.at).await
    }

    /// The number of the version at the path: 0 for one whose name is no number. `None`: nothing is there.
    /// Refuses where an existing package cannot go on.
    async fn number_there(&self, tx: &mut Tx<'_>, package: PackageId) -> Result<Option<u64>> {
        if package == self.new_package {
            return Ok(None);
        }
        if !self.overwrite {
            return Err(self.taken(tx).await?);
        }
        packages::lock(tx, package).await?;
        number_at(tx, self.repo, &self.path).await
    }

    /// Why nothing else comes to the path.
    async fn taken(&self, tx: &mut Tx<'_>) -> Result<Error> {
        let there = locations::find(tx, self.repo, self.path.as_str()).await?;
        let gone = there.is_some_and(|it| matches!(it.state, VersionState::Tombstoned | VersionState::Collected));
        let what = if gone { "was withdrawn" } else { "exists already" };
        Ok(Error::conflict(format!("{} {what}: a published path never changes in this repository", self.path)))
    }

    /// The package is locked or new, so what is seen here still holds at the commit.
    async fn check_condition(&self, tx: &mut Tx<'_>, package: PackageId) -> Result<()> {
        if self.replace == Replace::Anything {
            return Ok(());
        }
        packages::lock(tx, package).await?;
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

    /// Makes the version, under the next number that no draft has taken.
    async fn insert(&self, tx: &mut Tx<'_>, package: PackageId, last: u64) -> Result<VersionName> {
        let act = &self.act;
        let sql =
            "INSERT INTO entries (version_id, path, repo_id, location, digest, size, media_type, added_at, added_event,
             attributes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let version = "INSERT INTO versions (id, repo_id, package_id, version, state, created_by, created_at,
             published_by, published_at, published_event) VALUES ($1, $2, $3, $4, 'published', $5, $6, $5, $6, $7)
             ON CONFLICT DO NOTHING";
        let mut number = last.checked_add(1).unwrap_or(1);
        let name = loop {
            let name = VersionName::parse(&number.to_string()).map_err(|error| Error::Defect(error.to_string()))?;
            let args = args![self.version, self.repo, package, name, act.actor, act.at, act.event];
            if tx.execute(version, args).await? == 1 {
                break name;
            }
            // Once more at each turn when drafts are begun meanwhile: each turn sees what the last one met.
            number = free_number(tx, package, number).await?;
        };
        let blob = &self.blob;
        let path = &self.path;
        let attributes = self.upstream.as_ref().and_then(|from| from.attributes.clone());
        let args = args![
            self.version,
            *path,
            self.repo,
            *path,
            blob.digest,
            blob.length,
            self.media_type,
            act.at,
            act.event,
            attributes
        ];
        tx.execute(sql, args).await?;
        tx.execute("UPDATE versions SET sealed_at = $2 WHERE id = $1", args![self.version, act.at]).await?;
        Ok(name)
    }
}

/// The name of the version that takes a path over next, where no draft has taken it.
pub async fn next_version(session: &mut Session<'_>, repo: RepoId, path: &EntryPath) -> Result<VersionName> {
    let next = number_at(session, repo, path).await?.unwrap_or(0).checked_add(1).unwrap_or(1);
    VersionName::parse(&next.to_string()).map_err(|error| Error::Defect(error.to_string()))
}

/// The number of the version at a path: 0 for one whose name is no number. `None`: nothing is there.
async fn number_at(session: &mut Session<'_>, repo: RepoId, path: &EntryPath) -> Result<Option<u64>> {
    let sql = "SELECT v.version FROM locations l JOIN versions v ON v.id = l.version_id
         WHERE l.repo_id = $1 AND l.path = $2";
    let Some(row) = session.row(sql, args![repo, *path]).await? else { return Ok(None) };
    let name: String = row.get(0)?;
    Ok(Some(name.parse().ok().filter(|number: &u64| number.to_string() == name).unwrap_or(0)))
}

/// A free number above one that is taken, found by doubling and halving: a package with n versions costs
/// some 2 log n looks at an index, whatever its drafts are called.
async fn free_number(tx: &mut Tx<'_>, package: PackageId, from: u64) -> Result<u64> {
    let none = || Error::conflict("no number is left for another version");
    let (mut taken, mut step) = (from, 1);
    let mut free = loop {
        let next = from.checked_add(step).ok_or_else(none)?;
        if !is_taken(tx, package, next).await? {
            break next;
        }
        (taken, step) = (next, step.checked_mul(2).ok_or_else(none)?);
    };
    while free - taken > 1 {
        let middle = taken + (free - taken) / 2;
        if is_taken(tx, package, middle).await? { taken = middle } else { free = middle }
    }
    Ok(free)
}

async fn is_taken(tx: &mut Tx<'_>, package: PackageId, number: u64) -> Result<bool> {
    let sql = "SELECT 1 FROM versions WHERE package_id = $1 AND version = $2";
    Ok(tx.row(sql, args![package, number.to_string()]).await?.is_some())
}
