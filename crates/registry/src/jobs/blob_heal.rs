//! A blob with a damaged copy gets a new copy from a good one, and loses the damaged one.

use blobs::{BlobCopy, Expect, Received};
use bytes::Bytes;
use model::Sha256Digest;
use serde::{Deserialize, Serialize};
use store::blobs::Copy;
use store::healing::{DeclareLost, Injured, Retire, healable, injured};
use store::jobs::NewJob;

use super::{Job, Sweep, new_job};
use crate::error::{Error, Result};
use crate::heal::sums_of;
use crate::registry::Registry;
use crate::store_file::stored_place;

/// Blobs enqueued at once.
const BATCH: u32 = 100;

/// Heals one blob.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BlobHeal {
    /// Which.
    pub(crate) digest: Sha256Digest,
}

impl Job for BlobHeal {
    const KIND: &'static str = "blob.heal";

    async fn run(&self, registry: &Registry) -> Result<()> {
        let digest = self.digest;
        let found = registry.store().read(async |session| injured(session, digest).await).await?;
        let Some(blob) = found else { return Ok(()) };
        for copy in &blob.good {
            match self.read_whole(registry, &blob, copy).await {
                Ok(fresh) => return self.retire(registry, &blob, fresh).await,
                Err(error @ (blobs::Error::Damaged { .. } | blobs::Error::Missing | blobs::Error::Digest { .. })) => {
                    registry.retire_after(digest, copy.id, &error).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if registry.store().write(DeclareLost { act: registry.act(), digest }).await? {
            tracing::error!(%digest, "no good copy of a blob is left; push the same bytes again to heal it");
        }
        Ok(())
    }
}

impl BlobHeal {
    /// Reads a good copy from end to end, its SHA-256 included. What was read becomes a new copy,
    /// unless the good one was itself made to replace the damaged one.
    async fn read_whole(&self, registry: &Registry, blob: &Injured, copy: &Copy) -> blobs::Result<Option<Received>> {
        let expect = Expect::exactly(self.digest, blob.length);
        let (store, ambient) = (registry.blobs(), registry.ambient());
        let mut writer = store.writer(ambient);
        let sums = sums_of(&copy.sums);
        if let Some(bytes) = &copy.bytes {
            blobs::check_inline(bytes, &sums)?;
            writer.write(Bytes::copy_from_slice(bytes)).await?;
        } else {
            let key = blobs::Key::parse(&copy.place).map_err(|_| blobs::Error::Missing)?;
            let stored = BlobCopy { key, offset: copy.start, length: blob.length, sums: sums.into() };
            if blob.replaced {
                let actual = store.digest(&stored).await?;
                let expected = self.digest;
                return if actual == expected { Ok(None) } else { Err(blobs::Error::Digest { expected, actual }) };
            }
            let mut reader = store.open(&stored, None).await?;
            while let Some(block) = reader.next_block().await? {
                writer.write(block).await?;
            }
        }
        let received = writer.finish(expect).await?;
        Ok((!blob.replaced).then_some(received))
    }

    async fn retire(&self, registry: &Registry, blob: &Injured, fresh: Option<Received>) -> Result<()> {
        let place = fresh.as_ref().and_then(stored_place);
        let fresh = fresh.map(|fresh| registry.new_blob(fresh));
        let write = Retire { act: registry.act(), digest: self.digest, fresh, damaged: blob.damaged.clone() };
        match registry.store().write(write).await {
            Ok(_) => Ok(()),
            Err(error) => {
                registry.abandon(place, &error).await;
                Err(Error::from(error))
            }
        }
    }
}

impl Sweep for BlobHeal {
    async fn due(registry: &Registry) -> Result<Vec<NewJob>> {
        let found = registry.store().read(async |session| healable(session, BATCH).await).await?;
        found.into_iter().map(|digest| new_job(registry, &Self { digest }, &digest.to_string())).collect()
    }
}
