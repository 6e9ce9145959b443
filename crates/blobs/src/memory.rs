//! Copies in memory: the same contract without a disk, for tests.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use model::Timestamp;

use crate::copy::{BlobCopy, Stored};
use crate::error::{Error, Result};
use crate::key::{Area, Key};
use crate::reader::Span;

/// The copies.
#[derive(Default)]
pub(crate) struct Memory(Mutex<BTreeMap<Key, (Bytes, Timestamp)>>);

impl Memory {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, (Bytes, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, key: &Key) -> Result<Bytes> {
        self.lock().get(key).map(|(bytes, _)| bytes.clone()).ok_or(Error::Missing)
    }

    pub(crate) fn length(&self, key: &Key) -> Result<u64> {
        Ok(self.get(key)?.len() as u64)
    }

    pub(crate) fn remove(&self, key: &Key) {
        self.lock().remove(key);
    }

    pub(crate) fn list(&self, area: Area, after: Option<&Key>, limit: usize) -> Vec<Stored> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let stored = |(key, (bytes, modified)): (&Key, &(Bytes, Timestamp))| Stored {
            key: key.clone(),
            length: bytes.len() as u64,
            modified: *modified,
        };
        let copies = self.lock();
        let range = copies.range::<Key, _>((from, Bound::Unbounded));
        range.filter(|(key, _)| key.area() == Some(area)).take(limit).map(stored).collect()
    }

    /// Puts other bytes in the place of a copy, as a failing medium would.
    #[cfg(test)]
    pub(crate) fn replace(&self, key: &Key, bytes: Bytes) {
        self.lock().insert(key.clone(), (bytes, Timestamp(0)));
    }
}

/// Content on its way into memory.
pub(crate) struct MemoryStage {
    memory: Arc<Memory>,
    key: Key,
    now: Timestamp,
    bytes: Vec<u8>,
}

impl MemoryStage {
    pub(crate) fn new(memory: Arc<Memory>, key: Key, now: Timestamp) -> Self {
        Self { memory, key, now, bytes: Vec::new() }
    }

    pub(crate) fn push(&mut self, portion: &[Bytes]) {
        portion.iter().for_each(|piece| self.bytes.extend_from_slice(piece));
    }

    pub(crate) fn publish(self) -> Result<()> {
        match self.memory.lock().entry(self.key) {
            std::collections::btree_map::Entry::Occupied(_) => Err(Error::KeyTaken),
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert((self.bytes.into(), self.now));
                Ok(())
            }
        }
    }
}

/// A copy being read.
pub(crate) struct MemorySource(Bytes);

impl MemorySource {
    pub(crate) fn open(memory: &Memory, copy: &BlobCopy) -> Result<Self> {
        let bytes = memory.get(&copy.key)?;
        copy.check_fits(bytes.len() as u64)?;
        Ok(Self(bytes))
    }

    pub(crate) fn block(&self, span: Span) -> Result<Bytes> {
        let start = span.start as usize;
        let bytes = self.0.get(start..start + span.length).ok_or_else(|| span.damaged())?;
        span.check(bytes)?;
        Ok(self.0.slice_ref(bytes))
    }
}
