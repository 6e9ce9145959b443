//! Lists of the packages of a virtual repository: what a list shows is what a direct read would give.

use std::sync::Arc;

use formats::{Catalogue, Site};
use store::packages::{Latest, Package};

use super::members::Members;
use super::walk::Walk;
use crate::authorize::{Grant, Read};
use crate::error::Result;
use crate::packaging::{List, Shown};
use crate::remote::Youngest;
use crate::versions::format_of;

impl Grant<Read> {
    /// A list of the packages that readers see, each as the member tells whose it is.
    pub async fn catalogue_of_members(
        &self,
        members: &Members,
        asked: &Catalogue,
        site: &Site<'_>,
    ) -> Result<Arc<Shown>> {
        let lists = &self.registry().inner.documents.lists;
        // All packages are in memory meanwhile. It is never closed.
        let _turn = if asked.limit.is_none() { lists.acquire().await.ok() } else { None };
        let mut list = List::new(asked, format_of(self.repo())?);
        let mut walk = Walk::new(members, &asked.prefix, behind(&asked.after));
        while let Some(page) = walk.next().await? {
            for owned in page {
                for (grant, package) in owned.by {
                    if list.take(grant, package).await? {
                        break;
                    }
                }
                if list.more {
                    return list.shown(site);
                }
            }
        }
        list.shown(site)
    }

    /// The names of packages after `after` that readers see, in the order of their bytes; and where to go on, if there may be
    /// more.
    pub(crate) async fn names_of_members(&self, after: &str, limit: u32) -> Result<(Vec<String>, Option<String>)> {
        let after = behind(after);
        let found = self.packages_shown("", (&after.0, &after.1), limit).await?;
        let names: Vec<String> = found.into_iter().map(|package| package.at.name).collect();
        let next = names.last().filter(|_| names.len() == limit as usize).cloned();
        Ok((names, next))
    }

    /// As [`Grant::packages`], of what readers see: of a virtual repository each package as the member tells whose it is;
    /// without drafts.
    pub(crate) async fn packages_shown(&self, prefix: &str, after: (&str, &str), limit: u32) -> Result<Vec<Package>> {
        let shown = self.youngest_shown(prefix, after, limit, false).await?;
        let package = |(_, package, youngest): (Self, Package, Youngest)| {
            let (id, version) = (youngest.id, youngest.version);
            Package { latest: Some(Latest { id, version, published_at: youngest.here_since }), ..package }
        };
        Ok(shown.into_iter().map(package).collect())
    }

    /// The same with the youngest version of each and the repository that has it. `timed`: when it was published where it
    /// comes from counts.
    pub(crate) async fn youngest_shown(
        &self,
        prefix: &str,
        after: (&str, &str),
        limit: u32,
        timed: bool,
    ) -> Result<Vec<(Self, Package, Youngest)>> {
        let members = if self.is_virtual() { self.members().await? } else { Members::only(self)? };
        let mut walk = Walk::new(&members, prefix, (after.0.to_owned(), after.1.to_owned()));
        let mut packages = Vec::new();
        while let Some(page) = walk.next().await? {
            for owned in page {
                if packages.len() == limit as usize {
                    return Ok(packages);
                }
                for (grant, package) in owned.by {
                    if let Some(youngest) = grant.youngest(&package, timed).await? {
                        packages.push((grant.clone(), package, youngest));
                        break;
                    }
                }
            }
        }
        Ok(packages)
    }
}

/// Behind every package of a name.
fn behind(name: &str) -> (String, String) {
    (name.to_owned(), if name.is_empty() { String::new() } else { store::packages::last() })
}
