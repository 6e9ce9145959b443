//! Short files in memory.

use bytes::Bytes;
use model::Sha256Digest;
use quick_cache::sync::Cache;

/// Files up to this length stay in memory once they were read and checked, in bytes.
pub(crate) const LONGEST: u64 = 128 << 10;

/// Short files that lie elsewhere, by their digest: as they were read and checked.
pub(crate) struct Hot(pub(crate) Cache<Sha256Digest, Bytes, Length>);

#[derive(Clone)]
pub(crate) struct Length;

impl quick_cache::Weighter<Sha256Digest, Bytes> for Length {
    fn weight(&self, _: &Sha256Digest, bytes: &Bytes) -> u64 {
        100 + bytes.len() as u64
    }
}

impl Hot {
    /// Takes at most about `bytes` of memory.
    pub(crate) fn new(bytes: u64) -> Self {
        Self(Cache::with_weighter(256, bytes, Length))
    }
}
