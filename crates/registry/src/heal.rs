//! What happens when bytes turn out not to be what they were.

use model::{CopyId, Sha256Digest};
use store::blobs::MarkDamaged;
use store::events::Act;

use crate::error::Result;
use crate::registry::Registry;

impl Registry {
    /// Takes a damaged copy out of service, with an event. The next upload of the same bytes, or a
    /// surviving copy, heals the blob.
    pub(crate) async fn retire_copy(&self, digest: Sha256Digest, copy: CopyId, why: &str) -> Result<()> {
        let write = MarkDamaged { act: self.act(), digest, copy, why: why.to_owned() };
        self.inner.store.write(write).await?;
        Ok(())
    }

    /// What a write of our own background work carries.
    pub(crate) fn act(&self) -> Act {
        let ambient = &self.inner.ambient;
        Act {
            event: ambient.id(),
            tenant: self.inner.tenant,
            at: ambient.now(),
            actor: "system".to_owned(),
            correlation: None,
        }
    }
}

/// Block sums as they are stored: 8 bytes each, little endian.
pub(crate) fn sums_of(stored: &[u8]) -> Vec<u64> {
    stored.chunks_exact(8).filter_map(|sum| sum.try_into().ok().map(u64::from_le_bytes)).collect()
}
