//! When tokens were last seen: remembered here, written in batches, never by the request itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::{Timestamp, TokenId};
use store::token_uses::NoteUses;

use crate::error::Result;
use crate::registry::Registry;

/// Tokens remembered at most; uses of more are not noted.
const KNOWN: usize = 20_000;
/// A token's row is written at most this often.
const EVERY: Duration = Duration::from_secs(60);
/// A token that was silent for so long is forgotten here.
const SILENT: Duration = Duration::from_secs(600);

#[derive(Clone, Copy)]
struct Use {
    seen: Timestamp,
    written: Option<Timestamp>,
}

impl Use {
    /// Whether there is something new that may be written.
    fn is_due(&self) -> bool {
        self.written.is_none_or(|written| self.seen.since(written) >= EVERY)
    }
}

/// The tokens seen of late.
#[derive(Default)]
pub(crate) struct Uses(Mutex<HashMap<TokenId, Use>>);

impl Registry {
    /// Notes that a token was used now. Costs a look into a map.
    pub fn note_use(&self, token: TokenId) {
        let seen = self.now();
        let mut known = self.inner.uses.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = known.len() < KNOWN;
        match known.get_mut(&token) {
            Some(known) => known.seen = seen,
            None if room => drop(known.insert(token, Use { seen, written: None })),
            None => {}
        }
    }

    /// Writes what is due. After an error the same is due again.
    pub async fn flush_uses(&self) -> Result<()> {
        let uses = self.due_uses();
        if uses.is_empty() {
            return Ok(());
        }
        self.store().write(NoteUses { uses: uses.clone() }).await?;
        let mut known = self.inner.uses.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (token, seen) in uses {
            if let Some(known) = known.get_mut(&token) {
                known.written = Some(seen);
            }
        }
        Ok(())
    }

    fn due_uses(&self) -> Vec<(TokenId, Timestamp)> {
        let now = self.now();
        let mut known = self.inner.uses.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, one| one.is_due() || now.since(one.seen) < SILENT);
        let mut uses: Vec<_> =
            known.iter().filter(|(_, one)| one.is_due()).map(|(token, one)| (*token, one.seen)).collect();
        uses.sort_unstable_by_key(|(token, _)| *token);
        uses
    }
}
