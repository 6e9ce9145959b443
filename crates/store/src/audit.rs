//! Reading the journal: filtered, in the order of its numbers, page by page.

use model::{CorrelationId, TenantId, Timestamp};

use crate::args;
use crate::error::Result;
use crate::events::Event;
use crate::session::Session;
use crate::value::Row;

/// Which events to read. Everything that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Who did it.
    pub actor: Option<String>,
    /// How the action begins, e.g. `auth.`.
    pub action: Option<String>,
    /// The kind of thing it was done to.
    pub resource_kind: Option<String>,
    /// The thing it was done to.
    pub resource_id: Option<String>,
    /// The key of the repository, also of a retired one.
    pub repo_key: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// The request.
    pub correlation: Option<CorrelationId>,
}

/// Which way to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the newest; the cursor is the number of the last event seen.
    Newest,
    /// From the oldest.
    Oldest,
}

/// An event with the key of its repository, also of a retired one.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The event; its number is always there.
    pub event: Event,
    /// The key of its repository.
    pub repo_key: Option<String>,
}

/// The text for one order and one way to find the rows: by the resource's index, or along the numbers.
macro_rules! page_sql {
    ($resource:literal, $beyond:literal, $order:literal) => {
        concat!(
            "SELECT e.id, e.seq, e.at, e.actor, e.action, e.repo_id, e.resource_kind, e.resource_id, e.detail,
                e.correlation_id, r.key
             FROM events e LEFT JOIN repositories r ON r.id = e.repo_id
             WHERE e.tenant_id = $1 AND e.seq IS NOT NULL AND e.seq ",
            $beyond,
            " $2 AND ($3 IS NULL OR e.actor = $3) AND ($4 IS NULL OR substr(e.action, 1, length($4)) = $4)
             AND ($5 IS NULL OR e.resource_kind = $5) AND ",
            $resource,
            " AND ($7 IS NULL OR r.key = $7) AND ($8 IS NULL OR e.at >= $8) AND ($9 IS NULL OR e.at < $9)
             AND ($10 IS NULL OR e.correlation_id = $10) ORDER BY e.seq ",
            $order,
            " LIMIT $11"
        )
    };
}

/// Sequenced events of a tenant beyond the number `beyond` (`None`: from the beginning of the order).
pub async fn page(
    session: &mut Session<'_>,
    tenant: TenantId,
    filter: &Filter,
    order: Order,
    beyond: Option<u64>,
    limit: u32,
) -> Result<Vec<Entry>> {
    let sql = match (order, filter.resource_id.is_some()) {
        (Order::Newest, false) => page_sql!("($6 IS NULL OR e.resource_id = $6)", "<", "DESC"),
        (Order::Newest, true) => page_sql!("e.resource_id = $6", "<", "DESC"),
        (Order::Oldest, false) => page_sql!("($6 IS NULL OR e.resource_id = $6)", ">", "ASC"),
        (Order::Oldest, true) => page_sql!("e.resource_id = $6", ">", "ASC"),
    };
    let beyond = match (beyond, order) {
        (Some(seq), _) => seq,
        (None, Order::Newest) => u64::MAX,
        (None, Order::Oldest) => 0,
    };
    let args = args![
        tenant,
        beyond,
        filter.actor,
        filter.action,
        filter.resource_kind,
        filter.resource_id,
        filter.repo_key,
        filter.since,
        filter.until,
        filter.correlation,
        limit
    ];
    session.rows(sql, args).await?.iter().map(entry).collect()
}

fn entry(row: &Row) -> Result<Entry> {
    Ok(Entry { event: Event::from_row(row)?, repo_key: row.get(10)? })
}

/// The greatest number given so far; 0 when there is none.
pub async fn last(session: &mut Session<'_>) -> Result<u64> {
    let row = session.row("SELECT max(seq) FROM events WHERE seq IS NOT NULL", &[]).await?;
    row.map_or(Ok(None), |row| row.get::<Option<u64>>(0)).map(Option::unwrap_or_default)
}
