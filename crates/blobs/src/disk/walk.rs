//! Walking the folder: lists in pages, and what crashes left behind.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use model::Timestamp;
use rustix::fs::AtFlags;
use tokio::task::spawn_blocking;

use super::folders::{Disk, STAGING};
use crate::copy::Stored;
use crate::error::Result;
use crate::key::{Area, Key};

impl Disk {
    pub(crate) async fn list(self: &Arc<Self>, area: Area, after: Option<Key>, limit: usize) -> Result<Vec<Stored>> {
        let disk = Arc::clone(self);
        spawn_blocking(move || disk.list_now(area, after.as_ref(), limit)).await?
    }

    fn list_now(&self, area: Area, after: Option<&Key>, limit: usize) -> Result<Vec<Stored>> {
        let mut page = Vec::new();
        for folder in sorted_names(&self.path.join(area.word()))? {
            let folder = format!("{}/{folder}", area.word());
            if page.len() >= limit || after.is_some_and(|after| folder.as_str() < after.folder()) {
                continue;
            }
            let keys = sorted_names(&self.path.join(&folder))?;
            let keys = keys.iter().filter_map(|name| Key::parse(&format!("{folder}/{name}")).ok());
            let keys = keys.filter(|key| after.is_none_or(|after| key > after)).take(limit - page.len());
            for key in keys {
                page.extend(self.stored(key)?);
            }
        }
        Ok(page)
    }

    /// `None` if the file was removed meanwhile.
    fn stored(&self, key: Key) -> Result<Option<Stored>> {
        match std::fs::symlink_metadata(self.path.join(key.as_str())) {
            Ok(found) => Ok(Some(Stored { key, length: found.len(), modified: timestamp(found.modified()?) })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn sweep_staging(self: &Arc<Self>, before: Timestamp) -> Result<u64> {
        let disk = Arc::clone(self);
        spawn_blocking(move || disk.sweep_now(before)).await?
    }

    fn sweep_now(&self, before: Timestamp) -> Result<u64> {
        let mut removed = 0;
        for name in sorted_names(&self.path.join(STAGING))? {
            let path = format!("{STAGING}/{name}");
            let old = match std::fs::symlink_metadata(self.path.join(&path)) {
                Ok(found) => timestamp(found.modified()?) < before,
                Err(_) => false,
            };
            if old && rustix::fs::unlinkat(&self.root, path.as_str(), AtFlags::empty()).is_ok() {
                removed += 1;
            }
        }
        Ok(removed)
    }
}

fn sorted_names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
