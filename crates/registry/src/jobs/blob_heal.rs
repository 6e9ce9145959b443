//! A blob with a damaged copy gets a new copy from a good one, and loses the damaged one. Where no good one is left, a
//! damaged one may have been away only.

use blobs::{Expect, Received};
use model::Sha256Digest;
use serde::{Deserialize, Serialize};
use store::copy::Copy;
use store::healing::{DeclareLost, Injured, Retire, healable, injured, lost};
use store::jobs::NewJob;

use super::{Job, Sweep, new_job};
use crate::copies::{CopyBytes, copy_of};
use crate::error::{Error, Result};
use crate::registry::Registry;
use crate::store_file::stored_place;

/// Blobs enqueued at once.
const BATCH: u32 = 100;
/// Lost blobs that are looked at again within an hour.
const LOST: u32 = 1000;

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
            match self.read(registry, &blob, copy).await {
                Ok(fresh) => return self.retire(registry, &blob, fresh).await,
                Err(error) if error.condemns() => registry.retire_after(digest, copy.id, &error).await?,
                Err(error) => return Err(error.into()),
            }
        }
        for copy in &blob.damaged {
            match self.read_again(registry, &blob, copy).await {
                Ok(fresh) => return self.retire(registry, &blob, Some(fresh)).await,
                Err(error) if error.condemns() => {}
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
    async fn read(&self, registry: &Registry, blob: &Injured, copy: &Copy) -> blobs::Result<Option<Received>> {
        let bytes = place_of(blob, copy)?;
        if blob.replaced && matches!(bytes, CopyBytes::Stored(_)) {
            return self.check(registry, &bytes).await.map(|()| None);
        }
        let fresh = self.write_anew(registry, bytes).await?;
        Ok((!blob.replaced).then_some(fresh))
    }

    /// Reads a damaged copy, which may be whole: it, its pack or its folder may have been away when somebody else read it.
    /// It is read twice where it is, so that nothing is written where it is not.
    async fn read_again(&self, registry: &Registry, blob: &Injured, copy: &Copy) -> blobs::Result<Received> {
        let bytes = place_of(blob, copy)?;
        self.check(registry, &bytes).await?;
        self.write_anew(registry, bytes).await
    }

    async fn check(&self, registry: &Registry, bytes: &CopyBytes) -> blobs::Result<()> {
        let expected = self.digest;
        match bytes {
            CopyBytes::Inline(bytes, sums) => blobs::check_inline(bytes, sums),
            CopyBytes::Stored(stored) => match registry.blobs().digest(stored).await? {
                actual if actual == expected => Ok(()),
                actual => Err(blobs::Error::Digest { expected, actual }),
            },
        }
    }

    async fn write_anew(&self, registry: &Registry, bytes: CopyBytes) -> blobs::Result<Received> {
        let store = registry.blobs();
        let mut writer = store.writer(registry.ambient());
        let length = match bytes {
            CopyBytes::Inline(bytes, sums) => {
                blobs::check_inline(&bytes, &sums)?;
                let length = bytes.len() as u64;
                writer.write(bytes).await?;
                length
            }
            CopyBytes::Stored(stored) => {
                let mut reader = store.open(&stored, None).await?;
                while let Some(block) = reader.next_block().await? {
                    writer.write(block).await?;
                }
                stored.length
            }
        };
        writer.finish(Expect::exactly(self.digest, length)).await
    }

    async fn retire(&self, registry: &Registry, blob: &Injured, fresh: Option<Received>) -> Result<()> {
        let place = fresh.as_ref().and_then(stored_place);
        let fresh = fresh.map(|fresh| registry.new_blob(fresh));
        let damaged = blob.damaged.iter().map(|copy| copy.id).collect();
        if place.is_some() {
            registry.expect_arrived().await?;
        }
        let write = Retire { act: registry.act(), digest: self.digest, fresh, damaged };
        match registry.store().write(write).await {
            Ok(_) => Ok(()),
            Err(error) => {
                registry.abandon(place, &error).await;
                Err(Error::from(error))
            }
        }
    }
}

/// Where the bytes of a copy are; one that says nothing that can be understood is none.
fn place_of(blob: &Injured, copy: &Copy) -> blobs::Result<CopyBytes> {
    copy_of(copy.clone(), blob.length).map(|copy| copy.bytes).map_err(|_| blobs::Error::Missing)
}

impl Sweep for BlobHeal {
    async fn due(registry: &Registry) -> Result<Vec<NewJob>> {
        let found = registry.store().read(async |session| healable(session, BATCH).await).await?;
        found.into_iter().map(|digest| new_job(registry, &Self { digest }, &digest.to_string())).collect()
    }
}

/// The jobs that look at lost blobs again, to be enqueued now and then. Only looks.
pub(crate) async fn look_again(registry: &Registry) -> Result<Vec<NewJob>> {
    let found = registry.store().read(async |session| lost(session, LOST).await).await?;
    found.into_iter().map(|digest| new_job(registry, &BlobHeal { digest }, &digest.to_string())).collect()
}
