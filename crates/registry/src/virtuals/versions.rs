//! The versions of a package of a virtual repository, as the control plane lists them.

use formats::PackageAt;
use model::state::VersionState;
use model::{Code, PackageName, RepoKey, VersionId, VersionName};
use store::versions::Version;

use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::versions::{Listed, format_of};

impl Grant<Read> {
    /// As [`Grant::versions`], of the members whose versions readers see: each name from the first that has it.
    pub(crate) async fn versions_of_members(
        &self,
        namespace: &str,
        name: &PackageName,
        before: Option<VersionId>,
        limit: u32,
    ) -> Result<Vec<Listed>> {
        let grants = self.showing(namespace, name).await?;
        let (wanted, mut from, mut listed) = (usize::try_from(limit).unwrap_or(usize::MAX), before, Vec::new());
        loop {
            let mut page = Vec::new();
            for (place, grant) in grants.iter().enumerate() {
                match Box::pin(grant.versions(namespace, name, from, limit)).await {
                    Ok(versions) => page.extend(versions.into_iter().map(|version| (place, version))),
                    Err(error) if error.code() == Some(Code::NotFound) => {}
                    Err(error) => return Err(error),
                }
            }
            page.sort_by_key(|(_, one)| std::cmp::Reverse(one.version.id));
            page.truncate(wanted);
            let done = page.len() < wanted;
            from = page.last().map(|(_, last)| last.version.id).or(from);
            for (place, one) in page {
                if !had(&grants[..place], &one.version).await? {
                    listed.push(one);
                }
            }
            if done || listed.len() >= wanted {
                break;
            }
        }
        if listed.is_empty() && before.is_none() {
            return Err(Error::not_found(&format!("the package {name}")));
        }
        listed.truncate(wanted);
        Ok(listed)
    }

    /// As [`Grant::resolve`], of the first member that has it.
    pub(crate) async fn resolve_in_members(
        &self,
        namespace: &str,
        name: &PackageName,
        version: &VersionName,
    ) -> Result<(RepoKey, Version)> {
        let missing = || Error::not_found(&format!("version {version} of {name}"));
        for grant in self.showing(namespace, name).await? {
            match Box::pin(grant.resolve(namespace, name, version)).await {
                Ok((key, found)) if grant.lets_through(&found).await? => return Ok((key, found)),
                Ok(_) => return Err(missing()),
                Err(error) if error.code() == Some(Code::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Err(missing())
    }

    async fn showing(&self, namespace: &str, name: &PackageName) -> Result<Vec<Self>> {
        let members = self.members().await?;
        let at = PackageAt { namespace: namespace.to_owned(), name: format_of(self.repo())?.as_written(name) };
        let seen = members.showing(members.named(&at)).await?;
        Ok(seen.into_iter().filter_map(|member| member.grant().cloned()).collect())
    }

    /// Whether the rules let through what is published here, as far as is known without asking anybody.
    async fn lets_through(&self, version: &Version) -> Result<bool> {
        if version.state != VersionState::Published || !self.is_ruled() {
            return Ok(true);
        }
        let at = PackageAt { namespace: version.at.namespace.clone(), name: version.at.name.clone() };
        Ok(self.let_through(&at).await?.contains_key(&version.id))
    }
}

/// Whether one of these has a version of that name, or had one.
async fn had(grants: &[Grant<Read>], version: &Version) -> Result<bool> {
    let (namespace, name) = (&version.at.namespace, PackageName::parse(&version.at.display_name)?);
    for grant in grants {
        let (repo, counted) = (grant.repo_id(), grant.counted(&name)?);
        let look = async |session: &mut store::Session<'_>| {
            store::versions::at(session, repo, namespace, &counted, &version.version).await
        };
        if grant.store().read(look).await?.is_some_and(|found| found.published_at.is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}
