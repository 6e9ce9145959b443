//! Jobs: work that was promised in the transaction that made it necessary.
//!
//! A claim carries a lease and a fencing number; only the claim with the newest number may finish,
//! fail or prolong. Attempts are counted when work on a job begins, so that one that kills its worker
//! cannot do so for ever, and those that only waited beside it are not buried with it.

mod letters;

use std::time::Duration;

use model::{Code, JobId, TenantId, Timestamp};
use serde_json::json;

use crate::admission::{self, Limits};
use crate::args;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::value::Row;

pub use letters::{DeadLetter, Replay, Which, dead_letters};

/// Characters of an error that are kept.
const ERROR_LENGTH: usize = 1000;

/// A job to be enqueued.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// Whose.
    pub tenant: TenantId,
    /// The kind.
    pub kind: &'static str,
    /// What makes two jobs of this kind the same.
    pub dedupe: String,
    /// JSON.
    pub payload: String,
    /// Not before.
    pub run_at: Timestamp,
}

/// Makes sure that the job runs after this transaction: a waiting one stays (and comes no later),
/// a running one runs once more, a dead one lives again. Returns whether that changed anything.
pub(crate) async fn enqueue(tx: &mut Tx<'_>, job: &NewJob, at: Timestamp) -> Result<bool> {
    put(tx, job, at, true).await
}

/// For how long the schedule leaves a dead letter to a person.
const REST: Duration = Duration::from_secs(3000);

/// `revive`: a new occasion gives a dead letter another life. The schedule is none: a sweep that
/// failed too often waits for a person, and is tried again when it has lain for a while.
async fn put(tx: &mut Tx<'_>, job: &NewJob, at: Timestamp, revive: bool) -> Result<bool> {
    let sql =
        "INSERT INTO jobs (id, tenant_id, kind, dedupe, payload, state, run_at, attempts, fence, again, created_at)
         VALUES ($1, $2, $3, $4, $5, 'ready', $6, 0, 0, FALSE, $7)
         ON CONFLICT (kind, dedupe) DO UPDATE SET
            again = (jobs.state = 'running'),
            run_at = CASE WHEN jobs.state = 'running' THEN jobs.run_at ELSE $6 END,
            attempts = CASE WHEN jobs.state = 'dead' THEN 0 ELSE jobs.attempts END,
            state = CASE WHEN jobs.state = 'dead' THEN 'ready' ELSE jobs.state END
         WHERE (jobs.state = 'dead' AND ($8 OR jobs.run_at <= $9)) OR (jobs.state = 'running' AND NOT jobs.again)
            OR (jobs.state = 'ready' AND jobs.attempts = 0 AND jobs.run_at > $6)";
    let rested = at.minus(REST);
    let args = args![job.id, job.tenant, *job.kind, job.dedupe, job.payload, job.run_at, at, revive, rested];
    let changed = tx.execute(sql, args).await? == 1;
    if changed {
        tx.touch_work();
    }
    Ok(changed)
}

/// Refuses with 429 when `more` jobs would exceed what a tenant may have waiting. For requests that
/// enqueue many; two of them wait for each other here, so that together they cannot exceed it.
pub(crate) async fn reserve(tx: &mut Tx<'_>, tenant: TenantId, more: u64, defaults: &Limits) -> Result<()> {
    tx.row("SELECT 1 FROM tenants WHERE id = $1 FOR NO KEY UPDATE", args![tenant]).await?;
    let limit = admission::policy(tx, tenant).await?.map_or(*defaults, |policy| policy.limits).pending_jobs;
    let pending = admission::usage(tx, tenant).await?.pending_jobs;
    if pending.saturating_add(more) > limit {
        return Err(Error::refuse(Code::TooManyRequests, format!("more than {limit} jobs would be waiting")));
    }
    Ok(())
}

/// Enqueues jobs of our own: schedules. Returns how many were new.
#[derive(Clone, Debug)]
pub struct Enqueue {
    /// The jobs.
    pub jobs: Vec<NewJob>,
    /// Whether dead letters live again at once.
    pub revive: bool,
    /// Now.
    pub at: Timestamp,
}

impl Write for Enqueue {
    type Out = u64;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let mut new = 0;
        for job in &self.jobs {
            new += u64::from(put(tx, job, self.at, self.revive).await?);
        }
        Ok(new)
    }
}

