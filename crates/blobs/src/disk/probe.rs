//! A cheap, real question to the disk: can you still keep something?

use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags};
use tokio::task::spawn_blocking;

use super::folders::{Disk, STAGING, open_folder};
use crate::blobs::Health;
use crate::error::{Error, Result};
use crate::key::{Area, Key};

impl Disk {
    /// Writes, syncs and removes a few bytes, and looks whether the folders of copies are there. A folder whose syncs have failed is not well whatever it answers now.
    pub(crate) async fn probe(self: &Arc<Self>, name: Key) -> Result<Health> {
        let disk = Arc::clone(self);
        spawn_blocking(move || disk.probe_now(&name)).await?
    }

    fn probe_now(&self, name: &Key) -> Result<Health> {
        if self.poisoned() {
            return Err(Error::Unavailable("a sync has failed since the start".to_owned()));
        }
        for area in Area::ALL {
            open_folder(&self.root, area.word())?;
        }
        let path = format!("{STAGING}/probe-{}", name.name());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.root, path.as_str(), flags, Mode::from_raw_mode(0o640))?;
        let written = rustix::io::write(&file, b"probe");
        let synced = rustix::fs::fdatasync(&file);
        rustix::fs::unlinkat(&self.root, path.as_str(), AtFlags::empty())?;
        written?;
        self.synced(synced)?;
        let room = rustix::fs::fstatvfs(&self.root)?;
        Ok(Health { free: Some(room.f_bavail.saturating_mul(room.f_frsize)) })
    }
}
