//! Changes to what was published: every right is asked for first, then one change after the other.

use std::collections::HashMap;

use formats::{Change, PackageAt, Seen, What};
use model::{Code, PackageId, Role, VersionId};
use store::marks::SetMark;
use store::refs::{EndRef, Expected, PutRef};
use store::tombstones::PutTombstone;

use crate::authorize::{Grant, Promote, Read, Write};
use crate::error::{Error, Result};
use crate::repositories::RepoSettings;

/// From so many changes on, those that change nothing are looked for first.
const FEW: usize = 3;

/// Changes that the caller may make.
pub(super) struct Allowed {
    read: Grant<Read>,
    write: Option<Grant<Write>>,
    promote: Option<Grant<Promote>>,
    changes: Vec<Change>,
}

impl Grant<Read> {
    /// Makes changes, once the caller is seen to be allowed all of them. 404 where a version or ref
    /// does not exist.
    pub async fn change(&self, changes: Vec<Change>) -> Result<()> {
        self.allow_changes(changes).await?.apply().await
    }

    pub(super) async fn allow_changes(&self, changes: Vec<Change>) -> Result<Allowed> {
        let needs = |role| changes.iter().any(|change| change.role() == role);
        let (call, key) = (self.call(), &self.repo().key);
        let write = if needs(Role::Write) { Some(call.authorize::<Write>(key).await?) } else { None };
        let promote = if needs(Role::Promote) { Some(call.authorize::<Promote>(key).await?) } else { None };
        Ok(Allowed { read: self.clone(), write, promote, changes })
    }

    /// Refuses with 409 what was made from another state of the package than the present one.
    pub(super) async fn expect_seen(&self, seen: &Seen) -> Result<()> {
        let (repo, PackageAt { namespace, name }) = (self.repo_id(), &seen.package);
        let look =
            async |session: &mut store::Session<'_>| store::facts::generation(session, repo, namespace, name).await;
        match self.store().read(look).await? {
            Some(found) if found.number == seen.state => Ok(()),
            Some(_) => Err(Error::refuse(Code::Conflict, format!("{name} has changed meanwhile: look again"))),
            None => Err(Error::not_found(&format!("the package {name}"))),
        }
    }

    async fn package(&self, change: &Change) -> Result<PackageId> {
        let (repo, at) = (self.repo_id(), &change.package);
        let look = async |session: &mut store::Session<'_>| {
            store::packages::find(session, repo, &at.namespace, &at.name).await
        };
        let found = self.store().read(look).await?;
        found.ok_or_else(|| Error::not_found(&format!("the package {}", at.name)))
    }

    /// The version whatever became of it, but for drafts.
    async fn known(&self, change: &Change, version: &str) -> Result<VersionId> {
        let (repo, at) = (self.repo_id(), &change.package);
        let look = async |session: &mut store::Session<'_>| {
            store::versions::at(session, repo, &at.namespace, &at.name, version).await
        };
        let found = self.store().read(look).await?.filter(|found| found.published_at.is_some());
        found.map(|found| found.id).ok_or_else(|| Error::not_found(&format!("version {version} of {}", at.name)))
    }

    /// The changes without the marks that are as they should be, which may be thousands.
    async fn outstanding(&self, changes: &[Change]) -> Result<Vec<Change>> {
        let mut marks: HashMap<PackageAt, Vec<store::facts::Head>> = HashMap::new();
        let mut outstanding = Vec::new();
        for change in changes {
            if let What::Mark { version, kind, text } = &change.what
                && changes.len() > FEW
            {
                if !marks.contains_key(&change.package) {
                    let package = self.package(change).await?;
                    let look =
                        async |session: &mut store::Session<'_>| store::facts::heads(session, package, None).await;
                    let mut heads = self.store().read(look).await?;
                    heads.sort_by(|one, other| one.version.cmp(&other.version));
                    marks.insert(change.package.clone(), heads);
                }
                let heads = marks.get(&change.package).map(Vec::as_slice).unwrap_or_default();
                let head = heads.binary_search_by(|head| head.version.as_str().cmp(version)).ok();
                let head = head.and_then(|place| heads.get(place));
                let now = head.map(|head| head.marks.iter().find(|(found, _)| found == kind).map(|(_, text)| text));
                if now == Some(text.as_ref()) {
                    continue;
                }
            }
            outstanding.push(change.clone());
        }
        Ok(outstanding)
    }

    async fn published(&self, change: &Change, version: &str) -> Result<VersionId> {
        let package = self.package(change).await?;
        let heads =
            self.store().read(async |session| store::facts::heads(session, package, Some(version)).await).await?;
        let head = heads.first().map(|head| head.id);
        head.ok_or_else(|| Error::not_found(&format!("version {version} of {}", change.package.name)))
    }
}

impl Allowed {
    pub(super) async fn apply(self) -> Result<()> {
        for change in &self.read.outstanding(&self.changes).await? {
            self.make(change).await?;
        }
        Ok(())
    }

    async fn make(&self, change: &Change) -> Result<()> {
        match &change.what {
            What::Mark { version, kind, text } => {
                let version = self.read.published(change, version).await?;
                let grant = self.writing()?;
                let id = grant.ambient().id();
                let (act, repo) = (grant.act(), grant.repo_id());
                let write = SetMark { act, repo, version, id, kind: *kind, text: text.clone() };
                self.read.store().write(write).await?;
            }
            What::Point { name, version } => {
                let version = self.read.published(change, version).await?;
                let grant = self.writing()?;
                let id = grant.ambient().id();
                let (act, repo, fixed) = (grant.act(), grant.repo_id(), RepoSettings::of(grant.repo())?.fixes(name));
                let (name, expected) = (name.clone(), Expected::Anything);
                self.read.store().write(PutRef { act, repo, id, name, version, expected, fixed }).await?;
            }
            What::Drop { name } => {
                let package = self.read.package(change).await?;
                let grant = self.writing()?;
                let (act, repo, fixed) = (grant.act(), grant.repo_id(), RepoSettings::of(grant.repo())?.fixes(name));
                self.read.store().write(EndRef { act, repo, package, name: name.clone(), fixed }).await?;
            }
            What::Withdraw { version, repeated } => {
                let version = match repeated {
                    true => self.read.known(change, version).await?,
                    false => self.read.published(change, version).await?,
                };
                self.withdraw(version).await?;
            }
            What::KeepOnly { versions } => {
                let package = self.read.package(change).await?;
                let published =
                    self.read.store().read(async |session| store::facts::published(session, package).await).await?;
                for (id, _) in published.iter().filter(|(_, name)| !versions.contains(name)) {
                    self.withdraw(*id).await?;
                }
            }
        }
        Ok(())
    }

    fn writing(&self) -> Result<&Grant<Write>> {
        self.write.as_ref().ok_or_else(|| Error::refuse(Code::Forbidden, "this needs the role write"))
    }

    async fn withdraw(&self, version: VersionId) -> Result<()> {
        let grant = self.promote.as_ref();
        let grant = grant.ok_or_else(|| Error::refuse(Code::Forbidden, "this needs the role promote"))?;
        let act = grant.act();
        let retain_until = act.at.plus(grant.settings().tombstone_retention);
        let (id, reason) = (grant.ambient().id(), "withdrawn by a package manager".to_owned());
        let write = PutTombstone { act, repo: grant.repo_id(), version, id, reason, retain_until };
        grant.store().write(write).await.map(drop)?;
        Ok(())
    }
}
