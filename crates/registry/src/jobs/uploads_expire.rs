//! Uploads that nobody finished end, and stop counting against the allowances.

use serde::{Deserialize, Serialize};
use store::jobs::NewJob;
use store::uploads::is_due;

use super::{Job, Sweep, one_if};
use crate::error::Result;
use crate::registry::Registry;

/// Uploads ended in one transaction.
const BATCH: u32 = 100;

/// Ends uploads whose time is over.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UploadsExpire {}

impl Job for UploadsExpire {
    const KIND: &'static str = "uploads.expire";

    async fn run(&self, registry: &Registry) -> Result<()> {
        while registry.expire_uploads(BATCH).await? > 0 {}
        Ok(())
    }
}

impl Sweep for UploadsExpire {
    async fn due(registry: &Registry) -> Result<Vec<NewJob>> {
        let now = registry.now();
        let due = registry.store().read(async |session| is_due(session, now).await).await?;
        one_if(due, registry, &Self {})
    }
}
