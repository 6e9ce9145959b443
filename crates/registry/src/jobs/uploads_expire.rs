//! Uploads that nobody finished end, and stop counting against the allowances.

use serde::{Deserialize, Serialize};
use store::jobs::NewJob;
use store::uploads::{DirectUpload, ExpireUploads, is_due};

use super::{Job, Sweep, one_if};
use crate::error::{Error, Result};
use crate::registry::Registry;

/// Uploads ended in one transaction.
const BATCH: usize = 100;

/// Ends uploads whose time is over.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UploadsExpire {}

impl Job for UploadsExpire {
    const KIND: &'static str = "uploads.expire";

    async fn run(&self, registry: &Registry) -> Result<()> {
        loop {
            let events = std::iter::repeat_with(|| registry.ambient().id()).take(BATCH).collect();
            let ended = registry.store().write(ExpireUploads { act: registry.act(), events }).await?;
            if ended.is_empty() {
                return Ok(());
            }
            for direct in ended.iter().filter_map(|upload| upload.direct.as_ref()) {
                give_up(registry, direct).await?;
            }
        }
    }
}

/// The parts in the object store go at once. Where a crash prevents that, the rule of the bucket
/// for unfinished uploads removes them; the key itself is in the trash already.
async fn give_up(registry: &Registry, direct: &DirectUpload) -> Result<()> {
    let Some(bucket) = registry.blobs().direct() else { return Ok(()) };
    let key = blobs::Key::parse(&direct.key).map_err(|error| Error::Defect(format!("{}: {error}", direct.key)))?;
    Ok(bucket.abort_multipart(&key, &direct.upload).await?)
}

impl Sweep for UploadsExpire {
    async fn due(registry: &Registry) -> Result<Vec<NewJob>> {
        let now = registry.now();
        let due = registry.store().read(async |session| is_due(session, now).await).await?;
        one_if(due, registry, &Self {})
    }
}
