//! First answers are kept for a day.

use std::time::Duration;

use model::Timestamp;
use serde::{Deserialize, Serialize};
use store::idempotency::{Forget, is_due};
use store::jobs::NewJob;

use super::{Job, Sweep, one_if};
use crate::error::Result;
use crate::registry::Registry;

/// How long a first answer is given again.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// Answers forgotten in one transaction.
const BATCH: u32 = 500;

/// Forgets old first answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct IdempotencySweep {}

fn before(registry: &Registry) -> Timestamp {
    registry.now().minus(KEPT)
}

impl Job for IdempotencySweep {
    const KIND: &'static str = "idempotency.sweep";

    async fn run(&self, registry: &Registry) -> Result<()> {
        let before = before(registry);
        while registry.store().write(Forget { before, limit: BATCH }).await? == u64::from(BATCH) {}
        Ok(())
    }
}

impl Sweep for IdempotencySweep {
    async fn due(registry: &Registry) -> Result<Vec<NewJob>> {
        let before = before(registry);
        let due = registry.store().read(async |session| is_due(session, before).await).await?;
        one_if(due, registry, &Self {})
    }
}
