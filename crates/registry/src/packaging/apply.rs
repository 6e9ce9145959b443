//! Changes to what was published: every right is asked for first, then what is meant is looked up, and
//! all of it is one write.

use std::collections::{HashMap, HashSet};

use formats::{Change, PackageAt, What};
use model::state::MarkKind;
use model::{Code, PackageId, Role, VersionId};
use store::marks::SetMark;
use store::perform::{self, Perform};
use store::refs::{EndRef, Expected, PutRef};
use store::releases::PublishRelease;
use store::tombstones::PutTombstone;
use store::{When, facts};

use crate::authorize::{Grant, Promote, Read, Write};
use crate::error::{Error, Result};
use crate::repositories::RepoSettings;

/// From so many changes on, all versions of their packages are read at once.
const FEW: usize = 3;

/// Changes that the caller may make.
pub(super) struct Allowed {
    read: Grant<Read>,
    write: Option<Grant<Write>>,
    promote: Option<Grant<Promote>>,
    changes: Vec<Change>,
}

impl Grant<Read> {
    /// Makes changes, once the caller is seen to be allowed all of them: all or none. 404 where a version
    /// or ref does not exist.
    pub async fn change(&self, changes: Vec<Change>) -> Result<()> {
        let changes = self.allow_changes(changes).await?.meant(None).await?;
        if changes.is_empty() {
            return Ok(());
        }
        Ok(self.registry().deposit(Perform { changes, ..Perform::default() }).await?)
    }

    pub(super) async fn allow_changes(&self, changes: Vec<Change>) -> Result<Allowed> {
        let needs = |role| changes.iter().any(|change| change.role() == role);
        let (call, key) = (self.call(), &self.repo().key);
        let write = if needs(Role::Write) { Some(call.authorize::<Write>(key).await?) } else { None };
        let promote = if needs(Role::Promote) { Some(call.authorize::<Promote>(key).await?) } else { None };
        Ok(Allowed { read: self.clone(), write, promote, changes })
    }

    async fn package(&self, at: &PackageAt) -> Result<PackageId> {
        let repo = self.repo_id();
        let look = async |session: &mut store::Session<'_>| {
            store::packages::find(session, repo, &at.namespace, &at.name).await
        };
        let found = self.store().read(look).await?;
        found.ok_or_else(|| Error::not_found(&format!("the package {}", at.name)))
    }

    /// The version whatever became of it, but for drafts.
    async fn known(&self, at: &PackageAt, version: &str) -> Result<VersionId> {
        let repo = self.repo_id();
        let look = async |session: &mut store::Session<'_>| {
            store::versions::at(session, repo, &at.namespace, &at.name, version).await
        };
        let found = self.store().read(look).await?.filter(|found| found.published_at.is_some());
        found.map(|found| found.id).ok_or_else(|| Error::not_found(&format!("version {version} of {}", at.name)))
    }
}

/// Published versions of packages, by name.
#[derive(Default)]
struct Heads(HashMap<PackageAt, Vec<facts::Head>>);

impl Heads {
    /// The published version; with `all`, those of its whole package are read.
    async fn find(&mut self, read: &Grant<Read>, at: &PackageAt, version: &str, all: bool) -> Result<facts::Head> {
        let unknown = || Error::not_found(&format!("version {version} of {}", at.name));
        if !all {
            let package = read.package(at).await?;
            let look =
                async |session: &mut store::Session<'_>| facts::heads(session, package, Some(version), When::Now).await;
            return read.store().read(look).await?.into_iter().next().ok_or_else(unknown);
        }
        if !self.0.contains_key(at) {
            let package = read.package(at).await?;
            let look = async |session: &mut store::Session<'_>| facts::heads(session, package, None, When::Now).await;
            let mut heads = read.store().read(look).await?;
            heads.sort_by(|one, other| one.version.cmp(&other.version));
            self.0.insert(at.clone(), heads);
        }
        let heads = self.0.get(at).map(Vec::as_slice).unwrap_or_default();
        let place = heads.binary_search_by(|head| head.version.as_str().cmp(version)).ok();
        place.and_then(|place| heads.get(place)).cloned().ok_or_else(unknown)
    }
}

