//! The files of a package on their way in.

use blobs::{Blobs, Expect, Key, Received, Writer};
use bytes::Bytes;
use formats::{Algorithm, NewFile, StagedFile, Sums};
use model::Refusal;

use super::bytes::reading;
use crate::error::{Error, Result};
use crate::hasher::Hasher;
use crate::registry::Registry;
use crate::store_file::stored_place;

/// A file being received. Dropped before [`Staging::finish`], it leaves nothing behind.
pub(crate) struct Staging {
    writer: Writer,
    expect: Expect,
    hashers: Vec<(Algorithm, Hasher)>,
}

/// A file that is durable or in memory, and verified.
pub(crate) struct Staged {
    pub(crate) received: Received,
    pub(crate) sums: Sums,
}

impl Staged {
    /// Looks into it, off the async workers.
    pub(crate) async fn look(
        &self,
        registry: &Registry,
        look: impl FnOnce(&mut StagedFile) -> std::result::Result<(), Refusal> + Send + 'static,
    ) -> Result<()> {
        let mut file = StagedFile {
            length: self.received.length,
            sha256: self.received.digest,
            sums: self.sums.clone(),
            bytes: reading(registry.blobs(), &self.received),
        };
        let looked = tokio::task::spawn_blocking(move || look(&mut file)).await;
        Ok(looked.map_err(|_| Error::Defect("looking into a file panicked".to_owned()))??)
    }

    /// Removes what turned out to be wrong.
    pub(crate) fn discard(self, registry: &Registry) {
        drop(StagedFiles { blobs: registry.blobs().clone(), files: vec![self] });
    }
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

    /// Where the files are, for whoever answers for them from now on.
    pub(super) fn hand_over(&mut self) -> Vec<Key> {
        self.files.drain(..).filter_map(|file| stored_place(&file.received)).collect()
    }
}

impl Drop for StagedFiles {
    fn drop(&mut self) {
        let keys = self.hand_over();
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

impl Staging {
    /// Begins to receive a file. Refuses at once what could only fail later.
    pub(crate) fn begin(registry: &Registry, new: &NewFile) -> Result<Self> {
        let limit = registry.settings().max_upload;
        if new.length.is_some_and(|length| length > limit) {
            return Err(blobs::Error::TooLong { limit }.into());
        }
        let writer = registry.blobs().writer(registry.ambient()).at_most(limit);
        let expect = Expect { sha256: new.sha256, length: new.length };
        let hashers = new.sums.algorithms().map(|algorithm| (algorithm, Hasher::new(algorithm)));
        Ok(Self { writer, expect, hashers: hashers.collect() })
    }

    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.hashers.iter_mut().for_each(|(_, hasher)| hasher.update(&bytes));
        Ok(self.writer.write(bytes).await?)
    }

    pub(crate) async fn finish(self) -> Result<Staged> {
        let sums = self.hashers.into_iter().map(|(algorithm, hasher)| (algorithm, hasher.finish())).collect();
        Ok(Staged { received: self.writer.finish(self.expect).await?, sums })
    }
}
