//! Refs: moved by writers, read by everybody who may read.

use model::{PackageName, RefId, RefName, VersionId};
use store::refs::{EndRef, Expected, PutRef, Ref};
use store::versions::Version;

use super::expect_not_gone;
use crate::authorize::{Grant, Read, Write};
use crate::error::{Error, Result};
use crate::repositories::RepoSettings;

impl Grant<Write> {
    /// Points a ref of the version's package at the version. 412 when it does not point at what was
    /// expected, 409 for a draft or a ref that the repository keeps where it is, 410 for a withdrawn version. It points there already: fine.
    pub async fn put_ref(&self, name: RefName, version: VersionId, expected: Expected) -> Result<Ref> {
        let (id, fixed) = (self.ambient().id(), RepoSettings::of(self.repo())?.fixes(&name));
        let write = PutRef { act: self.act(), repo: self.repo_id(), id, name, version, expected, fixed };
        Ok(self.store().write(write).await?)
    }

    /// Ends a ref of a package; its history stays. 404 when there is none, 412 when it does not point at `expected`, 409
    /// for a ref that the repository keeps where it is.
    pub async fn end_ref(
        &self,
        namespace: &str,
        package: &PackageName,
        name: RefName,
        expected: Option<VersionId>,
    ) -> Result<()> {
        let package = self.to_read().find_package(namespace, package).await?;
        let fixed = RepoSettings::of(self.repo())?.fixes(&name);
        let expected = expected.map_or(Expected::Anything, Expected::Version);
        let write = EndRef { act: self.act(), repo: self.repo_id(), package, name, expected, fixed };
        Ok(self.store().write(write).await?)
    }
}

impl Grant<Read> {
    /// The refs of a package in force, after the name `after`.
    pub async fn refs(&self, namespace: &str, package: &PackageName, after: &str, limit: u32) -> Result<Vec<Ref>> {
        let package = self.find_package(namespace, package).await?;
        Ok(self.store().read(async |session| store::refs::list(session, package, after, limit).await).await?)
    }

    /// Where a ref pointed and points, youngest first, from before `before`.
    pub async fn ref_history(
        &self,
        namespace: &str,
        package: &PackageName,
        name: &RefName,
        before: Option<RefId>,
        limit: u32,
    ) -> Result<Vec<Ref>> {
        let package = self.find_package(namespace, package).await?;
        let look = async |session: &mut store::Session<'_>| {
            store::refs::history(session, package, name.as_str(), before, limit).await
        };
        Ok(self.store().read(look).await?)
    }

    /// The version that a ref points at. 404 when there is no such ref, 410 when the version was withdrawn.
    pub async fn resolve_ref(&self, namespace: &str, package: &PackageName, name: &RefName) -> Result<Version> {
        let package = self.find_package(namespace, package).await?;
        let look = async |session: &mut store::Session<'_>| store::refs::find(session, package, name.as_str()).await;
        let found = self.store().read(look).await?;
        let found = found.ok_or_else(|| Error::not_found(&format!("the ref {name}")))?;
        let version = self.find_version(found.version).await?;
        expect_not_gone(&version)?;
        Ok(version)
    }
}
