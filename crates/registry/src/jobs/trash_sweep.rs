//! Deletes the bytes of places whose rows are gone: exactly those, after the commit.

use serde::{Deserialize, Serialize};
use store::jobs::NewJob;
use store::trash::{Removed, is_waiting, waiting};

use super::{Job, Sweep, one_if};
use crate::error::{Error, Result};
use crate::registry::Registry;

/// Places per round.
const BATCH: u32 = 100;

/// Empties the trash.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TrashSweep {}

impl Job for TrashSweep {
    const KIND: &'static str = "trash.sweep";

    /// A place that cannot be deleted does not hold up the others; it fails the attempt at the end.
    async fn run(&self, registry: &Registry) -> Result<()> {
        let (mut after, mut failed) = (String::new(), None);
        loop {
            let places = registry.store().read(async |session| waiting(session, &after, BATCH).await).await?;
            let Some(last) = places.last() else { break };
            after.clone_from(last);
            let mut removed = Vec::new();
            for place in places {
                match remove(registry, &place).await {
                    Ok(()) => removed.push(place),
                    Err(error) => failed = Some(error),
                }
            }
            registry.store().write(Removed { places: removed, at: registry.now() }).await?;
        }
        failed.map_or(Ok(()), Err)
    }
}

async fn remove(registry: &Registry, place: &str) -> Result<()> {
    let key = blobs::Key::parse(place).map_err(|error| Error::Defect(format!("{place}: {error}")))?;
    Ok(registry.blobs().remove(&key).await?)
}

impl Sweep for TrashSweep {
    async fn due(registry: &Registry) -> Result<Vec<NewJob>> {
        one_if(registry.store().read(is_waiting).await?, registry, &Self {})
    }
}
