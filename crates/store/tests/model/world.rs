//! The model: what the store promises, without a database.

mod tokens;
mod uploads;
mod versions;

use std::collections::{BTreeMap, BTreeSet};

use model::state::{UploadState, VersionState};
use model::{PackageId, RepoId, RepoKey, Role, Sha256Digest, Timestamp, TokenId, UploadId, VersionId};
use store::admission::Limits;
use store::blobs::NewBlob;
use store::repositories::SetBinding;

use crate::steps::{Outcome, Step};

#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) repos: BTreeMap<RepoId, Repo>,
    pub(crate) packages: BTreeMap<PackageId, Package>,
    pub(crate) versions: BTreeMap<VersionId, Version>,
    pub(crate) locations: BTreeMap<(RepoId, String), (PackageId, VersionId, String)>,
    pub(crate) refs: BTreeMap<(PackageId, String), VersionId>,
    pub(crate) blobs: BTreeMap<Sha256Digest, u64>,
    pub(crate) pins: BTreeMap<(RepoId, Sha256Digest), (Timestamp, u64)>,
    pub(crate) uploads: BTreeMap<UploadId, Upload>,
    pub(crate) tokens: BTreeMap<TokenId, Token>,
    pub(crate) limits: Option<Limits>,
    pub(crate) used_bytes: u64,
    pub(crate) used_sessions: u64,
    pub(crate) seals: BTreeSet<VersionId>,
    pub(crate) events: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Repo {
    pub(crate) key: RepoKey,
    pub(crate) retired: bool,
    pub(crate) bindings: BTreeMap<String, BTreeSet<&'static str>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) repo: RepoId,
    pub(crate) name: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) repo: RepoId,
    pub(crate) package: PackageId,
    pub(crate) name: String,
    pub(crate) state: VersionState,
    pub(crate) was_published: bool,
    pub(crate) sealed: bool,
    pub(crate) entries: BTreeMap<String, Entry>,
    pub(crate) manifest: Option<String>,
    pub(crate) manifest_blob: Option<Sha256Digest>,
    pub(crate) marks: BTreeMap<&'static str, String>,
    pub(crate) retained: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) location: String,
    pub(crate) digest: Sha256Digest,
    pub(crate) size: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) repo: RepoId,
    pub(crate) state: UploadState,
    pub(crate) length: u64,
    pub(crate) expires: Timestamp,
}

#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) hash: [u8; 32],
    pub(crate) subject: String,
    pub(crate) parent: Option<TokenId>,
    pub(crate) expires: Timestamp,
    pub(crate) revoked: bool,
}

fn refuse<T>(code: &str) -> Result<T, String> {
    Err(code.to_owned())
}

