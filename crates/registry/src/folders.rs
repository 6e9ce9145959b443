//! What is in a folder of a repository whose paths are names.

use model::{Code, EntryPath, Sha256Digest, Timestamp};

use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::remote::published_upstream;

/// What a child of a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildKind {
    /// A published file.
    File,
    /// A folder.
    Folder,
}

/// Something in a folder.
#[derive(Clone, Debug)]
pub struct Child {
    /// Its name in the folder.
    pub name: String,
    /// Its path in the repository, without a slash at its end.
    pub path: String,
    /// What it is.
    pub kind: ChildKind,
    /// The length of a file in bytes.
    pub size: Option<u64>,
    /// The digest of a file.
    pub sha256: Option<Sha256Digest>,
    /// When a file was published here.
    pub modified_at: Option<Timestamp>,
    /// When a file was published where it comes from, where that is known.
    pub told_at: Option<Timestamp>,
}

impl Child {
    /// What to pass as `after` to go on behind this child: its name, with a slash for a folder.
    pub fn cursor(&self) -> String {
        match self.kind {
            ChildKind::File => self.name.clone(),
            ChildKind::Folder => format!("{}/", self.name),
        }
    }
}

impl Grant<Read> {
    /// The paths of files in a folder and below it, withdrawn ones too, in their order, behind
    /// `after`; `limit` at most.
    pub(crate) async fn files_beneath(
        &self,
        folder: &EntryPath,
        after: Option<&EntryPath>,
        limit: u32,
    ) -> Result<Vec<EntryPath>> {
        let (repo, when) = (self.repo_id(), self.when());
        let look = async |session: &mut store::Session<'_>| {
            let after = after.map(EntryPath::as_str);
            store::folders::beneath(session, repo, folder.as_str(), after, limit, when).await
        };
        self.store().read(look).await?.iter().map(|path| Ok(EntryPath::parse(path)?)).collect()
    }

    /// The children of a folder (`None`: the root) behind the cursor `after`, in the order of their
    /// paths, `limit` at most. Withdrawn files are left out, and folders in which nothing else is,
    /// unless they begin with more than 256 of them. 410 for a folder in which everything was
    /// withdrawn, 404 for one in which nothing ever was.
    pub async fn list_folder(&self, folder: Option<&EntryPath>, after: Option<&str>, limit: u32) -> Result<Vec<Child>> {
        if let Some(after) = after {
            EntryPath::parse(after.strip_suffix('/').unwrap_or(after))?;
        }
        let (repo, when, name) = (self.repo_id(), self.when(), folder.map_or("", EntryPath::as_str));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let look = async |session: &mut store::Session<'_>| {
            let children = store::folders::list(session, repo, name, after, limit, when).await?;
            let vain = children.is_empty() && after.is_none();
            let held = vain && store::folders::held(session, repo, name, when).await?;
            Ok((children, held))
        };
        let (children, held) = self.store().snapshot(look).await?;
        match folder.filter(|_| children.is_empty() && after.is_none()) {
            Some(folder) if held => Err(Error::refuse(Code::Gone, format!("everything in {folder} was withdrawn"))),
            Some(folder) => Err(self.unknown(&format!("the folder {folder}"))),
            None => Ok(children.into_iter().map(|child| shown(name, child, self.is_remote())).collect()),
        }
    }
}

fn shown(folder: &str, child: store::folders::Child, is_remote: bool) -> Child {
    let path = if folder.is_empty() { child.name.clone() } else { format!("{folder}/{}", child.name) };
    let told_at = child.file.as_ref().and_then(|file| match is_remote {
        true => published_upstream(file.attributes.as_deref()?),
        false => Some(file.modified_at),
    });
    let kind = if child.file.is_some() { ChildKind::File } else { ChildKind::Folder };
    Child {
        name: child.name,
        path,
        kind,
        told_at,
        size: child.file.as_ref().map(|file| file.size),
        sha256: child.file.as_ref().map(|file| file.digest),
        modified_at: child.file.as_ref().map(|file| file.modified_at),
    }
}
