//! Packages of a repository and their versions by name.

use std::collections::BTreeMap;

use formats::PackageAt;
use model::state::{MarkKind, VersionState};
use model::{PackageId, PackageName, RepoKey, Timestamp, VersionId, VersionName};
use store::packages::{Beside, Package};
use store::versions::Version;

use super::draft::format_of;
use super::expect_not_gone;
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::remote::Youngest;
use crate::rules::{names_by_digest, package_given};

/// Refs of one version that a list shows at most.
pub(super) const NAMED: u32 = 20;

/// Versions that are looked at in one go where rules may keep out most of them.
const LOOKED_AT: u32 = 200;

/// A version in a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The repository that it is in: of a virtual one, the member.
    pub repo: RepoKey,
    /// The version itself.
    pub version: Version,
    /// The names of the refs that point at it, 20 at most.
    pub refs: Vec<String>,
    /// The marks in force.
    pub marks: Vec<MarkKind>,
    /// The length of its files together, in bytes.
    pub size: u64,
    /// When it was published where it comes from; `None`: that is not known here.
    pub told_at: Option<Timestamp>,
}

/// What is known of the versions of a package that come from elsewhere.
struct Elsewhere {
    ruled: bool,
    /// Those that the rules let through.
    kept: BTreeMap<VersionId, Youngest>,
    /// Tags that are no refs here, and what they stand for.
    tags: Vec<(String, String)>,
}

impl<A> Grant<A> {
    /// The namespace and the name of the package that is meant: `group:artifact` says both, where names have a namespace.
    /// 400 where one is missing, or the two do not agree.
    pub fn package_meant(&self, namespace: String, name: PackageName) -> Result<(String, PackageName)> {
        let format = format_of(self.repo())?;
        if !format.has_namespaces() || !(namespace.is_empty() || name.as_str().contains(':')) {
            return Ok((namespace, name));
        }
        let at = package_given(format, &name)?;
        if !namespace.is_empty() && namespace != at.namespace {
            let why = format!("'{name}' names another namespace than '{namespace}'");
            return Err(Error::bad_field("namespace", why));
        }
        Ok((at.namespace, PackageName::parse(&at.name)?))
    }
}

impl Grant<Read> {
    /// Packages whose normalised name begins with `prefix`, in the order of (name, namespace), after
    /// the given one. Those with a published version; for writers those with a draft too. Nothing that rules keep out.
    pub async fn packages(&self, prefix: &str, after: (&str, &str), limit: u32) -> Result<Vec<Package>> {
        if prefix.contains('\0') || after.0.contains('\0') || after.1.contains('\0') {
            return Err(Error::bad_request("a name holds no NUL"));
        }
        let drafts = self.sees_drafts() && self.instant().is_none() && !self.is_virtual() && !self.is_ruled();
        match drafts {
            true => self.page_of_all(prefix, after, Beside::Drafts, limit).await,
            false => self.packages_read(prefix, after, limit).await,
        }
    }

    /// The same, as readers see it.
    pub(super) async fn packages_read(&self, prefix: &str, after: (&str, &str), limit: u32) -> Result<Vec<Package>> {
        match self.is_virtual() || self.is_ruled() {
            true => self.packages_shown(prefix, after, limit).await,
            false => self.page_of_all(prefix, after, Beside::Nothing, limit).await,
        }
    }

    /// The versions of a package, youngest first, those begun before `before`; withdrawn ones with
    /// their state, and nothing that rules keep out. 404 when there is no such package, or none that the caller may know of.
    pub async fn versions(
        &self,
        namespace: &str,
        name: &PackageName,
        before: Option<VersionId>,
        limit: u32,
    ) -> Result<Vec<Listed>> {
        if self.is_virtual() {
            return self.versions_of_members(namespace, name, before, limit).await;
        }
        let package = self.find_package(namespace, name).await?;
        let at = PackageAt { namespace: namespace.to_owned(), name: self.counted(name)? };
        let elsewhere = if self.is_remote() { Some(self.elsewhere(&at).await?) } else { None };
        let listed = match elsewhere {
            Some(elsewhere) => self.page_shown(package, before, limit, &elsewhere).await?,
            None => self.page_of_versions(package, before, limit).await?,
        };
        if listed.is_empty() && before.is_none() {
            return Err(Error::not_found(&format!("the package {name}")));
        }
        Ok(listed)
    }

