//! Packages, versions and refs in the model.

use std::collections::{BTreeMap, BTreeSet};

use model::state::{MarkKind, VersionState};
use model::{EntryPath, PackageId, RepoId, Sha256Digest, Timestamp, VersionId};
use store::entries::{NewEntry, PutEntries};
use store::packages::Coordinate;
use store::publish::{PublishFile, Replace};
use store::refs::{Expected, PutRef};
use store::versions::PublishVersion;

use super::{Entry, Package, Version, World, ensure, refuse};
use crate::steps::Outcome;

impl World {
    /// The package at a coordinate and whether it is new.
    pub(super) fn ensure_package(&mut self, repo: RepoId, at: &Coordinate, new: PackageId) -> (PackageId, bool) {
        let known = self.packages.iter().find(|(_, package)| package.repo == repo && package.name == at.name);
        if let Some((id, _)) = known {
            return (*id, false);
        }
        self.packages.insert(new, Package { repo, name: at.name.clone() });
        (new, true)
    }

    pub(super) fn publish_file(&mut self, write: &PublishFile) -> Outcome {
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
        let name = self.next_number(write.repo, &path, package).to_string();
        self.take(write.blob.length, 0, &write.limits)?;
        let kept = self.keep(&write.blob);
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
            manifest_blob: None,
            marks: BTreeMap::new(),
            retained: None,
        };
        self.versions.insert(write.version, version);
        self.occupy(write.repo, &path, package, write.version, &path, write.overwrite)?;
        self.events += 1;
        Ok(format!("{name} kept {kept}"))
    }

    /// The number after that at the path; where it is taken, a free one above it.
    fn next_number(&self, repo: RepoId, path: &str, package: PackageId) -> u64 {
        let is_taken = |number: u64| self.of_package(package).any(|(_, it)| it.name == number.to_string());
        let there = self.locations.get(&(repo, path.to_owned())).map(|(_, version, _)| &self.versions[version].name);
        let first = there.and_then(|name| name.parse().ok()).unwrap_or(0) + 1;
        if !is_taken(first) {
            return first;
        }
        let steps: Vec<u64> = (0..).map(|power| first + (1 << power)).take_while(|it| is_taken(*it)).collect();
        let (mut taken, mut free) = (*steps.last().unwrap_or(&first), first + (1 << steps.len()));
        while free - taken > 1 {
            let middle = taken + (free - taken) / 2;
            if is_taken(middle) { taken = middle } else { free = middle }
        }
        free
    }

    /// What readers get at a path.
    pub(crate) fn published_at(&self, repo: RepoId, path: &str) -> Option<Sha256Digest> {
        let (_, version, entry) = self.locations.get(&(repo, path.to_owned()))?;
        let version = self.versions.get(version)?;
        (version.state == VersionState::Published).then(|| version.entries.get(entry).map(|it| it.digest))?
    }

    pub(super) fn of_package(&self, package: PackageId) -> impl Iterator<Item = (&VersionId, &Version)> {
        self.versions.iter().filter(move |(_, version)| version.package == package)
    }

    pub(super) fn occupy(
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

    pub(super) fn draft(
        &mut self,
        repo: RepoId,
        at: &Coordinate,
        new: PackageId,
        id: VersionId,
        name: &str,
    ) -> Outcome {
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
            manifest_blob: None,
            marks: BTreeMap::new(),
            retained: None,
        };
        self.versions.insert(id, version);
        self.events += 1;
        Ok(format!("{id} false"))
    }

    pub(super) fn version(&mut self, repo: RepoId, id: VersionId) -> Result<&mut Version, String> {
        self.versions.get_mut(&id).filter(|version| version.repo == repo).ok_or_else(|| "not_found".to_owned())
    }

    pub(super) fn draft_of(&mut self, repo: RepoId, id: VersionId) -> Result<&mut Version, String> {
        let version = self.version(repo, id)?;
        ensure(version.state == VersionState::Draft, "conflict")?;
        Ok(version)
    }

    pub(super) fn published(&mut self, repo: RepoId, id: VersionId) -> Result<&mut Version, String> {
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
            || self.versions.values().any(|version| version.repo == repo && lives(version) && version.needs(digest))
    }

    /// Whether readers of a repository can have the bytes.
    pub(super) fn shows(&self, repo: RepoId, digest: Sha256Digest) -> bool {
        let shown = |version: &Version| version.repo == repo && version.state == VersionState::Published;
        self.pins.contains_key(&(repo, digest))
            || self
                .versions
                .values()
                .any(|version| shown(version) && version.entries.values().any(|entry| entry.digest == digest))
    }

    pub(super) fn put_entries(&mut self, write: &PutEntries) -> Outcome {
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

    pub(super) fn publish_version(&mut self, write: &PublishVersion) -> Outcome {
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
        let needed = self.versions[&write.version].size(&self.blobs);
        let pinned: BTreeSet<_> =
            self.blobs.keys().filter(|it| self.versions[&write.version].needs(**it)).copied().collect();
        let freed: u64 =
            pinned.iter().filter_map(|digest| self.pins.remove(&(write.repo, *digest))).map(|pin| pin.1).sum();
        if freed > needed {
            self.used_bytes -= freed - needed;
        } else {
            self.take(needed - freed, 0, &write.limits)?;
        }
        self.events += 1;
        Ok("false".to_owned())
    }

    pub(super) fn restore(&mut self, repo: RepoId, id: VersionId, now: Timestamp) -> Outcome {
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

    pub(super) fn mark(&mut self, repo: RepoId, id: VersionId, kind: MarkKind, text: Option<&String>) -> Outcome {
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

    pub(super) fn put_ref(&mut self, write: &PutRef) -> Outcome {
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
}