/// A job in the hands of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which job.
    pub id: JobId,
    /// Whose.
    pub tenant: TenantId,
    /// Its kind.
    pub kind: String,
    /// JSON.
    pub payload: String,
    /// How often work on it has begun; [`Begin`] counts this attempt.
    pub attempt: u32,
    /// Only the newest may finish.
    pub fence: u64,
}

fn claim(row: &Row) -> Result<Claim> {
    Ok(Claim {
        id: row.get(0)?,
        tenant: row.get(1)?,
        kind: row.get(2)?,
        payload: row.get(3)?,
        attempt: row.get(4)?,
        fence: row.get(5)?,
    })
}

/// Claims up to `limit` jobs: those that are due, then those whose worker has gone silent. One whose
/// workers vanished `max_attempts` times is buried instead, one a call.
#[derive(Clone, Debug)]
pub struct ClaimJobs {
    /// For the event of a burial; its time is now.
    pub act: Act,
    /// Who claims.
    pub holder: String,
    /// Until when, unless prolonged.
    pub until: Timestamp,
    /// Jobs at most.
    pub limit: u32,
    /// Attempts at most.
    pub max_attempts: u32,
}

impl Write for ClaimJobs {
    type Out = Vec<Claim>;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<Claim>> {
        let due = "WITH due AS MATERIALIZED (SELECT id FROM jobs WHERE state = 'ready' AND run_at <= $1
                ORDER BY run_at LIMIT $2 FOR UPDATE SKIP LOCKED)
             UPDATE jobs SET state = 'running', fence = fence + 1, lease_until = $3, holder = $4
             WHERE id IN (SELECT id FROM due) RETURNING id, tenant_id, kind, payload, attempts, fence";
        let mut rows = tx.rows(due, args![self.act.at, self.limit, self.until, self.holder]).await?;
        let taken = u32::try_from(rows.len()).unwrap_or(self.limit);
        self.bury(tx).await?;
        if let Some(left) = self.limit.checked_sub(taken).filter(|left| *left > 0) {
            let silent = "WITH due AS MATERIALIZED (SELECT id FROM jobs WHERE state = 'running' AND lease_until <= $1
                    AND attempts < $5 ORDER BY lease_until LIMIT $2 FOR UPDATE SKIP LOCKED)
                 UPDATE jobs SET fence = fence + 1, lease_until = $3, holder = $4
                 WHERE id IN (SELECT id FROM due) RETURNING id, tenant_id, kind, payload, attempts, fence";
            let args = args![self.act.at, left, self.until, self.holder, self.max_attempts];
            rows.extend(tx.rows(silent, args).await?);
        }
        rows.iter().map(claim).collect()
    }
}

impl ClaimJobs {
    async fn bury(&self, tx: &mut Tx<'_>) -> Result<()> {
        let sql = "WITH lost AS MATERIALIZED (SELECT id FROM jobs WHERE state = 'running' AND lease_until <= $1
                AND attempts >= $2 ORDER BY lease_until LIMIT 1 FOR UPDATE SKIP LOCKED)
             UPDATE jobs SET state = 'dead', fence = fence + 1, lease_until = NULL, last_error = 'its worker vanished'
             WHERE id IN (SELECT id FROM lost) RETURNING id, kind, attempts";
        if let Some(row) = tx.row(sql, args![self.act.at, self.max_attempts]).await? {
            died(tx, &self.act, row.get(0)?, &row.get::<String>(1)?, row.get(2)?, "its worker vanished").await?;
        }
        Ok(())
    }
}

async fn died(tx: &mut Tx<'_>, act: &Act, job: JobId, kind: &str, attempts: u32, error: &str) -> Result<()> {
    let id = job.to_string();
    let detail = json!({"kind": kind, "attempts": attempts, "error": error});
    record(tx, act, "job.dead", On { repo: None, kind: "job", id: &id }, &detail).await
}

/// When there is next something to claim, for a worker that sleeps. `None`: nothing waits.
pub async fn next_due(session: &mut Session<'_>) -> Result<Option<Timestamp>> {
    let sql = "SELECT min(at) FROM (SELECT min(run_at) AS at FROM jobs WHERE state = 'ready'
         UNION ALL SELECT min(lease_until) FROM jobs WHERE state = 'running') AS times";
    let row = session.row(sql, &[]).await?.ok_or_else(|| Error::Defect("no answer".to_owned()))?;
    row.get(0)
}

