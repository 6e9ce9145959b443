//! Bytes that come again for paths where they are published: a blob whose copy is gone takes them.

use model::state::VersionState;
use model::{EntryPath, RepoId};

use crate::blobs::NewBlob;
use crate::deposit::Deposit;
use crate::error::{Error, Result};
use crate::events::Act;
use crate::session::Tx;
use crate::{healing, locations, repositories};

/// Files that came for paths where these very bytes are. What is there and good is kept, and the new bytes are let go of.
#[derive(Clone, Debug)]
pub struct BringAgain {
    /// Where.
    pub repo: RepoId,
    /// The files, in the order of their digests.
    pub files: Vec<Brought>,
}

/// A file that came again.
#[derive(Clone, Debug)]
pub struct Brought {
    /// Who and when, and the event if it was lost.
    pub act: Act,
    /// Where clients fetch it.
    pub path: EntryPath,
    /// The bytes.
    pub blob: NewBlob,
}

impl Deposit for BringAgain {
    /// Whether one of them had been lost.
    type Out = bool;

    fn is_stored(&self) -> bool {
        self.files.iter().any(|file| file.blob.is_stored())
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool> {
        repositories::expect_living(tx, self.repo).await?;
        let mut lost = false;
        for Brought { act, path, blob } in &self.files {
            let there = locations::find(tx, self.repo, path.as_str()).await?;
            let is_same = there.is_some_and(|there| {
                matches!(there.state, VersionState::Published | VersionState::Draft) && there.digest == blob.digest
            });
            if !is_same {
                return Err(Error::conflict(format!("{path} is something else by now")));
            }
            lost |= healing::take(tx, act, self.repo, path, blob).await?;
        }
        Ok(lost)
    }
}
