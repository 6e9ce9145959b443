//! What is remembered of paths: the entry at each, believed while its package and all copies stand still.

use std::sync::Arc;

use model::{EntryPath, PackageId, RepoId};
use quick_cache::sync::Cache;
use store::{Fresh, Stamp};

use crate::authorize::{Grant, Read};
use crate::copies::{CopyBytes, CopyOf};
use crate::fetch::Entry;

/// Remembered entries with the stamp of their package, embedded only.
pub(crate) type EntryKey = (RepoId, Box<str>);

/// How much an entry weighs in memory.
#[derive(Clone)]
pub(crate) struct Weight;

impl quick_cache::Weighter<EntryKey, (Stamps, Arc<Entry>)> for Weight {
    fn weight(&self, key: &EntryKey, value: &(Stamps, Arc<Entry>)) -> u64 {
        let bytes = |copy: &CopyOf| match &copy.bytes {
            CopyBytes::Inline(bytes, _) => bytes.len(),
            CopyBytes::Stored(copy) => copy.sums.len() * 8,
        };
        (key.1.len() + 700 + value.1.copies.iter().map(bytes).sum::<usize>()) as u64
    }
}

/// What must still hold for a remembered entry to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamps {
    package: Stamp,
    copies: Stamp,
}

impl Stamps {
    fn of(fresh: &Fresh, package: PackageId) -> Self {
        Self { package: fresh.package(package), copies: fresh.copies() }
    }
}

/// The memory of entries.
pub(crate) struct Entries(Cache<EntryKey, (Stamps, Arc<Entry>), Weight>);

#[derive(Hash, PartialEq, Eq)]
struct Borrowed<'a>(RepoId, &'a str);

impl quick_cache::Equivalent<EntryKey> for Borrowed<'_> {
    fn equivalent(&self, key: &EntryKey) -> bool {
        self.0 == key.0 && *self.1 == *key.1
    }
}

impl Entries {
    pub(crate) fn new(bytes: u64) -> Self {
        Self(Cache::with_weighter(1000, bytes, Weight))
    }
}

impl Grant<Read> {
    pub(crate) fn remembered(&self, path: &EntryPath) -> Option<Arc<Entry>> {
        let fresh = self.store().fresh()?;
        let (stamps, entry) = self.registry().inner.entries.0.get(&Borrowed(self.repo_id(), path.as_str()))?;
        (Stamps::of(fresh, entry.package) == stamps).then_some(entry)
    }

    /// Which package must stand still is known only after the look: so an entry is remembered only
    /// when nothing at all was written meanwhile. One without copies waits for healing and is not.
    pub(crate) fn remember(&self, path: &EntryPath, entry: &Arc<Entry>, before: Option<Stamp>) {
        let (Some(fresh), Some(before)) = (self.store().fresh(), before) else { return };
        let stamps = Stamps::of(fresh, entry.package);
        if fresh.writes() == before && !entry.copies.is_empty() {
            let key = (self.repo_id(), path.as_str().into());
            self.registry().inner.entries.0.insert(key, (stamps, Arc::clone(entry)));
        }
    }
}