/// Work on a claimed job begins: counts the attempt and answers its number, from 1. `None`: the job has
/// passed to somebody else, it must not be worked on.
#[derive(Clone, Debug)]
pub struct Begin {
    /// Which.
    pub job: JobId,
    /// The number of the claim.
    pub fence: u64,
}

impl Write for Begin {
    type Out = Option<u32>;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Option<u32>> {
        let sql = "UPDATE jobs SET attempts = attempts + 1 WHERE id = $1 AND fence = $2 AND state = 'running'
             RETURNING attempts";
        tx.row(sql, args![self.job, self.fence]).await?.map(|row| row.get(0)).transpose()
    }
}

/// Says that a job is still being worked on. `false`: it has passed to somebody else.
#[derive(Clone, Debug)]
pub struct Prolong {
    /// Which.
    pub job: JobId,
    /// The number of the claim.
    pub fence: u64,
    /// Until when.
    pub until: Timestamp,
}

impl Write for Prolong {
    type Out = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool> {
        let sql = "UPDATE jobs SET lease_until = $3 WHERE id = $1 AND fence = $2 AND state = 'running'";
        Ok(tx.execute(sql, args![self.job, self.fence, self.until]).await? == 1)
    }
}

/// Hands a claim back on which no work has begun, as if it had never been made. Nothing happens when it has passed on.
#[derive(Clone, Debug)]
pub struct HandBack {
    /// Which.
    pub job: JobId,
    /// The number of the claim.
    pub fence: u64,
}

impl Write for HandBack {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let sql = "UPDATE jobs SET state = 'ready', lease_until = NULL, again = FALSE
             WHERE id = $1 AND fence = $2 AND state = 'running'";
        if tx.execute(sql, args![self.job, self.fence]).await? == 1 {
            tx.touch_work();
        }
        Ok(())
    }
}

/// A job is done: its row goes, or waits once more when it was asked for again meanwhile. `false`:
/// it has passed to somebody else, nothing was changed.
#[derive(Clone, Debug)]
pub struct Finish {
    /// Which.
    pub job: JobId,
    /// The number of the claim.
    pub fence: u64,
    /// Now.
    pub at: Timestamp,
}

impl Write for Finish {
    type Out = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool> {
        let done = "DELETE FROM jobs WHERE id = $1 AND fence = $2 AND state = 'running' AND NOT again";
        if tx.execute(done, args![self.job, self.fence]).await? == 1 {
            return Ok(true);
        }
        let again = "UPDATE jobs SET state = 'ready', again = FALSE, attempts = 0, run_at = $3, lease_until = NULL
             WHERE id = $1 AND fence = $2 AND state = 'running'";
        let again = tx.execute(again, args![self.job, self.fence, self.at]).await? == 1;
        if again {
            tx.touch_work();
        }
        Ok(again)
    }
}

/// An attempt has failed: the job waits until `retry_at`, or is dead when there is none or it has
/// had its attempts. Returns whether it is dead; `None`: it has passed to somebody else.
#[derive(Clone, Debug)]
pub struct Fail {
    /// For the event when it dies.
    pub act: Act,
    /// Which.
    pub job: JobId,
    /// The number of the claim.
    pub fence: u64,
    /// Why.
    pub error: String,
    /// When to try again; `None`: trying again is pointless.
    pub retry_at: Option<Timestamp>,
    /// Attempts at most.
    pub max_attempts: u32,
}

impl Write for Fail {
    type Out = Option<bool>;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Option<bool>> {
        let error: String = self.error.chars().take(ERROR_LENGTH).collect();
        let sql = "UPDATE jobs SET lease_until = NULL, last_error = $4, again = FALSE, run_at = coalesce($3, run_at),
                state = CASE WHEN $3 IS NULL OR attempts >= $5 THEN 'dead' ELSE 'ready' END
             WHERE id = $1 AND fence = $2 AND state = 'running' RETURNING kind, attempts, state";
        let args = args![self.job, self.fence, self.retry_at, error, self.max_attempts];
        let Some(row) = tx.row(sql, args).await? else { return Ok(None) };
        let dead = row.get::<String>(2)? == "dead";
        if dead {
            died(tx, &self.act, self.job, &row.get::<String>(0)?, row.get(1)?, &error).await?;
        }
        Ok(Some(dead))
    }
}
