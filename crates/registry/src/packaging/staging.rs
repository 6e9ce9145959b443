//! The files of a package on their way in.

use blobs::{Blobs, Body, Expect, Received, Writer};
use bytes::Bytes;
use formats::{NewFile, Sums};

use super::checksums::Hashers;
use crate::authorize::{Grant, Write};
use crate::error::Result;

/// A file being received. Dropped before [`Staging::finish`], it leaves nothing behind.
pub(crate) struct Staging {
    writer: Writer,
    expect: Expect,
    hashers: Hashers,
}

/// A file that is durable or in memory, and verified.
pub(crate) struct Staged {
    pub(crate) received: Received,
    pub(crate) sums: Sums,
}

/// Staged files that no row names yet: dropped, also with the request that brought them, they are
/// removed.
pub(crate) struct StagedFiles {
    blobs: Blobs,
    pub(super) files: Vec<Staged>,
}

impl StagedFiles {
    pub(super) fn new(blobs: &Blobs) -> Self {
        Self { blobs: blobs.clone(), files: Vec::new() }
    }

    /// The files, for whoever answers for them from now on.
    pub(super) fn take(&mut self) -> Vec<Staged> {
        std::mem::take(&mut self.files)
    }
}

impl Drop for StagedFiles {
    fn drop(&mut self) {
        let keys: Vec<_> = self
            .files
            .drain(..)
            .filter_map(|file| match file.received.body {
                Body::Stored { key } => Some(key),
                Body::Inline(_) => None,
            })
            .collect();
        let (Ok(runtime), false) = (tokio::runtime::Handle::try_current(), keys.is_empty()) else { return };
        let blobs = self.blobs.clone();
        runtime.spawn(async move {
            for key in keys {
                if let Err(error) = blobs.remove(&key).await {
                    tracing::warn!(%error, key = key.as_str(), "refused bytes could not be removed; the sweep will");
                }
            }
        });
    }
}

impl Grant<Write> {
    /// Begins to receive a file. Refuses at once what could only fail later.
    pub(crate) fn stage(&self, new: &NewFile) -> Result<Staging> {
        let limit = self.settings().max_upload;
        if new.length.is_some_and(|length| length > limit) {
            return Err(blobs::Error::TooLong { limit }.into());
        }
        let writer = self.registry().blobs().writer(self.ambient()).at_most(limit);
        let expect = Expect { sha256: new.sha256, length: new.length };
        Ok(Staging { writer, expect, hashers: Hashers::new(new.sums) })
    }
}

impl Staging {
    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.hashers.update(&bytes);
        Ok(self.writer.write(bytes).await?)
    }

    pub(crate) async fn finish(self) -> Result<Staged> {
        let sums = self.hashers.finish();
        Ok(Staged { received: self.writer.finish(self.expect).await?, sums })
    }
}
