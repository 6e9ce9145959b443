//! Allowances: how much a tenant may store and how many sessions it may hold open.
//!
//! The limit is split into shares, one per shard. Taking within a shard's share touches one row;
//! only when that share is spent are all shards locked and the rest of the limit shared out anew.
//! The shares never add up to more than the limit, so concurrent takers cannot exceed it.

use model::{Code, TenantId, Timestamp};

use crate::args;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// Logical bytes of everything received and kept.
    Bytes,
    /// Open upload sessions.
    Sessions,
}

/// A tenant's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes at most.
    pub storage_bytes: u64,
    /// Open upload sessions at most.
    pub upload_sessions: u64,
    /// Jobs waiting at most, for requests that enqueue many.
    pub pending_jobs: u64,
}

/// What of the limits is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes.
    pub storage_bytes: u64,
    /// Sessions.
    pub upload_sessions: u64,
    /// Jobs.
    pub pending_jobs: u64,
}

/// A tenant's own limits with who set them and when.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The limits.
    pub limits: Limits,
    /// Who set them.
    pub updated_by: String,
    /// When.
    pub updated_at: Timestamp,
}

impl Allowance {
    fn word(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Sessions => "sessions",
        }
    }

    fn limit(self, limits: &Limits) -> u64 {
        match self {
            Self::Bytes => limits.storage_bytes,
            Self::Sessions => limits.upload_sessions,
        }
    }

    fn exceeded(self, limit: u64) -> Error {
        let what = match self {
            Self::Bytes => format!("the storage allowance of {limit} bytes would be exceeded"),
            Self::Sessions => format!("the allowance of {limit} open upload sessions is used up"),
        };
        Error::refuse(Code::TooManyRequests, what)
    }
}

/// The limits that an admin has set, if any.
pub async fn policy(session: &mut Session<'_>, tenant: TenantId) -> Result<Option<Policy>> {
    let sql = "SELECT max_storage_bytes, max_upload_sessions, max_pending_jobs, updated_by, updated_at
         FROM admission_policies WHERE tenant_id = $1";
    let Some(row) = session.row(sql, args![tenant]).await? else { return Ok(None) };
    let limits = Limits { storage_bytes: row.get(0)?, upload_sessions: row.get(1)?, pending_jobs: row.get(2)? };
    Ok(Some(Policy { limits, updated_by: row.get(3)?, updated_at: row.get(4)? }))
}

/// What is used right now.
pub async fn usage(session: &mut Session<'_>, tenant: TenantId) -> Result<Usage> {
    let sql = "SELECT
         (SELECT CAST(coalesce(sum(used), 0) AS BIGINT) FROM allowances WHERE tenant_id = $1 AND kind = 'bytes'),
         (SELECT CAST(coalesce(sum(used), 0) AS BIGINT) FROM allowances WHERE tenant_id = $1 AND kind = 'sessions'),
         (SELECT count(*) FROM jobs WHERE tenant_id = $1 AND state <> 'dead')";
    let row = session.row(sql, args![tenant]).await?.ok_or_else(|| Error::Defect("no usage".to_owned()))?;
    Ok(Usage { storage_bytes: row.get(0)?, upload_sessions: row.get(1)?, pending_jobs: row.get(2)? })
}

/// What may still be stored, as it was when it was asked for: whoever receives long stops in time. [`take`] decides.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    limit: u64,
    left: u64,
}

/// The room that a tenant has; `defaults` where it has no limits of its own.
pub async fn room(session: &mut Session<'_>, tenant: TenantId, defaults: &Limits) -> Result<Room> {
    let limit = policy(session, tenant).await?.map_or(*defaults, |policy| policy.limits).storage_bytes;
    Ok(Room { limit, left: limit.saturating_sub(usage(session, tenant).await?.storage_bytes) })
}

impl Room {
    /// Refuses with 429 where `bytes` have no room.
    pub fn expect(&self, bytes: u64) -> Result<()> {
        if bytes <= self.left { Ok(()) } else { Err(Allowance::Bytes.exceeded(self.limit)) }
    }
}

/// Takes `amount` of an allowance or refuses with 429. Blobs are locked before allowances, bytes before sessions: whoever
/// holds a shard waits for shards alone. `spread` picks the shard: any number that
/// differs between concurrent callers.
pub(crate) async fn take(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    what: Allowance,
    amount: u64,
    defaults: &Limits,
    spread: u128,
) -> Result<()> {
    if amount == 0 {
        return Ok(());
    }
    let shard = shard(tx, spread);
    let sql = "UPDATE allowances SET used = used + $4
         WHERE tenant_id = $1 AND kind = $2 AND shard = $3 AND used + $4 <= share";
    if tx.attempt() == 1 {
        if tx.execute(sql, args![tenant, *what.word(), shard, amount]).await? == 1 {
            return Ok(());
        }
        if !tx.is_lite() {
            // PostgreSQL keeps a row locked that it waited for, although it no longer fitted. Whoever
            // holds one shard must not wait for the others: begin again and lock all in order.
            return Err(crate::pg::again());
        }
    }
    let limits = policy(tx, tenant).await?.map_or(*defaults, |policy| policy.limits);
    take_by_sharing_out(tx, tenant, what, amount, what.limit(&limits), shard).await
}

