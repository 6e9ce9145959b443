//! How far each consumer of the journal has come, and what lies ahead of it.

use crate::args;
use crate::error::Result;
use crate::events::Event;
use crate::session::{Session, Tx};

/// The last sequence number that a consumer has dealt with; 0 at the beginning.
pub async fn cursor(session: &mut Session<'_>, name: &str) -> Result<u64> {
    let row = session.row("SELECT seq FROM consumers WHERE name = $1", args![*name]).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// Sequenced events of every tenant after `seq`, in their order, with the tenant of each.
pub async fn ahead(session: &mut Session<'_>, seq: u64, limit: u32) -> Result<Vec<(model::TenantId, Event)>> {
    let sql =
        "SELECT id, seq, at, actor, action, repo_id, resource_kind, resource_id, detail, correlation_id, tenant_id
         FROM events WHERE seq > $1 ORDER BY seq LIMIT $2";
    let rows = session.rows(sql, args![seq, limit]).await?;
    rows.iter().map(|row| Ok((row.get(10)?, Event::from_row(row)?))).collect()
}

/// Moves a consumer forward, in the transaction of what it did.
pub(crate) async fn advance(tx: &mut Tx<'_>, name: &str, seq: u64) -> Result<()> {
    let sql = "INSERT INTO consumers (name, seq) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET seq = $2 WHERE consumers.seq < $2";
    tx.execute(sql, args![*name, seq]).await.map(drop)
}
