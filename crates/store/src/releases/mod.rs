//! A release: a version with its files, its metadata and its refs, or more files for one that is
//! still open. The write behind every package manager's publish.

mod files;

use model::state::VersionState;
use model::{EntryPath, PackageId, RefPattern, RepoId, Sha256Digest, VersionId, VersionName};
use serde_json::json;

use crate::admission::{self, Allowance, Limits};
use crate::blobs::NewBlob;
use crate::deployments::{self, Gather};
use crate::deposit::Deposit;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::packages::{self, Coordinate};
use crate::refs::{self, NewRef};
use crate::session::Tx;
use crate::versions::{self, SealLater, Version};
use crate::{args, repositories};

/// Publishes a version whole, or lets files join it: all of it in one transaction.
#[derive(Clone, Debug)]
pub struct PublishRelease {
    /// Who and when.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// The package.
    pub package: Coordinate,
    /// The package's id when it is new.
    pub new_package: PackageId,
    /// Whether a package known under another spelling of the name is refused.
    pub exact_name: bool,
    /// The version's id when it is new.
    pub id: VersionId,
    /// Its name.
    pub version: VersionName,
    /// Its files, in the order of their digests; each path and each location once.
    pub files: Vec<NewFile>,
    /// The metadata, JSON. Kept with the first files of a version.
    pub manifest: String,
    /// Refs that point at the version from now on.
    pub refs: Vec<NewRef>,
    /// Refs of these names never move.
    pub fixed: Vec<RefPattern>,
    /// The name of the version that this one belongs to.
    pub subject: Option<String>,
    /// Whether the same version may come again: it is what its name says. One that was withdrawn is
    /// published again then, without the refs that it had; with `joins` it stays withdrawn.
    pub again: bool,
    /// Whether files may join a version that is published and not sealed.
    pub joins: bool,
    /// What versions that count as one have in common, as a path that nothing else uses: only one of them
    /// is ever published.
    pub twin: Option<EntryPath>,
    /// When it is sealed; `None`: at once.
    pub seal: Option<SealLater>,
    /// Whether it is not sealed by itself at all: its files come one by one, when somebody asks for them. Nor is a version
    /// that comes again sealed then, whatever it has.
    pub stays_open: bool,
    /// A new version is gathered and appears later; `None`: at once. What is being gathered already goes on to be.
    pub gather: Option<Gather>,
    /// Whether the bytes come from an upstream, where they can be fetched again.
    pub cached: bool,
    /// The limits to use where the tenant has none of its own.
    pub limits: Limits,
}

/// A file of a release.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// Its path in the version.
    pub path: EntryPath,
    /// The path in the repository under which clients fetch it.
    pub location: EntryPath,
    /// Its bytes.
    pub bytes: Bytes,
    /// Its media type.
    pub media_type: Option<String>,
    /// More that the format keeps of it, JSON.
    pub attributes: Option<String>,
}

/// The bytes of a file.
#[derive(Clone, Debug)]
pub enum Bytes {
    /// Received for this release.
    New(NewBlob),
    /// Uploaded to the repository before, or published there.
    Held {
        /// The content.
        digest: Sha256Digest,
        /// Its length; must be the blob's.
        size: u64,
        /// Whether it must be there; if not, it is left out, and may join when the version comes again.
        required: bool,
    },
}

impl Bytes {
    /// The content and its length.
    pub fn named(&self) -> (Sha256Digest, u64) {
        match self {
            Self::New(blob) => (blob.digest, blob.length),
            Self::Held { digest, size, .. } => (*digest, *size),
        }
    }
}

/// What was published.
#[derive(Clone, Debug)]
pub struct Released {
    /// The version.
    pub version: VersionId,
    /// The package.
    pub package: PackageId,
    /// How it came to be.
    pub begun: Begun,
}

/// How a release begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The version is new.
    New,
    /// Files join a published version.
    Joins(VersionId),
    /// Files join a version that nobody but their uploader sees yet.
    Gathers(VersionId),
    /// The version is published already.
    Again(VersionId),
    /// The version was withdrawn and comes back.
    Back(VersionId),
}

impl Deposit for PublishRelease {
    type Out = Released;

