//! The sequencer: committed events get their numbers, gapless and once, and the jobs that follow
//! from them are enqueued in the same transaction.
//!
//! Numbers are given after commit, never inside the transactions of the events themselves: a hot
//! counter there would make all writers wait for each other, and a rolled-back one would leave a gap.

use model::{JobId, Timestamp};

use crate::error::Result;
use crate::events::Event;
use crate::jobs::{self, NewJob};
use crate::leases::{self, Held};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::{args, consumers};

/// The lease that allows giving numbers.
pub const LEASE: &str = "beat";

/// The consumer that turns events into jobs.
pub const DISPATCH: &str = "dispatch";

/// A job that follows from an event. Its id is the event's: the same event never makes two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// The kind of job.
    pub kind: &'static str,
    /// What makes two jobs of this kind the same.
    pub dedupe: String,
    /// JSON.
    pub payload: String,
    /// Not before.
    pub run_at: Timestamp,
}

/// Gives the next numbers to up to `limit` committed events and enqueues what follows from them.
#[derive(Clone, Debug)]
pub struct Advance {
    /// The lease; `None` where the process owns the database.
    pub held: Option<Held>,
    /// Now.
    pub at: Timestamp,
    /// Events at most.
    pub limit: u32,
    /// Which job follows from an event; a pure function.
    pub follow: fn(&Event) -> Option<Follow>,
}

/// What one step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Advanced {
    /// Events that got their number.
    pub sequenced: u64,
    /// Events that were looked at for jobs.
    pub dispatched: u64,
}

impl Write for Advance {
    type Out = Advanced;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Advanced> {
        leases::guard(tx, self.held.as_ref()).await?;
        let sequenced = number(tx, self.limit).await?;
        let cursor = consumers::cursor(tx, DISPATCH).await?;
        let events = consumers::ahead(tx, cursor, self.limit).await?;
        for (tenant, event) in &events {
            if let Some(Follow { kind, dedupe, payload, run_at }) = (self.follow)(event) {
                let job = NewJob { id: JobId(event.id.0), tenant: *tenant, kind, dedupe, payload, run_at };
                jobs::enqueue(tx, &job, self.at).await?;
            }
        }
        if let Some(seq) = events.last().and_then(|(_, event)| event.seq) {
            consumers::advance(tx, DISPATCH, seq).await?;
        }
        Ok(Advanced { sequenced, dispatched: events.len() as u64 })
    }
}

/// The rows are those that this statement sees committed; the lease keeps every other giver out, so
/// the greatest number cannot move meanwhile.
async fn number(tx: &mut Tx<'_>, limit: u32) -> Result<u64> {
    let sql = "UPDATE events SET seq = given.seq FROM (
            SELECT id, (SELECT coalesce(max(seq), 0) FROM events WHERE seq IS NOT NULL) + row_number() OVER (ORDER BY at, id) AS seq
            FROM (SELECT id, at FROM events WHERE seq IS NULL ORDER BY at, id LIMIT $1) AS waiting
         ) AS given WHERE events.id = given.id AND events.seq IS NULL";
    tx.execute(sql, args![limit]).await
}

/// Whether [`Advance`] would do anything.
pub async fn is_behind(session: &mut Session<'_>) -> Result<bool> {
    if session.row("SELECT 1 FROM events WHERE seq IS NULL LIMIT 1", &[]).await?.is_some() {
        return Ok(true);
    }
    let cursor = consumers::cursor(session, DISPATCH).await?;
    Ok(session.row("SELECT 1 FROM events WHERE seq > $1 LIMIT 1", args![cursor]).await?.is_some())
}
