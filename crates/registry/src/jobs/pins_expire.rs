//! Bytes that were received and that no version entered in time lose their pin; those that a draft needs keep it.

use serde::{Deserialize, Serialize};
use store::jobs::NewJob;
use store::pins::{Expire, is_due};

use super::{Job, Sweep, one_if};
use crate::error::Result;
use crate::registry::Registry;

/// Pins looked at in one transaction.
const BATCH: u32 = 100;

/// Drops pins whose time is over.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PinsExpire {}

impl Job for PinsExpire {
    const KIND: &'static str = "pins.expire";

    async fn run(&self, registry: &Registry) -> Result<()> {
        loop {
            let act = registry.act();
            let keep_until = act.at.plus(registry.settings().pin);
            if registry.store().write(Expire { act, limit: BATCH, keep_until }).await? == 0 {
                return Ok(());
            }
        }
    }
}

impl Sweep for PinsExpire {
    async fn due(registry: &Registry) -> Result<Vec<NewJob>> {
        let now = registry.now();
        let due = registry.store().read(async |session| is_due(session, now).await).await?;
        one_if(due, registry, &Self {})
    }
}
