//! The plain values that go in and out: copies, expectations, what was received.

use std::sync::Arc;

use bytes::Bytes;
use model::digest::Sha256Digest;
use model::time::Timestamp;

use crate::error::{Error, Result};
use crate::key::Key;
use crate::sums::{BLOCK, Measured};

/// Where the bytes of one blob lie, and how they are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobCopy {
    /// The key of the file or object.
    pub key: Key,
    /// Where the blob starts inside it; not 0 for packs.
    pub offset: u64,
    /// The length of the blob in bytes.
    pub length: u64,
    /// The checksum of each 1 MiB block, counted from the blob's own start.
    pub sums: Arc<[u64]>,
}

impl BlobCopy {
    /// Whether a file or object of `size` bytes can hold the copy; if not, the first block that is cut off is damaged.
    pub(crate) fn check_fits(&self, size: u64) -> Result<()> {
        match self.offset.checked_add(self.length) {
            Some(end) if end <= size => Ok(()),
            _ => Err(Error::Damaged { block: size.saturating_sub(self.offset) / BLOCK }),
        }
    }
}

/// What the sender announced. What is `None` is not checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// The digest of the whole content.
    pub sha256: Option<Sha256Digest>,
    /// The length of the whole content in bytes.
    pub length: Option<u64>,
}

impl Expect {
    /// Exactly this content.
    pub fn exactly(sha256: Sha256Digest, length: u64) -> Self {
        Self { sha256: Some(sha256), length: Some(length) }
    }

    /// A wrong length is named first: it explains the wrong digest.
    pub(crate) fn check(&self, actual: &Measured) -> Result<()> {
        if let Some(expected) = self.length.filter(|expected| *expected != actual.length) {
            return Err(Error::Length { expected, actual: actual.length });
        }
        if let Some(expected) = self.sha256.filter(|expected| *expected != actual.digest) {
            return Err(Error::Digest { expected, actual: actual.digest });
        }
        Ok(())
    }
}

/// Content that was received, verified and, where stored, made durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The SHA-256 of the content: its name.
    pub digest: Sha256Digest,
    /// Its length in bytes.
    pub length: u64,
    /// The checksum of each 1 MiB block.
    pub sums: Vec<u64>,
    /// Where the bytes are now.
    pub body: Body,
}

/// Where received bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// In memory only, for the caller to store with its row. Not durable yet.
    Inline(Bytes),
    /// Durable under a key of its own.
    Stored {
        /// The key.
        key: Key,
    },
}

impl Received {
    pub(crate) fn new(measured: Measured, body: Body) -> Self {
        Self { digest: measured.digest, length: measured.length, sums: measured.sums, body }
    }

    /// The stored copy, or `None` for inline content.
    pub fn copy(&self) -> Option<BlobCopy> {
        match &self.body {
            Body::Inline(_) => None,
            Body::Stored { key } => {
                Some(BlobCopy { key: key.clone(), offset: 0, length: self.length, sums: self.sums.as_slice().into() })
            }
        }
    }
}

/// One key that exists in the store, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The key.
    pub key: Key,
    /// The length of the file or object in bytes.
    pub length: u64,
    /// When it was last written, by the store's own clock.
    pub modified: Timestamp,
}