    fn is_stored(&self) -> bool {
        self.files.iter().any(|file| matches!(&file.bytes, Bytes::New(blob) if blob.is_stored()))
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Released> {
        let act = &self.act;
        repositories::expect_living(tx, self.repo).await?;
        let package = packages::ensure(tx, self.repo, &self.package, self.new_package, act.at).await?;
        if self.exact_name && package != self.new_package {
            self.check_spelling(tx, package).await?;
        }
        let begun = self.begin(tx, package).await?;
        let (files, regained) = self.keep(tx).await?;
        let (version, joined) = match begun {
            Begun::New => (self.id, self.put(tx, package, &files).await?),
            Begun::Joins(version) | Begun::Gathers(version) => (version, self.join(tx, package, version, files).await?),
            Begun::Again(version) | Begun::Back(version) => {
                if begun == Begun::Back(version) {
                    self.bring_back(tx, version).await?;
                }
                (version, self.complete(tx, package, version, files).await?)
            }
        };
        admission::take(tx, act.tenant, Allowance::Bytes, regained, &self.limits, act.event.0.as_u128()).await?;
        if self.hides(begun) {
            for new in &self.refs {
                refs::expect_loose(refs::find(tx, package, new.name.as_str()).await?.as_ref(), new.fixed)?;
            }
            deployments::keep_refs(tx, version, &self.refs).await?;
            if let (Begun::Gathers(version), Some(gather)) = (begun, self.gather) {
                deployments::prolong(tx, version, gather.until).await?;
            }
            self.tell(tx, version, begun, &joined).await?;
            return Ok(Released { version, package, begun });
        }
        let mut moved = false;
        for new in &self.refs {
            moved |= refs::point(tx, act, package, new, version).await?;
        }
        if !matches!(begun, Begun::Again(_)) || moved || !joined.is_empty() {
            self.tell(tx, version, begun, &joined).await?;
            packages::raise(tx, package).await?;
        }
        Ok(Released { version, package, begun })
    }
}

impl PublishRelease {
    /// Whether nobody but the uploader sees anything of it yet.
    fn hides(&self, begun: Begun) -> bool {
        match begun {
            Begun::New => self.gather.is_some(),
            Begun::Gathers(_) => true,
            Begun::Joins(_) | Begun::Again(_) | Begun::Back(_) => false,
        }
    }

    async fn check_spelling(&self, tx: &mut Tx<'_>, package: PackageId) -> Result<()> {
        let row = tx.row("SELECT display_name FROM packages WHERE id = $1", args![package]).await?;
        let known: String = row.ok_or_else(|| Error::Defect("a package vanished".to_owned()))?.get(0)?;
        if known == self.package.display_name {
            return Ok(());
        }
        let asked = &self.package.display_name;
        Err(Error::conflict(format!("{asked} and {known}, which exists here, are one name: publish as {known}")))
    }

    /// Makes the version as a draft of this transaction, or finds the one that files may join or that
    /// comes again.
    async fn begin(&self, tx: &mut Tx<'_>, package: PackageId) -> Result<Begun> {
        let act = &self.act;
        let sql = "INSERT INTO versions (id, repo_id, package_id, version, state, created_by, created_at)
             VALUES ($1, $2, $3, $4, 'draft', $5, $6) ON CONFLICT DO NOTHING";
        if tx.execute(sql, args![self.id, self.repo, package, self.version, act.actor, act.at]).await? == 1 {
            let sql = "INSERT INTO manifests (version_id, body, updated_at) VALUES ($1, $2, $3)";
            tx.execute(sql, args![self.id, self.manifest, act.at]).await?;
            return Ok(Begun::New);
        }
        let (namespace, name) = (&self.package.namespace, &self.package.name);
        let found = versions::at(tx, self.repo, namespace, name, self.version.as_str()).await?;
        let found = found.ok_or_else(|| Error::Defect("a version vanished".to_owned()))?;
        let found = versions::lock(tx, self.repo, found.id).await?;
        if found.state == VersionState::Draft && self.joins && deployments::is_one(tx, found.id).await? {
            return match found.created_by == act.actor {
                true => Ok(Begun::Gathers(found.id)),
                false => Err(Error::conflict(format!("{found} is being deployed by somebody else"))),
            };
        }
        self.expect_open(&found)
    }

