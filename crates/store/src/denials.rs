//! What was refused and what was looked at with special rights, counted and written as events.

use model::{CorrelationId, EventId, TenantId, Timestamp};
use serde_json::json;

use crate::error::Result;
use crate::events::{Act, On, record};
use crate::session::Tx;
use crate::store::Write;

/// The same thing by the same actor, some number of times.
#[derive(Clone, Debug)]
pub struct Counted {
    /// The id of the event.
    pub event: EventId,
    /// The event's word, e.g. `access.denied`.
    pub word: &'static str,
    /// Who: a subject, or the address of a caller without a token.
    pub actor: String,
    /// What was asked for.
    pub action: String,
    /// Of what.
    pub resource: String,
    /// How often.
    pub count: u64,
    /// The first time.
    pub first: Timestamp,
    /// The last time.
    pub last: Timestamp,
    /// The last request.
    pub correlation: Option<CorrelationId>,
}

/// Writes counted acts into the journal, one event each.
#[derive(Clone, Debug)]
pub struct RecordCounted {
    /// Whose journal.
    pub tenant: TenantId,
    /// What was counted.
    pub counted: Vec<Counted>,
    /// How many acts were not counted singly because too many different ones came at once. They
    /// are added to the first event's detail.
    pub uncounted: u64,
}

impl Write for RecordCounted {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let mut uncounted = self.uncounted;
        for counted in &self.counted {
            let act = Act {
                event: counted.event,
                tenant: self.tenant,
                at: counted.last,
                actor: counted.actor.clone(),
                correlation: counted.correlation,
            };
            let mut detail = json!({"action": counted.action, "count": counted.count, "firstAt": counted.first});
            if uncounted > 0 {
                detail["othersUncounted"] = json!(uncounted);
                uncounted = 0;
            }
            let on = On { repo: None, kind: "access", id: &counted.resource };
            record(tx, &act, counted.word, on, &detail).await?;
        }
        Ok(())
    }
}