    /// As many as are wanted of those that the rules let through.
    async fn page_shown(
        &self,
        package: PackageId,
        mut before: Option<VersionId>,
        limit: u32,
        elsewhere: &Elsewhere,
    ) -> Result<Vec<Listed>> {
        let (wanted, each) = (limit as usize, if elsewhere.ruled { limit.max(LOOKED_AT) } else { limit });
        let mut listed = Vec::new();
        loop {
            let page = self.page_of_versions(package, before, each).await?;
            let is_last = page.len() < each as usize;
            before = page.last().map(|last| last.version.id).or(before);
            listed.extend(page.into_iter().filter_map(|one| elsewhere.shown(one)));
            if is_last || listed.len() >= wanted {
                listed.truncate(wanted);
                return Ok(listed);
            }
        }
    }

    async fn page_of_versions(&self, package: PackageId, before: Option<VersionId>, limit: u32) -> Result<Vec<Listed>> {
        let (drafts, repo) = (self.sees_drafts(), &self.repo().key);
        let look = async |session: &mut store::Session<'_>| {
            let found = store::versions::list(session, package, before, drafts, limit).await?;
            let (Some(first), Some(last)) = (found.first(), found.last()) else { return Ok(Vec::new()) };
            let all = (last.id, first.id);
            let (refs, marks) = store::versions::names_and_marks(session, package, all, NAMED).await?;
            let sizes = store::versions::sizes(session, package, all).await?;
            Ok(found.into_iter().map(|version| listed(repo, version, &refs, &marks, &sizes)).collect())
        };
        Ok(self.store().snapshot(look).await?)
    }

    async fn elsewhere(&self, at: &PackageAt) -> Result<Elsewhere> {
        let tags = match names_by_digest(format_of(self.repo())?) {
            true => self.tags_let_through(at, None).await?,
            false => Vec::new(),
        };
        Ok(Elsewhere { ruled: self.is_ruled(), kept: self.let_through(at).await?, tags })
    }

    /// The version with exactly this name, and the repository that it is in: of a virtual one, the member. 404 when there
    /// is none, 410 when it was withdrawn.
    pub async fn resolve(
        &self,
        namespace: &str,
        name: &PackageName,
        version: &VersionName,
    ) -> Result<(RepoKey, Version)> {
        if self.is_virtual() {
            return self.resolve_in_members(namespace, name, version).await;
        }
        let (repo, normalised) = (self.repo_id(), self.counted(name)?);
        let look = async |session: &mut store::Session<'_>| {
            store::versions::at(session, repo, namespace, &normalised, version.as_str()).await
        };
        let found = self.store().read(look).await?.filter(|found| self.shows(found));
        let found = found.ok_or_else(|| Error::not_found(&format!("version {version} of {name}")))?;
        if found.state == VersionState::Tombstoned && found.published_at.is_none() && !self.sees_drafts() {
            return Err(Error::not_found(&format!("version {version} of {name}")));
        }
        expect_not_gone(&found)?;
        Ok((self.repo().key.clone(), found))
    }

    /// What counts of a package's name here.
    pub(crate) fn counted(&self, name: &PackageName) -> Result<String> {
        let format = format_of(self.repo())?;
        Ok(if self.is_remote() { format.as_written(name) } else { format.normalise(name) })
    }

    /// 404 also for a package of drafts only, where the caller may not know of drafts.
    pub(super) async fn find_package(&self, namespace: &str, name: &PackageName) -> Result<PackageId> {
        let (repo, normalised) = (self.repo_id(), self.counted(name)?);
        let drafts = self.sees_drafts();
        let look = async |session: &mut store::Session<'_>| {
            store::packages::find_shown(session, repo, namespace, &normalised, drafts).await
        };
        let found = self.store().read(look).await?;
        found.ok_or_else(|| Error::not_found(&format!("the package {name}")))
    }
}

impl Elsewhere {
    /// `None`: the rules keep it out. Withdrawn ones are shown, as nobody gets them.
    fn shown(&self, one: Listed) -> Option<Listed> {
        let kept = self.kept.get(&one.version.id);
        if self.ruled && kept.is_none() && one.version.state == VersionState::Published {
            return None;
        }
        let tags = self.tags.iter().filter(|(_, named)| *named == one.version.version).map(|(tag, _)| tag.clone());
        let refs = one.refs.iter().cloned().chain(tags).take(NAMED as usize).collect();
        Some(Listed { refs, told_at: kept.and_then(|kept| kept.published_at), ..one })
    }
}

fn listed(
    repo: &RepoKey,
    version: Version,
    refs: &[(VersionId, String)],
    marks: &[(VersionId, MarkKind)],
    sizes: &[(VersionId, u64)],
) -> Listed {
    let refs = refs.iter().filter(|(id, _)| *id == version.id).map(|(_, name)| name.clone()).collect();
    let marks = marks.iter().filter(|(id, _)| *id == version.id).map(|(_, kind)| *kind).collect();
    let size = sizes.iter().find(|(id, _)| *id == version.id).map_or(0, |(_, size)| *size);
    Listed { repo: repo.clone(), refs, marks, size, told_at: version.published_at, version }
}
