//! Dead letters: jobs that failed too often, shown to people and tried again by them.

use model::{JobId, TenantId, Timestamp};
use serde_json::json;

use super::reserve;
use crate::admission::Limits;
use crate::args;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::value::Row;

/// A job that failed too often, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Which.
    pub id: JobId,
    /// Its kind.
    pub kind: String,
    /// JSON.
    pub payload: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it was enqueued.
    pub created_at: Timestamp,
}

/// Dead letters after the id `after`, in the order of their ids.
pub async fn dead_letters(
    session: &mut Session<'_>,
    tenant: TenantId,
    after: Option<JobId>,
    limit: u32,
) -> Result<Vec<DeadLetter>> {
    let sql = "SELECT id, kind, payload, attempts, last_error, created_at FROM jobs
         WHERE state = 'dead' AND tenant_id = $1 AND ($2 IS NULL OR id > $2) ORDER BY id LIMIT $3";
    let letter = |row: &Row| {
        Ok(DeadLetter {
            id: row.get(0)?,
            kind: row.get(1)?,
            payload: row.get(2)?,
            attempts: row.get(3)?,
            last_error: row.get(4)?,
            created_at: row.get(5)?,
        })
    };
    session.rows(sql, args![tenant, after, limit]).await?.iter().map(letter).collect()
}

/// Which dead letters to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// One.
    One(JobId),
    /// All of the tenant.
    All,
}

/// Tries dead letters again from the first attempt. Returns how many; 404 when the one is not there.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Who and when.
    pub act: Act,
    /// Which.
    pub which: Which,
    /// The limits to use where the tenant has none of its own.
    pub limits: Limits,
}

impl Write for Replay {
    type Out = u64;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let act = &self.act;
        let one = match self.which {
            Which::One(job) => Some(job),
            Which::All => None,
        };
        let dead = "SELECT count(*) FROM jobs WHERE state = 'dead' AND tenant_id = $1 AND ($2 IS NULL OR id = $2)";
        let row = tx.row(dead, args![act.tenant, one]).await?.ok_or_else(|| Error::Defect("no count".to_owned()))?;
        let count: u64 = row.get(0)?;
        if one.is_some() && count == 0 {
            return Err(Error::not_found("a dead letter with this id"));
        }
        reserve(tx, act.tenant, count, &self.limits).await?;
        let sql = "UPDATE jobs SET state = 'ready', attempts = 0, run_at = $3
             WHERE state = 'dead' AND tenant_id = $1 AND ($2 IS NULL OR id = $2)";
        let count = tx.execute(sql, args![act.tenant, one, act.at]).await?;
        let id = one.map_or_else(|| act.tenant.to_string(), |job| job.to_string());
        let kind = if one.is_some() { "job" } else { "tenant" };
        record(tx, act, "job.replayed", On { repo: None, kind, id: &id }, &json!({"count": count})).await?;
        Ok(count)
    }
}
