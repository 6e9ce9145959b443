//! Folders over the members of a virtual repository: what is listed is what a read of its path would give.

use std::collections::BTreeMap;

use formats::Operation;
use model::{Code, EntryPath};

use super::members::Members;
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::folders::{Child, ChildKind};

/// Files that nobody is shown at the beginning of a folder that are passed by at most.
const PATIENCE: usize = 256;
/// So many of them are looked at at once.
const BATCH: u32 = 16;

impl Grant<Read> {
    /// As [`Grant::list_folder`], of what readers see: of a virtual repository each child from the member whose it is, and
    /// nothing that rules keep out. Nobody is asked: of what comes from elsewhere, that which is here.
    pub async fn children(&self, folder: Option<&EntryPath>, after: Option<&str>, limit: u32) -> Result<Vec<Child>> {
        if self.is_virtual() {
            return self.folder_of_members(&self.members().await?, folder, after, limit).await;
        }
        if self.is_ruled() {
            return self.folder_of_members(&Members::only(self)?, folder, after, limit).await;
        }
        self.list_folder(folder, after, limit).await
    }

    async fn folder_of_members(
        &self,
        members: &Members,
        folder: Option<&EntryPath>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Child>> {
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let (mut shown, mut from, mut refused) = (Vec::new(), after.map(str::to_owned), None);
        loop {
            let page = members.page_of_folder(folder, from.as_deref(), limit, &mut refused).await?;
            let done = page.len() < wanted;
            from = page.last().and_then(|having| Some(having.first()?.1.cursor())).or(from);
            for having in page {
                shown.extend(members.child(having).await?);
            }
            if done || shown.len() >= wanted {
                break;
            }
        }
        match folder.filter(|_| shown.is_empty() && after.is_none()) {
            Some(folder) => Err(refused.unwrap_or_else(|| self.unknown(&format!("the folder {folder}")))),
            None => Ok(shown.into_iter().take(wanted).collect()),
        }
    }
}

impl Members {
    /// The next children of a folder, in their order, with the places of the readable members that have them. `refused`:
    /// why one of them has none.
    async fn page_of_folder(
        &self,
        folder: Option<&EntryPath>,
        after: Option<&str>,
        limit: u32,
        refused: &mut Option<Error>,
    ) -> Result<Vec<Vec<(usize, Child)>>> {
        let mut found: BTreeMap<(String, bool), Vec<(usize, Child)>> = BTreeMap::new();
        for (place, member) in self.all.iter().enumerate() {
            let Some(grant) = member.grant() else { continue };
            match grant.list_folder(folder, after, limit).await {
                Ok(children) => {
                    for child in children {
                        let key = (child.cursor(), child.kind == ChildKind::Folder);
                        found.entry(key).or_default().push((place, child));
                    }
                }
                Err(error) if matches!(error.code(), Some(Code::NotFound | Code::Gone)) => {
                    *refused = refused.take().or(Some(error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found.into_values().take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())
    }

    /// The child that readers see: a file of the member that answers at its path, a folder in which they see anything.
    async fn child(&self, having: Vec<(usize, Child)>) -> Result<Option<Child>> {
        let Some((_, first)) = having.first() else { return Ok(None) };
        let path = EntryPath::parse(&first.path)?;
        if first.kind == ChildKind::File {
            let owner = self.answering_at(&path).await?;
            return Ok(having.into_iter().find(|(place, _)| Some(*place) == owner).map(|(_, child)| child));
        }
        for (place, child) in having {
            if self.shows_beneath(place, &path).await? {
                return Ok(Some(child));
            }
        }
        Ok(None)
    }

    /// The place of the member whose file readers get at a path, of those that have it here. `None`: they are refused, also
    /// where the first that has it has withdrawn it or keeps it out.
    async fn answering_at(&self, path: &EntryPath) -> Result<Option<usize>> {
        for place in self.places_at(path).await? {
            let Some(grant) = self.all[place].grant() else { continue };
            match grant.find(path).await {
                Ok(_) => return Ok(Some(place)),
                Err(error) if error.code() == Some(Code::NotFound) => {}
                Err(error) if matches!(error.code(), Some(Code::Gone | Code::PolicyDenied)) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn places_at(&self, path: &EntryPath) -> Result<Vec<usize>> {
        let Some(at) = self.format.package_of(&Operation::Fetch(path.clone())) else {
            return Ok((0..self.all.len()).collect());
        };
        let seen = self.showing(self.named(&at)).await?;
        let place = |key| self.all.iter().position(|member| member.key() == key);
        Ok(seen.into_iter().filter_map(|member| place(member.key())).collect())
    }

    /// Whether readers see any file of a member's folder; taken for granted behind the first 256 that they do not see.
    async fn shows_beneath(&self, place: usize, folder: &EntryPath) -> Result<bool> {
        let Some(grant) = self.all[place].grant() else { return Ok(false) };
        let (mut after, mut looked) = (None, 0);
        loop {
            let files = grant.files_beneath(folder, after.as_ref(), BATCH).await?;
            for path in &files {
                if self.answering_at(path).await?.is_some() {
                    return Ok(true);
                }
            }
            looked += files.len();
            let done = files.len() < BATCH as usize;
            after = files.into_iter().last();
            if done || looked >= PATIENCE {
                return Ok(!done);
            }
        }
    }
}