fn ensure(holds: bool, code: &str) -> Result<(), String> {
    if holds { Ok(()) } else { refuse(code) }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A step happens as a whole or not at all.
    pub(crate) fn apply(&mut self, step: &Step) -> Outcome {
        let mut after = self.clone();
        let outcome = after.change(step);
        if outcome.is_ok() {
            *self = after;
        }
        outcome
    }

    fn change(&mut self, step: &Step) -> Outcome {
        match step {
            Step::CreateRepository(write) => {
                ensure(self.repos.values().all(|repo| repo.key != write.key), "conflict")?;
                let repo = Repo { key: write.key.clone(), retired: false, bindings: BTreeMap::new() };
                self.repos.insert(write.id, repo);
                self.event()
            }
            Step::RetireRepository(write) => self.retire(write.id),
            Step::SetBinding(write) => self.bind(write),
            Step::MintToken(write) => self.mint(write),
            Step::RevokeTokens(write) => self.revoke(&write.which),
            Step::SetPolicy(write) => {
                self.limits = Some(write.limits);
                self.event()
            }
            Step::PublishFile(write) => self.publish_file(write),
            Step::CreateDraft(write) => {
                self.expect_living(write.repo)?;
                self.draft(write.repo, &write.package, write.new_package, write.id, write.version.as_str())
            }
            Step::PutEntries(write) => self.put_entries(write),
            Step::RemoveEntry(write) => {
                let version = self.draft_of(write.repo, write.version)?;
                ensure(version.entries.remove(write.path.as_str()).is_some(), "not_found")?;
                self.event()
            }
            Step::PutManifest(write) => {
                self.draft_of(write.repo, write.version)?;
                let held = |digest| self.blobs.contains_key(&digest) && self.holds(write.repo, digest);
                ensure(write.blob.is_none_or(held), "conflict")?;
                let version = self.draft_of(write.repo, write.version)?;
                (version.manifest, version.manifest_blob) = (Some(write.body.clone()), write.blob);
                self.event()
            }
            Step::PublishVersion(write) => self.publish_version(write),
            Step::SealVersion(write) => {
                let version = self.published(write.repo, write.version)?;
                if !std::mem::replace(&mut version.sealed, true) {
                    self.events += 1;
                }
                Ok("true".to_owned())
            }
            Step::PutTombstone(write) => {
                let version = self.version(write.repo, write.version)?;
                if version.state == VersionState::Tombstoned {
                    return Ok("true".to_owned());
                }
                version.state = VersionState::Tombstoned;
                version.retained = Some(write.retain_until);
                self.events += 1;
                Ok("false".to_owned())
            }
            Step::Restore(write) => self.restore(write.repo, write.version, write.act.at),
            Step::SetMark(write) => self.mark(write.repo, write.version, write.kind, write.text.as_ref()),
            Step::PutRef(write) => self.put_ref(write),
            Step::CreateUpload(write) => self.create_upload(write),
            Step::AbortUpload(write) => self.abort(write.repo, write.upload),
            Step::ExpireUploads(write) => self.expire_uploads(write.act.at, write.events.len()),
            Step::ExpirePins(write) => self.expire_pins(write.act.at, write.keep_until),
            Step::Crash => Ok(String::new()),
        }
    }

    fn event(&mut self) -> Outcome {
        self.events += 1;
        Ok(String::new())
    }

    /// Nothing lands in a retired repository.
    fn expect_living(&self, id: RepoId) -> Result<(), String> {
        ensure(self.repos.get(&id).is_none_or(|repo| !repo.retired), "not_found")
    }

    fn retire(&mut self, id: RepoId) -> Outcome {
        let lives = |version: &Version| matches!(version.state, VersionState::Draft | VersionState::Published);
        ensure(!self.versions.values().any(|version| version.repo == id && lives(version)), "conflict")?;
        let repo = self.repos.get_mut(&id).filter(|repo| !repo.retired);
        let Some(repo) = repo else { return refuse("not_found") };
        repo.retired = true;
        repo.bindings.clear();
        self.event()
    }

    fn bind(&mut self, write: &SetBinding) -> Outcome {
        let Some(repo) = self.repos.get_mut(&write.repo) else { return refuse("not_found") };
        let removed = repo.bindings.remove(write.subject.as_str()).is_some();
        ensure(removed || !write.roles.is_empty(), "not_found")?;
        if !write.roles.is_empty() {
            let roles = write.roles.iter().map(|role: &Role| role.word()).collect();
            repo.bindings.insert(write.subject.as_str().to_owned(), roles);
        }
        self.event()
    }

    fn take(&mut self, bytes: u64, sessions: u64, defaults: &Limits) -> Result<(), String> {
        let limits = self.limits.unwrap_or(*defaults);
        let fits = |used: u64, more: u64, limit: u64| more == 0 || used + more <= limit;
        ensure(fits(self.used_bytes, bytes, limits.storage_bytes), "too_many_requests")?;
        ensure(fits(self.used_sessions, sessions, limits.upload_sessions), "too_many_requests")?;
        self.used_bytes += bytes;
        self.used_sessions += sessions;
        Ok(())
    }

    fn keep(&mut self, blob: &NewBlob) -> bool {
        self.blobs.insert(blob.digest, blob.length).is_none()
    }
}
