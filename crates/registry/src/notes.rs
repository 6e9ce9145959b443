//! Denials and privileged reads on their way to the journal: counted in memory, written every few
//! seconds. Nobody waits for them; a flood of them costs a number.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{CorrelationId, Timestamp};
use store::denials::{Counted, RecordCounted};
use tokio_util::sync::CancellationToken;

use crate::call::Call;
use crate::error::Result;
use crate::identity::Caller;
use crate::registry::Registry;

/// Different acts counted at once; more are only counted together.
const DIFFERENT: usize = 1000;
/// Events written in one transaction.
const BATCH: usize = 200;
/// How long denials are collected.
const PERIOD: Duration = Duration::from_secs(5);
/// How many periods the uses of tokens are collected.
const USES_EVERY: u32 = 12;
/// Characters kept of what the caller wrote.
const TEXT: usize = 200;

/// Something that the journal should know although nothing was changed.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The event's word, e.g. `access.denied`.
    pub word: &'static str,
    /// The subject, or `client:<address>` of a caller without a token.
    pub actor: String,
    /// What was asked for.
    pub action: String,
    /// Of what.
    pub resource: String,
    /// The request.
    pub correlation: Option<CorrelationId>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    word: &'static str,
    actor: String,
    action: String,
    resource: String,
}

struct Tally {
    count: u64,
    first: Timestamp,
    last: Timestamp,
    correlation: Option<CorrelationId>,
}

/// What was seen since the last flush.
#[derive(Default)]
pub(crate) struct Notes(Mutex<(HashMap<Key, Tally>, u64)>);

impl Notes {
    fn lock(&self) -> MutexGuard<'_, (HashMap<Key, Tally>, u64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, key: Key, tally: Tally) {
        let (seen, uncounted) = &mut *self.lock();
        let room = seen.len() < DIFFERENT;
        match seen.get_mut(&key) {
            Some(known) => {
                known.count += tally.count;
                known.first = known.first.min(tally.first);
                known.last = known.last.max(tally.last);
                known.correlation = tally.correlation.or(known.correlation);
            }
            None if room => {
                seen.insert(key, tally);
            }
            None => *uncounted += tally.count,
        }
    }

    fn take(&self) -> (Vec<(Key, Tally)>, u64) {
        let (seen, uncounted) = &mut *self.lock();
        (seen.drain().collect(), std::mem::take(uncounted))
    }
}

impl Call {
    /// Counts a denial of this call.
    pub(crate) fn note_denial(&self, action: &str, resource: &str) {
        self.note("access.denied", action, resource);
    }

    /// Counts a read that needed special rights.
    pub(crate) fn note_privileged(&self, action: &str, resource: &str) {
        self.note("access.privileged", action, resource);
    }

    fn note(&self, word: &'static str, action: &str, resource: &str) {
        let actor = match &self.caller {
            Caller::Known(identity) => identity.subject.to_string(),
            Caller::Anonymous => "anonymous".to_owned(),
        };
        let (action, resource) = (action.to_owned(), resource.to_owned());
        self.registry.note(Seen { word, actor, action, resource, correlation: Some(self.correlation) });
    }
}

impl Registry {
    /// Counts something for the journal: never waits, never fails.
    pub fn note(&self, seen: Seen) {
        let now = self.now();
        let short = |text: String| if text.len() <= TEXT { text } else { text.chars().take(TEXT).collect() };
        let key = Key {
            word: seen.word,
            actor: short(seen.actor),
            action: short(seen.action),
            resource: short(seen.resource),
        };
        self.inner.notes.add(key, Tally { count: 1, first: now, last: now, correlation: seen.correlation });
    }

    /// Writes what was counted. What cannot be written stays for the next time.
    pub async fn flush_notes(&self) -> Result<()> {
        let (mut seen, mut uncounted) = self.inner.notes.take();
        while !seen.is_empty() {
            let batch: Vec<_> = seen.drain(..seen.len().min(BATCH)).collect();
            let counted = batch.iter().map(|(key, tally)| self.counted(key, tally)).collect();
            let write = RecordCounted { tenant: self.tenant(), counted, uncounted };
            if let Err(error) = self.store().write(write).await {
                batch.into_iter().chain(seen).for_each(|(key, tally)| self.inner.notes.add(key, tally));
                self.inner.notes.lock().1 += uncounted;
                return Err(error.into());
            }
            uncounted = 0;
        }
        Ok(())
    }

    fn counted(&self, key: &Key, tally: &Tally) -> Counted {
        Counted {
            event: self.ambient().id(),
            word: key.word,
            actor: key.actor.clone(),
            action: key.action.clone(),
            resource: key.resource.clone(),
            count: tally.count,
            first: tally.first,
            last: tally.last,
            correlation: tally.correlation,
        }
    }
}

/// Writes notes and uses of tokens now and then until `shutdown` is cancelled, and once more then.
/// Every process that serves requests runs one. Nothing noted: nothing written.
pub async fn keep_notes(registry: Registry, shutdown: CancellationToken) {
    for period in 1u32.. {
        let over = tokio::time::timeout(PERIOD, shutdown.cancelled()).await.is_ok();
        let notes = registry.flush_notes().await;
        let uses = if over || period.is_multiple_of(USES_EVERY) { registry.flush_uses().await } else { Ok(()) };
        if let Err(error) = notes.and(uses) {
            tracing::warn!(%error, "notes could not be written and wait");
        }
        if over {
            return;
        }
    }
}
