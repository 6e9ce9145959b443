//! What happens when bytes turn out not to be what they were.

use model::{Code, CopyId, Sha256Digest};
use store::blobs::MarkDamaged;
use store::events::Act;

use crate::error::{Error, Result};
use crate::registry::Registry;

impl Registry {
    /// Takes a damaged copy out of service, with an event. The next upload of the same bytes, or a
    /// surviving copy, heals the blob.
    pub(crate) async fn retire_copy(&self, digest: Sha256Digest, copy: CopyId, why: &str) -> Result<()> {
        let write = MarkDamaged { act: self.act(), digest, copy, why: why.to_owned() };
        self.inner.store.write(write).await?;
        Ok(())
    }

    /// As [`Registry::retire_copy`], for what reading the copy said. That it is not there, or not to be read, counts only where
    /// the blob store is the one that is meant: behind a volume that is gone or a bucket that was changed,
    /// every copy would look lost. Then nothing is marked, and the trouble passes when the store is back.
    pub(crate) async fn retire_after(&self, digest: Sha256Digest, copy: CopyId, found: &blobs::Error) -> Result<()> {
        if found.is_absence() {
            self.expect_our_blobs().await?;
        }
        self.retire_copy(digest, copy, &found.to_string()).await
    }

    /// Whether the copy still counts as a good one: it may have been packed, healed or let go meanwhile.
    pub(crate) async fn has_copy(&self, digest: Sha256Digest, copy: CopyId) -> Result<bool> {
        let copies = self.inner.store.read(async |session| store::blobs::copies(session, digest).await).await?;
        Ok(copies.iter().any(|known| known.id == copy))
    }

    /// 503 unless the blob store bears the stamp of this database.
    pub(crate) async fn expect_our_blobs(&self) -> Result<()> {
        let Some(wanted) = self.inner.stamp.get() else { return Ok(()) };
        if self.inner.blobs.stamped().await?.as_ref() == Some(wanted) {
            return Ok(());
        }
        tracing::error!(
            "the blob store is not the one of this database: is its volume mounted, is it the right bucket?"
        );
        Err(Error::refuse(Code::ServiceUnavailable, "the blob store is not available right now: try again"))
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
