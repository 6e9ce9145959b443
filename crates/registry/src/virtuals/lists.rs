//! Lists of packages and of files over the members of a virtual repository.

use std::collections::BTreeMap;
use std::sync::Arc;

use formats::{Catalogue, Listed, Site};
use model::{Code, EntryPath};

use super::members::Members;
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::folders::{Child, ChildKind};
use crate::packaging::Shown;
use crate::versions::format_of;

impl Grant<Read> {
    /// A list of the packages of all readable members, each as the first that has it tells.
    pub async fn catalogue_of_members(
        &self,
        members: &Members,
        asked: &Catalogue,
        site: &Site<'_>,
    ) -> Result<Arc<Shown>> {
        let format = format_of(self.repo())?;
        let lists = &self.registry().inner.documents.lists;
        // All packages are in memory meanwhile. It is never closed.
        let _turn = if asked.limit.is_none() { lists.acquire().await.ok() } else { None };
        let limit = asked.limit.map(|limit| limit.saturating_add(asked.skip));
        let each = Catalogue { limit, skip: 0, ..asked.clone() };
        let (mut found, mut more): (BTreeMap<(String, String), Listed>, bool) = (BTreeMap::new(), false);
        for grant in members.all.iter().filter_map(|member| member.grant()) {
            let (listed, cut) = grant.listed(&each, format).await?;
            more |= cut;
            for package in listed {
                found.entry((package.name.clone(), package.namespace.clone())).or_insert(package);
            }
        }
        let limit = asked.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let skip = usize::try_from(asked.skip).unwrap_or(usize::MAX);
        more |= found.len() > limit.saturating_add(skip);
        let packages: Vec<Listed> = found.into_values().skip(skip).take(limit).collect();
        let document = format.catalogue(asked, &packages, more, site);
        Ok(Arc::new(Shown::new(document.ok_or_else(|| Error::not_found("the list"))?, None)))
    }

    /// As [`Grant::list_folder`], over all readable members: each child from the first that has it.
    pub async fn folder_of_members(
        &self,
        members: &Members,
        folder: Option<&EntryPath>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Child>> {
        let mut found: BTreeMap<(String, bool), Child> = BTreeMap::new();
        let mut refused = None;
        for grant in members.all.iter().filter_map(|member| member.grant()) {
            match grant.list_folder(folder, after, limit).await {
                Ok(children) => {
                    for child in children {
                        let key = (child.cursor(), child.kind == ChildKind::Folder);
                        found.entry(key).or_insert(child);
                    }
                }
                Err(error) if matches!(error.code(), Some(Code::NotFound | Code::Gone)) => {
                    refused = refused.or(Some(error));
                }
                Err(error) => return Err(error),
            }
        }
        match refused {
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(found.into_values().take(usize::try_from(limit).unwrap_or(usize::MAX)).collect()),
        }
    }
}