    fn expect_open(&self, found: &Version) -> Result<Begun> {
        match found.state {
            VersionState::Published if self.again => Ok(Begun::Again(found.id)),
            VersionState::Tombstoned if self.again && !self.joins && found.published_at.is_some() => {
                Ok(Begun::Back(found.id))
            }
            VersionState::Published if self.joins && found.sealed_at.is_none() => Ok(Begun::Joins(found.id)),
            VersionState::Published if self.joins => {
                Err(Error::conflict(format!("{found} is sealed: it takes no more files")))
            }
            VersionState::Published => {
                Err(Error::taken(format!("{found} already exists: published versions never change")))
            }
            VersionState::Draft => {
                Err(Error::conflict(format!("{found} is being put together as a draft: publish or withdraw that")))
            }
            state => Err(Error::taken(format!("{found} was {state}: its name is never used again"))),
        }
    }

    /// Takes what versions that count as one have in common: a unique key decides which of them is first.
    async fn expect_no_twin(&self, tx: &mut Tx<'_>, package: PackageId, version: VersionId) -> Result<()> {
        let (Some(twin), Some(file)) = (&self.twin, self.files.first()) else { return Ok(()) };
        let sql =
            "INSERT INTO locations (repo_id, path, package_id, version_id, entry_path) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING";
        if tx.execute(sql, args![self.repo, *twin, package, version, file.path]).await? == 1 {
            return Ok(());
        }
        let sql = "SELECT v.version FROM locations l JOIN versions v ON v.id = l.version_id
             WHERE l.repo_id = $1 AND l.path = $2";
        let row = tx.row(sql, args![self.repo, *twin]).await?;
        let known: String = row.ok_or_else(|| Error::Defect("a location vanished".to_owned()))?.get(0)?;
        let (asked, name) = (&self.version, &self.package.display_name);
        Err(Error::conflict(format!(
            "{asked} and {known} are one version of {name}, and {known} exists or existed here"
        )))
    }

    async fn bring_back(&self, tx: &mut Tx<'_>, version: VersionId) -> Result<()> {
        let act = &self.act;
        refs::end_all_of(tx, act, version, |name| self.fixed.iter().any(|pattern| pattern.matches(name))).await?;
        tx.execute("UPDATE versions SET state = 'published' WHERE id = $1", args![version]).await?;
        let sql = "UPDATE tombstones SET to_at = $2, to_event = $3 WHERE version_id = $1 AND to_at IS NULL";
        tx.execute(sql, args![version, act.at, act.event]).await.map(drop)
    }

    /// `whole`: nothing was left out. What is not whole stays open for what is missing.
    async fn publish(&self, tx: &mut Tx<'_>, whole: bool) -> Result<()> {
        let act = &self.act;
        let sealed = (self.seal.is_none() && whole && !self.stays_open).then_some(act.at);
        let sql = "UPDATE versions SET state = 'published', published_by = $2, published_at = $3, published_event = $4,
             sealed_at = $5 WHERE id = $1";
        tx.execute(sql, args![self.id, act.actor, act.at, act.event, sealed]).await?;
        versions::schedule_seal(tx, act, self.repo, self.id, self.seal).await
    }

    async fn tell(&self, tx: &mut Tx<'_>, version: VersionId, begun: Begun, files: &[&NewFile]) -> Result<()> {
        let action = match begun {
            Begun::New if self.gather.is_some() => "package.version.draft.created",
            Begun::Gathers(_) => "package.version.entries.upserted",
            Begun::New => "package.version.published",
            Begun::Joins(_) => "package.version.extended",
            Begun::Again(_) if !files.is_empty() => "package.version.extended",
            Begun::Again(_) => "package.ref.updated",
            Begun::Back(_) => "package.version.restored",
        };
        let files: Vec<_> = files.iter().map(|file| (file, file.bytes.named())).collect();
        let files: Vec<_> = files
            .iter()
            .map(|(file, (digest, size))| json!({"path": file.path, "digest": digest, "size": size}))
            .collect();
        let id = version.to_string();
        let detail = json!({
            "packageName": self.package.name, "version": self.version, "files": files,
            "refs": self.refs.iter().map(|new| &new.name).collect::<Vec<_>>(),
        });
        record(tx, &self.act, action, On { repo: Some(self.repo), kind: "version", id: &id }, &detail).await
    }
}
