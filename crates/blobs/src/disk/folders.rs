//! The folder: its shape, its syncs, and the rename that never overwrites.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use tokio::task::spawn_blocking;

use super::steps::{Step, Steps};
use crate::error::{Error, Result};
use crate::key::{Area, Key};

/// Where files lie until they are complete and verified.
pub(crate) const STAGING: &str = "staging";

const FOLDER: Mode = Mode::from_raw_mode(0o750);

/// The blob folder.
pub(crate) struct Disk {
    pub(crate) path: PathBuf,
    pub(crate) root: OwnedFd,
    pub(crate) steps: Steps,
    poisoned: AtomicBool,
    alarm: OnceLock<Alarm>,
}

/// Who is told, and what, when a sync fails.
pub(crate) type Alarm = Box<dyn Fn(&str) + Send + Sync>;

impl Disk {
    /// Opens the folder and makes what is missing of it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path)?;
        let root = open_folder(CWD, path)?;
        let (steps, poisoned, alarm) = (Steps::default(), AtomicBool::new(false), OnceLock::new());
        let disk = Self { path: path.to_owned(), root, steps, poisoned, alarm };
        let mut made = false;
        for name in Area::ALL.map(Area::word).into_iter().chain([STAGING]) {
            made |= disk.make_folder(name)?;
        }
        if made {
            disk.sync_folder(".")?;
            disk.sync_folder("..")?;
        }
        Ok(disk)
    }

    pub(crate) fn poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    /// Has `alarm` called at the first failed sync; at once when one has failed already. Only the first alarm counts.
    pub(crate) fn on_poison(&self, alarm: Alarm) {
        if self.poisoned() {
            alarm("a sync of the blob folder failed");
        }
        drop(self.alarm.set(alarm));
    }

    /// Whether the folder had to be made.
    fn make_folder(&self, name: &str) -> Result<bool> {
        match rustix::fs::mkdirat(&self.root, name, FOLDER) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            // No copy is missing, but the folder around it.
            Err(errno @ Errno::NOENT) => Err(Error::Io(errno.into())),
            Err(errno) => Err(errno.into()),
        }
    }

    /// After a failed sync the kernel may have dropped the bytes and forgotten the error: never try again, tell.
    pub(crate) fn synced(&self, outcome: rustix::io::Result<()>) -> Result<()> {
        outcome.map_err(|errno| {
            tracing::error!(error = %errno, "a sync of the blob folder failed");
            if !self.poisoned.swap(true, Ordering::AcqRel)
                && let Some(alarm) = self.alarm.get()
            {
                alarm(&format!("a sync of the blob folder failed: {errno}"));
            }
            errno.into()
        })
    }

    pub(crate) fn sync_folder(&self, name: &str) -> Result<()> {
        let folder = open_folder(&self.root, name)?;
        self.synced(self.steps.take(Step::SyncFolder, || rustix::fs::fsync(folder)))
    }

    /// Gives a staged file its key, durably. Never replaces a file.
    pub(crate) fn publish(&self, staged: &str, key: &Key) -> Result<()> {
        match self.rename(staged, key.as_str()) {
            Err(Errno::NOENT) => {
                self.make_folder(key.folder())?;
                self.sync_folder(key.area().map_or(".", Area::word))?;
                self.rename(staged, key.as_str())
            }
            outcome => outcome,
        }
        .map_err(|errno| if errno == Errno::EXIST { Error::KeyTaken } else { errno.into() })?;
        self.sync_folder(key.folder()).inspect_err(|_| {
            let _ = rustix::fs::unlinkat(&self.root, key.as_str(), AtFlags::empty());
        })
    }

    fn rename(&self, from: &str, to: &str) -> rustix::io::Result<()> {
        let rename = || rustix::fs::renameat_with(&self.root, from, &self.root, to, RenameFlags::NOREPLACE);
        match self.steps.take(Step::Rename, rename) {
            // Some file systems cannot refuse in a rename; a link always refuses.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                rustix::fs::linkat(&self.root, from, &self.root, to, AtFlags::empty())?;
                rustix::fs::unlinkat(&self.root, from, AtFlags::empty())
            }
            outcome => outcome,
        }
    }

    pub(crate) async fn remove(self: &Arc<Self>, key: Key) -> Result<()> {
        let disk = Arc::clone(self);
        spawn_blocking(move || {
            let unlink = || rustix::fs::unlinkat(&disk.root, key.as_str(), AtFlags::empty());
            match disk.steps.take(Step::Remove, unlink) {
                Ok(()) => disk.sync_folder(key.folder()),
                // Whatever lies there is not what was written: it is left to whoever put it there.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::ISDIR) => Ok(()),
                Err(errno) => Err(errno.into()),
            }
        })
        .await?
    }

    pub(crate) async fn length(self: &Arc<Self>, key: Key) -> Result<u64> {
        let disk = Arc::clone(self);
        let stat = spawn_blocking(move || rustix::fs::statat(&disk.root, key.as_str(), AtFlags::SYMLINK_NOFOLLOW));
        Ok(u64::try_from(stat.await??.st_size).unwrap_or(0))
    }
}

pub(super) fn open_folder(at: impl AsFd, path: impl rustix::path::Arg) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(at, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}