impl Allowed {
    /// The changes in the terms of the store, without the marks that are as they should be, which may be
    /// thousands. `release`: what is published in the same write.
    pub(super) async fn meant(&self, release: Option<&PublishRelease>) -> Result<Vec<perform::Change>> {
        let mut heads = Heads::default();
        let mut meant = Vec::new();
        for change in &self.changes {
            let at = &change.package;
            match &change.what {
                What::Mark { version, kind, text } => {
                    if let Some(new) = release.filter(|new| names(new, at, version)) {
                        meant.push(self.mark(new.id, *kind, text.as_ref())?);
                        continue;
                    }
                    let head = heads.find(&self.read, at, version, self.changes.len() > FEW).await?;
                    let now = head.marks.iter().find(|(found, _)| found == kind).map(|(_, text)| text);
                    if now != text.as_ref() {
                        meant.push(self.mark(head.id, *kind, text.as_ref())?);
                    }
                }
                What::Point { name, version } => {
                    let head = heads.find(&self.read, at, version, self.changes.len() > FEW).await?;
                    let grant = self.writing()?;
                    let (id, act, repo) = (grant.ambient().id(), grant.act(), grant.repo_id());
                    let fixed = RepoSettings::of(grant.repo())?.fixes(name);
                    let (name, version, expected) = (name.clone(), head.id, Expected::Anything);
                    meant.push(perform::Change::Point(PutRef { act, repo, id, name, version, expected, fixed }));
                }
                What::Drop { name } => {
                    let (package, grant) = (self.read.package(at).await?, self.writing()?);
                    let (act, repo, fixed) =
                        (grant.act(), grant.repo_id(), RepoSettings::of(grant.repo())?.fixes(name));
                    let (name, expected) = (name.clone(), Expected::Anything);
                    meant.push(perform::Change::Drop(EndRef { act, repo, package, name, expected, fixed }));
                }
                What::Withdraw { version, repeated: true } => {
                    meant.push(self.withdraw(self.read.known(at, version).await?)?);
                }
                What::Withdraw { version, repeated: false } => {
                    meant.push(self.withdraw(heads.find(&self.read, at, version, false).await?.id)?);
                }
                What::KeepOnly { versions } => {
                    let package = self.read.package(at).await?;
                    let look = async |session: &mut store::Session<'_>| facts::published(session, package).await;
                    let kept: HashSet<&String> = versions.iter().collect();
                    for (id, name) in self.read.store().read(look).await? {
                        if !kept.contains(&name) {
                            meant.push(self.withdraw(id)?);
                        }
                    }
                }
            }
        }
        Ok(meant)
    }

    fn writing(&self) -> Result<&Grant<Write>> {
        self.write.as_ref().ok_or_else(|| Error::refuse(Code::Forbidden, "this needs the role write"))
    }

    fn mark(&self, version: VersionId, kind: MarkKind, text: Option<&String>) -> Result<perform::Change> {
        let grant = self.writing()?;
        let (act, repo, id, text) = (grant.act(), grant.repo_id(), grant.ambient().id(), text.cloned());
        Ok(perform::Change::Mark(SetMark { act, repo, version, id, kind, text }))
    }

    fn withdraw(&self, version: VersionId) -> Result<perform::Change> {
        let grant = self.promote.as_ref();
        let grant = grant.ok_or_else(|| Error::refuse(Code::Forbidden, "this needs the role promote"))?;
        let act = grant.act();
        let retain_until = act.at.plus(grant.settings().tombstone_retention);
        let (repo, id, reason) = (grant.repo_id(), grant.ambient().id(), "withdrawn by a package manager".to_owned());
        Ok(perform::Change::Withdraw(PutTombstone { act, repo, version, id, reason, retain_until }))
    }
}

/// Whether this is the version that the release publishes.
fn names(release: &PublishRelease, at: &PackageAt, version: &str) -> bool {
    (release.package.namespace.as_str(), release.package.name.as_str(), release.version.as_str())
        == (at.namespace.as_str(), at.name.as_str(), version)
}
