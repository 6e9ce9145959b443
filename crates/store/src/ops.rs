//! What an operator wants to know at a glance.

use model::{TenantId, Timestamp};

use crate::error::{Error, Result};
use crate::session::Session;
use crate::{args, healing, sequence};

/// Counts that say whether background work keeps up. All tenants where a tenant makes no sense.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events without a number, or numbered and not yet looked at for jobs.
    pub pending_events: u64,
    /// When the oldest of them happened.
    pub oldest_pending_event: Option<Timestamp>,
    /// Jobs that wait or run.
    pub pending_jobs: u64,
    /// When the oldest job that is due became so.
    pub oldest_due_job: Option<Timestamp>,
    /// Jobs that failed too often.
    pub dead_letters: u64,
    /// Copies that are not what was written.
    pub damaged_copies: u64,
    /// Blobs without a good copy.
    pub lost_blobs: u64,
    /// Open upload sessions.
    pub open_uploads: u64,
    /// Bytes kept in the database itself, of the oldest few thousand such copies.
    pub inline_bytes: u64,
    /// Places whose bytes wait to be deleted.
    pub waiting_trash: u64,
    /// Pins: bytes received and not entered in a version.
    pub pins: u64,
}

/// The counts now.
pub async fn summary(session: &mut Session<'_>, tenant: TenantId, now: Timestamp) -> Result<Summary> {
    let sql = "SELECT
         (SELECT count(*) FROM events WHERE seq IS NULL),
         (SELECT count(*) FROM events WHERE seq > coalesce((SELECT seq FROM consumers WHERE name = $1), 0)),
         (SELECT min(at) FROM (SELECT min(at) AS at FROM events WHERE seq IS NULL
            UNION ALL SELECT min(at) FROM events WHERE seq > coalesce((SELECT seq FROM consumers WHERE name = $1), 0)) AS late),
         (SELECT count(*) FROM jobs WHERE tenant_id = $2 AND state <> 'dead'),
         (SELECT min(run_at) FROM jobs WHERE state = 'ready' AND run_at <= $3),
         (SELECT count(*) FROM jobs WHERE tenant_id = $2 AND state = 'dead'),
         (SELECT count(*) FROM uploads WHERE tenant_id = $2 AND state IN ('initiated', 'parts_uploading', 'pending_commit')),
         (SELECT count(*) FROM trash WHERE removed_at IS NULL),
         (SELECT count(*) FROM pins)";
    let row = session.row(sql, args![*sequence::DISPATCH, tenant, now]).await?;
    let row = row.ok_or_else(|| Error::Defect("no summary".to_owned()))?;
    let (damaged_copies, lost_blobs) = healing::casualties(session).await?;
    let spill = crate::spill::waiting(session).await?;
    Ok(Summary {
        pending_events: row.get::<u64>(0)? + row.get::<u64>(1)?,
        oldest_pending_event: row.get(2)?,
        pending_jobs: row.get(3)?,
        oldest_due_job: row.get(4)?,
        dead_letters: row.get(5)?,
        damaged_copies,
        lost_blobs,
        open_uploads: row.get(6)?,
        inline_bytes: spill.bytes,
        waiting_trash: row.get(7)?,
        pins: row.get(8)?,
    })
}

/// Since when the oldest work waits that could be done: an event without a number, or a due job.
/// `None`: nothing waits.
pub async fn lateness(session: &mut Session<'_>, now: Timestamp) -> Result<Option<Timestamp>> {
    let sql = "SELECT min(at) FROM (SELECT min(at) AS at FROM events WHERE seq IS NULL
         UNION ALL SELECT min(run_at) FROM jobs WHERE state = 'ready' AND run_at <= $1) AS waiting";
    let row = session.row(sql, args![now]).await?.ok_or_else(|| Error::Defect("no answer".to_owned()))?;
    row.get(0)
}
