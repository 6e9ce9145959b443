//! What stands beside the versions of a package: the names of refs, and versions that belong to others.

use formats::PackageAt;
use model::VersionId;
use store::packages::Beside;
use store::subjects::Belonging;

use crate::authorize::{Grant, Read};
use crate::call::Call;
use crate::error::Result;

/// Packages read at once.
const PAGE: u32 = 200;

impl Grant<Read> {
    /// The refs in force of a package after the name `after`, in the order of their bytes. 404 when there
    /// is no such package.
    pub async fn ref_names(&self, at: &PackageAt, after: &str, limit: u32) -> Result<Vec<String>> {
        let (repo, when) = (self.repo_id(), self.when());
        let look = async |session: &mut store::Session<'_>| {
            let found = store::packages::find(session, repo, &at.namespace, &at.name).await?;
            match found {
                Some(package) => store::refs::names(session, package, after, limit, when).await.map(Some),
                None => Ok(None),
            }
        };
        self.store().read(look).await?.ok_or_else(|| self.unknown(&at.name))
    }

    /// The published versions that belong to the version named `subject`, after the id `after`. One
    /// statement; none where there is no such version or package.
    pub async fn belonging(
        &self,
        at: &PackageAt,
        subject: &str,
        after: Option<VersionId>,
        limit: u32,
    ) -> Result<Vec<Belonging>> {
        let (repo, when, after) = (self.repo_id(), self.when(), after.unwrap_or(VersionId(uuid::Uuid::nil())));
        let look = async |session: &mut store::Session<'_>| {
            store::subjects::list(session, repo, (&at.namespace, &at.name), subject, (after, limit), when).await
        };
        Ok(self.store().read(look).await?)
    }
}

impl Grant<Read> {
    /// A page of the names of packages after `after`, in the order of their bytes, of a virtual repository those of its
    /// members; and where to go on, if there may be more.
    async fn page_of_packages(&self, after: &str, limit: u32) -> Result<(Vec<String>, Option<String>)> {
        if self.is_virtual() {
            return self.names_of_members(after, limit).await;
        }
        let beyond = if after.is_empty() { String::new() } else { store::packages::last() };
        let page = self.page_of_all("", (after, &beyond), Beside::Nothing, limit).await?;
        let next = page.last().filter(|_| page.len() == limit as usize).map(|last| last.at.name.clone());
        let mut names = Vec::new();
        for package in page {
            if self.youngest(&package, false).await?.is_some() {
                names.push(package.at.name);
            }
        }
        Ok((names, next))
    }
}

impl Call {
    /// The packages of all repositories of a format that the caller may read, as `key/name` after
    /// `after`, in the order of their bytes.
    pub async fn packages_of(&self, format: &str, after: &str, limit: usize) -> Result<Vec<String>> {
        let mut keys: Vec<_> =
            self.repositories("", u32::MAX).await?.into_iter().filter(|repo| repo.format == format).collect();
        keys.sort_by_key(|repo| format!("{}/", repo.key));
        let mut names = Vec::new();
        for repo in keys {
            let key = format!("{}/", repo.key);
            let mut from = match after.strip_prefix(&key) {
                Some(name) => name.to_owned(),
                None if *key < *after => continue,
                None => String::new(),
            };
            // It may be gone by now.
            let Ok(grant) = self.authorize::<Read>(&repo.key).await else { continue };
            loop {
                let (page, next) = grant.page_of_packages(&from, PAGE).await?;
                names.extend(page.into_iter().map(|name| format!("{key}{name}")));
                if names.len() >= limit {
                    names.truncate(limit);
                    return Ok(names);
                }
                match next {
                    Some(next) => from = next,
                    None => break,
                }
            }
        }
        Ok(names)
    }
}
