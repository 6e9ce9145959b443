//! Packages of a repository and their versions by name.

use model::state::{MarkKind, VersionState};
use model::{PackageId, PackageName, RepoKey, VersionId, VersionName};
use store::packages::{Beside, Package};
use store::versions::Version;

use super::draft::format_of;
use super::expect_not_gone;
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::rules::package_given;

/// Refs of one version that a list shows at most.
const NAMED: u32 = 20;

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
    /// the given one. Those with a published version; for writers those with a draft too.
    pub async fn packages(&self, prefix: &str, after: (&str, &str), limit: u32) -> Result<Vec<Package>> {
        if prefix.contains('\0') || after.0.contains('\0') || after.1.contains('\0') {
            return Err(Error::bad_request("a name holds no NUL"));
        }
        if self.is_virtual() {
            return self.packages_of_members(prefix, after, limit).await;
        }
        let drafts = self.sees_drafts() && self.instant().is_none();
        let beside = if drafts { Beside::Drafts } else { Beside::Nothing };
        self.page_of_all(prefix, after, beside, limit).await
    }

    /// The versions of a package, youngest first, those begun before `before`; withdrawn ones with
    /// their state. 404 when there is no such package, or none that the caller may know of.
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
        let (package, drafts, repo) = (self.find_package(namespace, name).await?, self.sees_drafts(), &self.repo().key);
        let look = async |session: &mut store::Session<'_>| {
            let found = store::versions::list(session, package, before, drafts, limit).await?;
            let (Some(first), Some(last)) = (found.first(), found.last()) else { return Ok(Vec::new()) };
            let all = (last.id, first.id);
            let (refs, marks) = store::versions::names_and_marks(session, package, all, NAMED).await?;
            Ok(found.into_iter().map(|version| listed(repo, version, &refs, &marks)).collect())
        };
        let found: Vec<Listed> = self.store().snapshot(look).await?;
        if found.is_empty() && before.is_none() {
            return Err(Error::not_found(&format!("the package {name}")));
        }
        Ok(found)
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

fn listed(repo: &RepoKey, version: Version, refs: &[(VersionId, String)], marks: &[(VersionId, MarkKind)]) -> Listed {
    let refs = refs.iter().filter(|(id, _)| *id == version.id).map(|(_, name)| name.clone()).collect();
    let marks = marks.iter().filter(|(id, _)| *id == version.id).map(|(_, kind)| *kind).collect();
    Listed { repo: repo.clone(), version, refs, marks }
}
