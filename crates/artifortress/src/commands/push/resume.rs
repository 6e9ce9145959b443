//! Which upload sessions are open, so that a broken push goes on where it stopped.

use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;

use model::{RepoKey, Sha256Digest};

use super::super::failure::Failure;
use super::super::files;
use crate::Context;
use crate::commands::hashing::Hasher;

/// The longest upload id that is read back.
const LIMIT: u64 = 200;

/// Small files below `$XDG_STATE_HOME/artifortress/uploads` (else `~/.local/state`), one for each session.
#[derive(Clone, Debug)]
pub(super) struct Sessions {
    folder: PathBuf,
    scope: String,
}

impl Sessions {
    /// The sessions of one repository of one server.
    pub(super) fn of(context: &Context, server: &str, repo: &RepoKey) -> Result<Self, Failure> {
        let folder = files::home(&context.environment, "XDG_STATE_HOME", ".local/state")?.join("uploads");
        Ok(Self { folder, scope: format!("{server} {repo}") })
    }

    /// The session that an earlier push opened for these bytes.
    pub(super) fn known(&self, digest: Sha256Digest) -> Option<String> {
        let mut id = String::new();
        File::open(self.file(digest)).ok()?.take(LIMIT).read_to_string(&mut id).ok()?;
        Some(id.trim().to_owned()).filter(|id| !id.is_empty())
    }

    /// Remembers a session. Where that fails the push still works; it just cannot go on later.
    pub(super) fn remember(&self, digest: Sha256Digest, upload: &str) {
        let _ = fs::create_dir_all(&self.folder).and_then(|()| files::write_private(&self.file(digest), upload.as_bytes()));
    }

    /// Forgets a session that has ended.
    pub(super) fn forget(&self, digest: Sha256Digest) {
        let _ = fs::remove_file(self.file(digest));
    }

    fn file(&self, digest: Sha256Digest) -> PathBuf {
        let mut name = Hasher::default();
        name.take(format!("{} {digest}", self.scope).as_bytes());
        self.folder.join(name.digest().hex())
    }
}