async fn take_by_sharing_out(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    what: Allowance,
    amount: u64,
    limit: u64,
    shard: u64,
) -> Result<()> {
    let used = locked_shards(tx, tenant, what).await?;
    let total: u64 = used.iter().sum();
    let Some(free) = limit.checked_sub(total).and_then(|free| free.checked_sub(amount)) else {
        return Err(what.exceeded(limit));
    };
    let each = free / used.len().max(1) as u64;
    let sql = "UPDATE allowances SET used = $4, share = $5 WHERE tenant_id = $1 AND kind = $2 AND shard = $3";
    for (number, used) in (0u64..).zip(used) {
        let used = if number == shard { used + amount } else { used };
        tx.execute(sql, args![tenant, *what.word(), number, used, used + each]).await?;
    }
    Ok(())
}

/// Gives `amount` back; what was taken in one shard may be given back in others. The same order as
/// [`take`].
pub(crate) async fn give_back(tx: &mut Tx<'_>, tenant: TenantId, what: Allowance, amount: u64) -> Result<()> {
    if amount == 0 {
        return Ok(());
    }
    let mut rest = amount;
    let used = locked_shards(tx, tenant, what).await?;
    let sql = "UPDATE allowances SET used = used - $4 WHERE tenant_id = $1 AND kind = $2 AND shard = $3";
    for (number, used) in (0u64..).zip(used) {
        let part = rest.min(used);
        if part > 0 {
            tx.execute(sql, args![tenant, *what.word(), number, part]).await?;
            rest -= part;
        }
    }
    Ok(())
}

/// What each shard has used, locked in order, so that two transactions cannot wait for each other.
async fn locked_shards(tx: &mut Tx<'_>, tenant: TenantId, what: Allowance) -> Result<Vec<u64>> {
    const SELECT: &str = "SELECT used FROM allowances WHERE tenant_id = $1 AND kind = $2 ORDER BY shard FOR UPDATE";
    let rows = tx.rows(SELECT, args![tenant, *what.word()]).await?;
    if !rows.is_empty() {
        return rows.iter().map(|row| row.get(0)).collect();
    }
    let sql =
        "INSERT INTO allowances (tenant_id, kind, shard, used, share) VALUES ($1, $2, $3, 0, 0) ON CONFLICT DO NOTHING";
    for shard in 0..shards(tx) {
        tx.execute(sql, args![tenant, *what.word(), shard]).await?;
    }
    tx.rows(SELECT, args![tenant, *what.word()]).await?.iter().map(|row| row.get(0)).collect()
}

fn shard(tx: &Tx<'_>, spread: u128) -> u64 {
    u64::try_from(spread % u128::from(shards(tx))).unwrap_or_default()
}

/// One writer needs one shard; many need several.
fn shards(tx: &Tx<'_>) -> u64 {
    if tx.is_lite() { 1 } else { 8 }
}

/// Sets a tenant's limits. What is already used stays, even above the new limit.
#[derive(Clone, Debug)]
pub struct SetPolicy {
    /// Who and when.
    pub act: Act,
    /// The limits.
    pub limits: Limits,
}

impl Write for SetPolicy {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let (act, limits) = (&self.act, &self.limits);
        let sql = "INSERT INTO admission_policies
             (tenant_id, max_storage_bytes, max_upload_sessions, max_pending_jobs, updated_by, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (tenant_id) DO UPDATE SET max_storage_bytes = $2, max_upload_sessions = $3,
             max_pending_jobs = $4, updated_by = $5, updated_at = $6";
        let args =
            args![act.tenant, limits.storage_bytes, limits.upload_sessions, limits.pending_jobs, act.actor, act.at];
        tx.execute(sql, args).await?;
        // No share is left: the next taker shares the new limit out. (A share of what is used now
        // would outlive what is given back, and let more in than a lower limit allows.)
        tx.execute("UPDATE allowances SET share = 0 WHERE tenant_id = $1", args![act.tenant]).await?;
        let id = act.tenant.to_string();
        let detail = serde_json::json!({
            "maxLogicalStorageBytes": limits.storage_bytes,
            "maxConcurrentUploadSessions": limits.upload_sessions,
            "maxPendingSearchJobs": limits.pending_jobs,
        });
        let on = On { repo: None, kind: "tenant", id: &id };
        record(tx, act, "tenant.admission.policy.updated", on, &detail).await
    }
}
