//! The model: what the store promises, without a database.

use std::collections::{BTreeMap, BTreeSet};

use model::state::{MarkKind, UploadState, VersionState};
use model::{EntryPath, PackageId, RepoId, RepoKey, Role, Sha256Digest, Timestamp, TokenId, UploadId, VersionId};
use store::admission::Limits;
use store::blobs::NewBlob;
use store::entries::{NewEntry, PutEntries};
use store::packages::Coordinate;
use store::publish::{PublishFile, Replace};
use store::refs::{Expected, PutRef};
use store::repositories::SetBinding;
use store::tokens::{MintToken, Revoke};
use store::uploads::CreateUpload;
use store::versions::PublishVersion;

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
                self.draft_of(write.repo, write.version)?.manifest = Some(write.body.clone());
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
            Step::ExpirePins(write) => self.expire_pins(write.act.at),
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

    fn mint(&mut self, write: &MintToken) -> Outcome {
        let (token, now) = (&write.token, write.act.at);
        let lives = |parent| self.tokens.get(&parent).is_some_and(|parent| !parent.revoked && parent.expires > now);
        ensure(token.parent.is_none_or(lives), "unauthorized")?;
        let minted = Token {
            hash: token.hash,
            subject: token.subject.to_string(),
            parent: token.parent,
            expires: token.expires_at,
            revoked: false,
        };
        self.tokens.insert(token.id, minted);
        self.event()
    }

    fn revoke(&mut self, which: &Revoke) -> Outcome {
        let hit: BTreeSet<TokenId> = match which {
            Revoke::Token(id) => self.line_of(*id),
            Revoke::Subject(subject) => {
                let of = |(id, token): (&TokenId, &Token)| (token.subject == subject.as_str()).then_some(*id);
                self.tokens.iter().filter_map(of).collect()
            }
            Revoke::AllBut(own) => self.tokens.keys().copied().filter(|id| id != own).collect(),
        };
        let mut revoked = 0;
        for (_, token) in self.tokens.iter_mut().filter(|(id, token)| hit.contains(id) && !token.revoked) {
            token.revoked = true;
            revoked += 1;
        }
        ensure(revoked > 0 || !matches!(which, Revoke::Token(_)), "not_found")?;
        self.events += 1;
        Ok(revoked.to_string())
    }

    /// A token and all that were made from it.
    fn line_of(&self, id: TokenId) -> BTreeSet<TokenId> {
        let mut line = BTreeSet::new();
        if self.tokens.contains_key(&id) {
            line.insert(id);
        }
        loop {
            let of = |(id, token): (&TokenId, &Token)| {
                (token.parent.is_some_and(|parent| line.contains(&parent)) && !line.contains(id)).then_some(*id)
            };
            let more: Vec<_> = self.tokens.iter().filter_map(of).collect();
            if more.is_empty() {
                return line;
            }
            line.extend(more);
        }
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

    /// The package at a coordinate and whether it is new.
    fn ensure_package(&mut self, repo: RepoId, at: &Coordinate, new: PackageId) -> (PackageId, bool) {
        let known = self.packages.iter().find(|(_, package)| package.repo == repo && package.name == at.name);
        if let Some((id, _)) = known {
            return (*id, false);
        }
        self.packages.insert(new, Package { repo, name: at.name.clone() });
        (new, true)
    }

    fn publish_file(&mut self, write: &PublishFile) -> Outcome {
        self.expect_living(write.repo)?;
        let (package, is_new) = self.ensure_package(write.repo, &write.package, write.new_package);
        let path = write.path.as_str().to_owned();
        let there = self.published_at(write.repo, &path);
        let holds = match &write.replace {
            Replace::Anything => true,
            Replace::Nothing => there.is_none(),
            Replace::Something => there.is_some(),
            Replace::OneOf(digests) => there.is_some_and(|digest| digests.contains(&digest)),
        };
        ensure(holds, "precondition_failed")?;
        ensure(is_new || write.overwrite, "conflict")?;
        let name = (self.of_package(package).count() + 1).to_string();
        self.take(write.blob.length, 0, &write.limits)?;
        let kept = self.keep(&write.blob);
        ensure(self.of_package(package).all(|(_, version)| version.name != name), "conflict")?;
        let entry = Entry { location: path.clone(), digest: write.blob.digest, size: write.blob.length };
        let version = Version {
            repo: write.repo,
            package,
            name: name.clone(),
            state: VersionState::Published,
            was_published: true,
            sealed: true,
            entries: [(path.clone(), entry)].into(),
            manifest: None,
            marks: BTreeMap::new(),
            retained: None,
        };
        self.versions.insert(write.version, version);
        self.occupy(write.repo, &path, package, write.version, &path, write.overwrite)?;
        self.events += 1;
        Ok(format!("{name} kept {kept}"))
    }

    /// What readers get at a path.
    pub(crate) fn published_at(&self, repo: RepoId, path: &str) -> Option<Sha256Digest> {
        let (_, version, entry) = self.locations.get(&(repo, path.to_owned()))?;
        let version = self.versions.get(version)?;
        (version.state == VersionState::Published).then(|| version.entries.get(entry).map(|it| it.digest))?
    }

    fn of_package(&self, package: PackageId) -> impl Iterator<Item = (&VersionId, &Version)> {
        self.versions.iter().filter(move |(_, version)| version.package == package)
    }

    fn occupy(
        &mut self,
        repo: RepoId,
        location: &str,
        package: PackageId,
        version: VersionId,
        entry: &str,
        overwrite: bool,
    ) -> Result<(), String> {
        let at = (repo, location.to_owned());
        if let Some((owner, ..)) = self.locations.get(&at) {
            ensure(overwrite && *owner == package, "conflict")?;
        }
        self.locations.insert(at, (package, version, entry.to_owned()));
        Ok(())
    }

    fn draft(&mut self, repo: RepoId, at: &Coordinate, new: PackageId, id: VersionId, name: &str) -> Outcome {
        let (package, _) = self.ensure_package(repo, at, new);
        let known = self.of_package(package).find(|(_, version)| version.name == name);
        if let Some((known, version)) = known {
            ensure(version.state == VersionState::Draft, "conflict")?;
            let known = *known;
            self.events += 1;
            return Ok(format!("{known} true"));
        }
        let version = Version {
            repo,
            package,
            name: name.to_owned(),
            state: VersionState::Draft,
            was_published: false,
            sealed: false,
            entries: BTreeMap::new(),
            manifest: None,
            marks: BTreeMap::new(),
            retained: None,
        };
        self.versions.insert(id, version);
        self.events += 1;
        Ok(format!("{id} false"))
    }

    fn version(&mut self, repo: RepoId, id: VersionId) -> Result<&mut Version, String> {
        self.versions.get_mut(&id).filter(|version| version.repo == repo).ok_or_else(|| "not_found".to_owned())
    }

    fn draft_of(&mut self, repo: RepoId, id: VersionId) -> Result<&mut Version, String> {
        let version = self.version(repo, id)?;
        ensure(version.state == VersionState::Draft, "conflict")?;
        Ok(version)
    }

    fn published(&mut self, repo: RepoId, id: VersionId) -> Result<&mut Version, String> {
        let version = self.version(repo, id)?;
        match version.state {
            VersionState::Published => Ok(version),
            VersionState::Draft => refuse("conflict"),
            _ => refuse("gone"),
        }
    }

    /// Whether a repository holds the bytes: pinned, or in a version that is not withdrawn.
    pub(crate) fn holds(&self, repo: RepoId, digest: Sha256Digest) -> bool {
        let lives = |version: &Version| matches!(version.state, VersionState::Draft | VersionState::Published);
        self.pins.contains_key(&(repo, digest))
            || self.versions.values().any(|version| {
                version.repo == repo && lives(version) && version.entries.values().any(|entry| entry.digest == digest)
            })
    }

    /// Whether readers of a repository can have the bytes.
    fn shows(&self, repo: RepoId, digest: Sha256Digest) -> bool {
        let shown = |version: &Version| version.repo == repo && version.state == VersionState::Published;
        self.pins.contains_key(&(repo, digest))
            || self
                .versions
                .values()
                .any(|version| shown(version) && version.entries.values().any(|entry| entry.digest == digest))
    }

    fn put_entries(&mut self, write: &PutEntries) -> Outcome {
        let mut entries = self.draft_of(write.repo, write.version)?.entries.clone();
        for new in &write.entries {
            ensure(self.blobs.get(&new.digest) == Some(&new.size) && self.holds(write.repo, new.digest), "conflict")?;
            let NewEntry { path, location, digest, size, .. } = new;
            let entry = Entry { location: location.as_str().to_owned(), digest: *digest, size: *size };
            entries.insert(path.as_str().to_owned(), entry);
        }
        let twin = |path: &String| EntryPath::parse(path).expect("a path").twin();
        let twins: BTreeSet<_> = entries.keys().map(twin).collect();
        ensure(twins.len() == entries.len(), "conflict")?;
        let total = entries.len();
        self.draft_of(write.repo, write.version)?.entries = entries;
        self.events += 1;
        Ok(total.to_string())
    }

    fn publish_version(&mut self, write: &PublishVersion) -> Outcome {
        let version = self.version(write.repo, write.version)?;
        if version.state == VersionState::Published {
            return Ok("true".to_owned());
        }
        let version = self.draft_of(write.repo, write.version)?;
        ensure(!version.entries.is_empty() && version.manifest.is_some(), "conflict")?;
        version.state = VersionState::Published;
        version.was_published = true;
        version.sealed = write.seal.is_none();
        let (package, entries) = (version.package, version.entries.clone());
        let locations: BTreeSet<_> = entries.values().map(|entry| &entry.location).collect();
        ensure(locations.len() == entries.len(), "conflict")?;
        for (path, entry) in &entries {
            self.occupy(write.repo, &entry.location, package, write.version, path, write.overwrite)?;
        }
        if write.seal.is_some() {
            self.seals.insert(write.version);
        }
        let pinned: BTreeSet<_> = entries.values().map(|entry| entry.digest).collect();
        let freed: u64 =
            pinned.iter().filter_map(|digest| self.pins.remove(&(write.repo, *digest))).map(|pin| pin.1).sum();
        let needed: u64 = entries.values().map(|entry| entry.size).sum();
        if freed > needed {
            self.used_bytes -= freed - needed;
        } else {
            self.take(needed - freed, 0, &write.limits)?;
        }
        self.events += 1;
        Ok("false".to_owned())
    }

    fn restore(&mut self, repo: RepoId, id: VersionId, now: Timestamp) -> Outcome {
        let version = self.version(repo, id)?;
        match version.state {
            VersionState::Published => {}
            VersionState::Draft => return refuse("conflict"),
            _ => {
                ensure(version.was_published, "conflict")?;
                ensure(version.retained.is_some_and(|until| until > now), "gone")?;
                version.state = VersionState::Published;
                version.retained = None;
                self.events += 1;
            }
        }
        Ok("published".to_owned())
    }

    fn mark(&mut self, repo: RepoId, id: VersionId, kind: MarkKind, text: Option<&String>) -> Outcome {
        let version = self.published(repo, id)?;
        if version.marks.get(kind.word()) == text {
            return Ok("false".to_owned());
        }
        match text {
            Some(text) => version.marks.insert(kind.word(), text.clone()),
            None => version.marks.remove(kind.word()),
        };
        self.events += 1;
        Ok("true".to_owned())
    }

    fn put_ref(&mut self, write: &PutRef) -> Outcome {
        let package = self.published(write.repo, write.version)?.package;
        let at = (package, write.name.as_str().to_owned());
        let before = self.refs.get(&at).copied();
        let holds = match write.expected {
            Expected::Anything => true,
            Expected::Nothing => before.is_none(),
            Expected::Version(version) => before == Some(version),
        };
        ensure(holds, "precondition_failed")?;
        if before != Some(write.version) {
            self.refs.insert(at, write.version);
            self.events += 1;
        }
        Ok(write.version.to_string())
    }

    fn create_upload(&mut self, write: &CreateUpload) -> Outcome {
        self.expect_living(write.repo)?;
        self.take(write.length, 0, &write.limits)?;
        let known = self.blobs.get(&write.digest).copied();
        let shown = known.is_some() && write.readable.iter().any(|repo| self.shows(*repo, write.digest));
        let state = if shown {
            ensure(known == Some(write.length), "conflict")?;
            let (until, charged) = self.pins.entry((write.repo, write.digest)).or_insert((write.pin_until, 0));
            *until = (*until).max(write.pin_until);
            *charged += write.length;
            UploadState::Committed
        } else {
            self.take(0, 1, &write.limits)?;
            UploadState::Initiated
        };
        let upload = Upload { repo: write.repo, state, length: write.length, expires: write.expires_at };
        self.uploads.insert(write.id, upload);
        self.events += 1;
        Ok(state.to_string())
    }

    fn abort(&mut self, repo: RepoId, id: UploadId) -> Outcome {
        let upload = self.uploads.get_mut(&id).filter(|upload| upload.repo == repo);
        let Some(upload) = upload else { return refuse("not_found") };
        ensure(upload.state != UploadState::Committed, "conflict")?;
        if upload.state != UploadState::Aborted {
            upload.state = UploadState::Aborted;
            self.used_bytes -= upload.length;
            self.used_sessions -= 1;
            self.events += 1;
        }
        Ok(UploadState::Aborted.to_string())
    }

    fn expire_uploads(&mut self, now: Timestamp, limit: usize) -> Outcome {
        let mut due: Vec<_> = self.uploads.values_mut().filter(|it| it.state.is_open() && it.expires <= now).collect();
        due.sort_by_key(|upload| upload.expires);
        due.truncate(limit);
        let ended = due.len();
        for upload in due {
            upload.state = UploadState::Aborted;
            self.used_bytes -= upload.length;
            self.used_sessions -= 1;
            self.events += 1;
        }
        Ok(ended.to_string())
    }

    fn expire_pins(&mut self, now: Timestamp) -> Outcome {
        let due: Vec<_> = self.pins.iter().filter(|(_, (until, _))| *until <= now).map(|(at, _)| *at).collect();
        for at in &due {
            self.used_bytes -= self.pins.remove(at).map_or(0, |(_, charged)| charged);
        }
        self.events += u64::from(!due.is_empty());
        Ok(due.len().to_string())
    }
}
