//! When tokens were last seen and cached files last read: remembered here, written in batches, never by the request
//! itself.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::{RepoId, Sha256Digest, Timestamp, TokenId};
use store::cached::{NoteReads, is_condemned};
use store::token_uses::NoteUses;

use crate::error::Result;
use crate::registry::Registry;

/// Tokens remembered at most; uses of more are not noted.
const TOKENS: usize = 20_000;
/// A token's row is written at most this often.
const EVERY_TOKEN: Duration = Duration::from_secs(60);
/// A token that was silent for so long is forgotten here.
const SILENT_TOKEN: Duration = Duration::from_secs(600);
/// Files remembered at most; reads of more are not noted.
const FILES: usize = 50_000;
/// A file's row is written at most this often: that is how exact its last read is.
const EVERY_FILE: Duration = Duration::from_secs(3600);
/// Rows written in one transaction.
const BATCH: usize = 500;

#[derive(Clone, Copy)]
struct Use {
    seen: Timestamp,
    written: Option<Timestamp>,
}

/// What was used of late, each with its last use.
pub(crate) struct Uses<K> {
    known: Mutex<HashMap<K, Use>>,
    most: usize,
    every: Duration,
    silent: Duration,
}

impl Uses<TokenId> {
    pub(crate) fn of_tokens() -> Self {
        Self { known: Mutex::default(), most: TOKENS, every: EVERY_TOKEN, silent: SILENT_TOKEN }
    }
}

impl Uses<(RepoId, Sha256Digest)> {
    pub(crate) fn of_files() -> Self {
        Self { known: Mutex::default(), most: FILES, every: EVERY_FILE, silent: EVERY_FILE }
    }
}

impl<K: Copy + Eq + Hash + Ord> Uses<K> {
    /// Costs a look into a map.
    fn note(&self, key: K, seen: Timestamp) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let room = known.len() < self.most;
        match known.get_mut(&key) {
            Some(known) => known.seen = seen,
            None if room => drop(known.insert(key, Use { seen, written: None })),
            None => {}
        }
    }

    fn is_empty(&self) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// What is due, in order: what was not written for a while, or, where it is pressing, all that is new.
    fn due(&self, now: Timestamp, pressing: bool) -> Vec<(K, Timestamp)> {
        let every = if pressing { Duration::ZERO } else { self.every };
        let is_due = |one: &Use| one.written.is_none_or(|last| one.seen > last && one.seen.since(last) >= every);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, one| is_due(one) || now.since(one.seen) < self.silent);
        let mut uses: Vec<_> = known.iter().filter(|(_, one)| is_due(one)).map(|(key, one)| (*key, one.seen)).collect();
        uses.sort_unstable_by_key(|(key, _)| *key);
        uses
    }

    fn written(&self, uses: Vec<(K, Timestamp)>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, seen) in uses {
            if let Some(known) = known.get_mut(&key) {
                known.written = Some(seen);
            }
        }
    }
}

impl Registry {
    /// Notes that a token was used now. Costs a look into a map.
    pub fn note_use(&self, token: TokenId) {
        self.inner.uses.note(token, self.now());
    }

    /// Notes that a cached file was read now. Costs a look into a map.
    pub(crate) fn note_read(&self, repo: RepoId, digest: Sha256Digest) {
        self.inner.reads.note((repo, digest), self.now());
    }

    /// Writes what is due. After an error the same is due again.
    pub async fn flush_uses(&self) -> Result<()> {
        let uses = self.inner.uses.due(self.now(), false);
        if !uses.is_empty() {
            self.store().write(NoteUses { uses: uses.clone() }).await?;
            self.inner.uses.written(uses);
        }
        if self.inner.reads.is_empty() {
            return Ok(());
        }
        let now = self.now();
        // Bytes that are about to go stay when somebody reads them, also what was read within the hour before.
        let pressing = self.store().read(async |session| is_condemned(session, now).await).await?;
        for reads in self.inner.reads.due(now, pressing).chunks(BATCH) {
            self.store().write(NoteReads { reads: reads.to_vec() }).await?;
            self.inner.reads.written(reads.to_vec());
        }
        Ok(())
    }
}
