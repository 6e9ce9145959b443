//! Dead letters: jobs that failed too often, and trying them again.

use model::JobId;
use store::jobs::{DeadLetter, Replay, Which, dead_letters};

use crate::authorize::{Operator, TenantGrant};
use crate::error::Result;

impl TenantGrant<Operator> {
    /// Dead letters after an id, in the order of their ids; at most 201: a page and whether there is more.
    pub async fn dead_letters(&self, after: Option<JobId>, limit: u32) -> Result<Vec<DeadLetter>> {
        let tenant = self.tenant();
        let limit = limit.min(201);
        Ok(self.store().read(async |session| dead_letters(session, tenant, after, limit).await).await?)
    }

    /// Tries dead letters again; returns how many. 404 when the one is not there, 429 when they
    /// would exceed the allowance of waiting jobs.
    pub async fn replay(&self, which: Which) -> Result<u64> {
        let limits = self.registry().settings().limits;
        Ok(self.store().write(Replay { act: self.act(), which, limits }).await?)
    }
}
