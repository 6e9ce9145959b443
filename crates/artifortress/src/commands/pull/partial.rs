//! What has arrived of a file: hashed while it grows, verified, made durable, then named.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use model::Sha256Digest;

use super::super::failure::Failure;
use super::super::files::sync_folder;
use super::super::hashing::{Hasher, hash};

/// A file under a name of its own, which only one process holds.
pub(super) struct Partial {
    path: PathBuf,
    file: File,
    hasher: Hasher,
    pub(super) length: u64,
}

impl Partial {
    /// Opens the file at `path`, made if need be, and hashes what an earlier attempt left in it.
    pub(super) async fn open(path: PathBuf) -> Result<Self, Failure> {
        let file = lock(&path).map_err(|error| cannot(&path, &error))?;
        let hashed = tokio::task::spawn_blocking(move || {
            let mut file = file;
            hash(&mut file).map(|held| (file, held))
        });
        let hashed = hashed.await.map_err(io::Error::other).and_then(|hashed| hashed);
        let (file, held) = hashed.map_err(|error| cannot(&path, &error))?;
        Ok(Self { path, file, hasher: held.hasher, length: held.length })
    }

    /// Whether the bytes so far are exactly these.
    pub(super) fn is(&self, digest: Sha256Digest) -> bool {
        self.hasher.clone().digest() == digest
    }

    /// Adds a piece.
    pub(super) fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)?;
        self.hasher.take(piece);
        self.length += piece.len() as u64;
        Ok(())
    }

    /// Forgets everything.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        (self.hasher, self.length) = (Hasher::default(), 0);
        Ok(())
    }

    /// What to say when it cannot be written.
    pub(super) fn cannot(&self, error: &io::Error) -> Failure {
        cannot(&self.path, error)
    }

    /// Verifies, makes durable, and gives the file its name. What does not match is removed.
    pub(super) async fn name(self, to: &Path, digest: Sha256Digest) -> Result<(), Failure> {
        let Self { path, file, hasher, .. } = self;
        let actual = hasher.digest();
        if actual != digest {
            let _ = fs::remove_file(&path);
            let message = format!("the bytes do not match: expected sha256 {digest}, received {actual}");
            let advice = "nothing was kept; the copy on the server or the way to it is damaged";
            return Err(Failure::new(message).advise(advice));
        }
        let target = to.to_owned();
        let named = tokio::task::spawn_blocking(move || {
            file.sync_all()?;
            fs::rename(&path, &target)?;
            sync_folder(&target)
        });
        named.await.map_err(io::Error::other).and_then(|named| named).map_err(|error| cannot(to, &error))
    }
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot write '{}': {error}", path.display()))
}

/// A link in its place is not followed, and a second process is refused.
fn lock(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = options.custom_flags(flags).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::other("another pull is at work on it")),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
