//! The bytes of condemned blobs go, unless something came to need them or somebody has read them since.

use std::time::Duration;

use model::{RepoId, Sha256Digest, TenantId};
use serde::{Deserialize, Serialize};
use store::cached::{Reclaim, Remove, condemned, is_condemned};
use store::jobs::NewJob;

use super::{Job, Sweep, one_if};
use crate::error::Result;
use crate::registry::Registry;

/// For how long the bytes stay after they were let go: who is reading them can finish, and who reads them keeps them. Ten
/// minutes are promised; what was read in the last of them is written within the two that follow.
const GRACE: Duration = Duration::from_secs(720);
/// Blobs in one transaction.
const BATCH: u32 = 100;

/// Removes condemned blobs' copies.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CondemnedRemove {}

impl Job for CondemnedRemove {
    const KIND: &'static str = "condemned.remove";

    async fn run(&self, registry: &Registry) -> Result<()> {
        let before = registry.now().minus(GRACE);
        loop {
            let digests = registry.store().read(async |session| condemned(session, before, BATCH).await).await?;
            if digests.is_empty() {
                return Ok(());
            }
            let remove = |digests, although_read| Remove { act: registry.act(), digests, before, although_read };
            let outcome = registry.store().write(remove(digests, false)).await?;
            let mut unpaid = Vec::new();
            for (tenant, repo, digest) in outcome.read {
                if !reclaim(registry, tenant, repo, digest).await? {
                    unpaid.push(digest);
                }
            }
            if !unpaid.is_empty() {
                registry.store().write(remove(unpaid, true)).await?;
            }
        }
    }
}

/// Whether the repository keeps it: there is room.
async fn reclaim(registry: &Registry, tenant: TenantId, repo: RepoId, digest: Sha256Digest) -> Result<bool> {
    let limits = registry.settings().limits;
    match registry.store().write(Reclaim { act: registry.act(), tenant, repo, digest, limits }).await {
        Err(store::Error::Refused(_)) => Ok(false),
        kept => Ok(kept?),
    }
}

impl Sweep for CondemnedRemove {
    async fn due(registry: &Registry) -> Result<Vec<NewJob>> {
        let before = registry.now().minus(GRACE);
        let due = registry.store().read(async |session| is_condemned(session, before).await).await?;
        one_if(due, registry, &Self {})
    }
}
