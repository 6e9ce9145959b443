//! The journal: every mutation writes its event in its own transaction.

use model::{CorrelationId, EventId, RepoId, TenantId, Timestamp};
use serde_json::Value as Json;

use crate::args;
use crate::error::Result;
use crate::session::{Session, Tx};

/// Who does something, when, and under which ids it is recorded. Every write carries one.
#[derive(Clone, Debug)]
pub struct Act {
    /// The id of the event to be written.
    pub event: EventId,
    /// The tenant in which it happens.
    pub tenant: TenantId,
    /// When.
    pub at: Timestamp,
    /// The subject who does it; `system` for our own background work.
    pub actor: String,
    /// The request, when there is one.
    pub correlation: Option<CorrelationId>,
}

/// What an event is about.
pub(crate) struct On<'a> {
    pub(crate) repo: Option<RepoId>,
    pub(crate) kind: &'static str,
    pub(crate) id: &'a str,
}

/// Writes the event of `act`.
pub(crate) async fn record(tx: &mut Tx<'_>, act: &Act, action: &str, on: On<'_>, detail: &Json) -> Result<()> {
    let sql = "INSERT INTO events (id, tenant_id, at, actor, action, repo_id, resource_kind, resource_id, detail, correlation_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let detail = detail.to_string();
    let args =
        args![act.event, act.tenant, act.at, act.actor, *action, on.repo, *on.kind, *on.id, detail, act.correlation];
    tx.execute(sql, args).await?;
    tx.touch_work();
    Ok(())
}

/// An event as it is read back.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Its place in the sequence; `None` until the sequencer has seen it.
    pub seq: Option<u64>,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What was done, e.g. `package.version.published`.
    pub action: String,
    /// In which repository.
    pub repo: Option<RepoId>,
    /// What kind of thing it was done to.
    pub resource_kind: String,
    /// Which one.
    pub resource_id: String,
    /// More, as JSON text.
    pub detail: String,
    /// The request.
    pub correlation: Option<CorrelationId>,
}

impl Event {
    pub(crate) fn from_row(row: &crate::Row) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            seq: row.get(1)?,
            at: row.get(2)?,
            actor: row.get(3)?,
            action: row.get(4)?,
            repo: row.get(5)?,
            resource_kind: row.get(6)?,
            resource_id: row.get(7)?,
            detail: row.get(8)?,
            correlation: row.get(9)?,
        })
    }
}

/// The events of one resource in their order, the unsequenced ones last.
pub async fn of_resource(session: &mut Session<'_>, tenant: TenantId, id: &str, limit: u32) -> Result<Vec<Event>> {
    // In two parts, since each has an index of its own.
    const SQL: &str = "SELECT id, seq, at, actor, action, repo_id, resource_kind, resource_id, detail, correlation_id
         FROM (SELECT * FROM events WHERE resource_id = $2 AND seq IS NOT NULL
            UNION ALL SELECT * FROM events WHERE resource_id = $2 AND seq IS NULL) AS found
         WHERE tenant_id = $1 ORDER BY seq IS NULL, seq, id LIMIT $3";
    session.rows(SQL, args![tenant, *id, limit]).await?.iter().map(Event::from_row).collect()
}
