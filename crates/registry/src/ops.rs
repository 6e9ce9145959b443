//! The operator's view of background work.

use model::Timestamp;
use serde::Serialize;
use store::ops::summary;

use crate::admins::ends_soon;
use crate::authorize::{Auditor, TenantGrant};
use crate::error::Result;

/// Counts that say whether background work keeps up. Names that other products' dashboards know
/// are kept; what this version does not have is 0.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpsSummary {
    /// When this was counted.
    pub checked_at_utc: Timestamp,
    /// Events that are not yet sequenced or not yet dispatched.
    pub pending_outbox_events: u64,
    /// Those of them that could be dispatched now: all.
    pub available_outbox_events: u64,
    /// Seconds since the oldest of them happened.
    pub oldest_pending_outbox_age_seconds: u64,
    /// Search jobs: none in this version.
    pub failed_search_jobs: u64,
    /// Search jobs: none in this version.
    pub pending_search_jobs: u64,
    /// Collection runs: none in this version.
    pub incomplete_gc_runs: u64,
    /// Policy evaluations: none in this version.
    pub recent_policy_timeouts24h: u64,
    /// Jobs that wait or run.
    pub pending_jobs: u64,
    /// Seconds since the oldest due job became so.
    pub oldest_due_job_age_seconds: u64,
    /// Jobs that failed too often and wait for a person.
    pub dead_letters: u64,
    /// Copies that are not what was written.
    pub damaged_copies: u64,
    /// Blobs without a good copy.
    pub lost_blobs: u64,
    /// Open upload sessions.
    pub open_uploads: u64,
    /// Blobs received and not yet entered in a version.
    pub pinned_blobs: u64,
    /// Bytes kept in the database until they move into packs.
    pub inline_bytes: u64,
    /// Places whose bytes wait to be deleted.
    pub waiting_trash: u64,
    /// When the last of the admin tokens in force ends; `None`: there is none.
    pub last_admin_token_expires_at_utc: Option<Timestamp>,
    /// Whether that is within two days, or within half of the longest life where that is less.
    pub last_admin_token_ends_soon: bool,
}

impl TenantGrant<Auditor> {
    /// The counts now.
    pub async fn ops_summary(&self) -> Result<OpsSummary> {
        let (tenant, now) = (self.tenant(), self.registry().now());
        let found = self.store().read(async |session| summary(session, tenant, now).await).await?;
        let last_admin = self.registry().last_admin().await?;
        let ends_soon = match &last_admin {
            Some(admin) => ends_soon(self.registry(), admin).await?,
            None => false,
        };
        let age = |since: Option<Timestamp>| since.map_or(0, |since| now.since(since).as_secs());
        Ok(OpsSummary {
            checked_at_utc: now,
            pending_outbox_events: found.pending_events,
            available_outbox_events: found.pending_events,
            oldest_pending_outbox_age_seconds: age(found.oldest_pending_event),
            failed_search_jobs: 0,
            pending_search_jobs: 0,
            incomplete_gc_runs: 0,
            recent_policy_timeouts24h: 0,
            pending_jobs: found.pending_jobs,
            oldest_due_job_age_seconds: age(found.oldest_due_job),
            dead_letters: found.dead_letters,
            damaged_copies: found.damaged_copies,
            lost_blobs: found.lost_blobs,
            open_uploads: found.open_uploads,
            pinned_blobs: found.pins,
            inline_bytes: found.inline_bytes,
            waiting_trash: found.waiting_trash,
            last_admin_token_expires_at_utc: last_admin.map(|admin| admin.until),
            last_admin_token_ends_soon: ends_soon,
        })
    }
}
