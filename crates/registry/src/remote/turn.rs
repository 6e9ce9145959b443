//! One process at a time asks an upstream for a thing; the others wait for it. Where only one process uses the database
//! there is nothing to do.

use std::time::Duration;

use model::{EventId, RepoId};
use store::flights::{Board, Land};

use crate::authorize::{Grant, Read};
use crate::error::Result;
use crate::registry::Registry;

/// How long a process that died keeps others waiting.
const LEASE: Duration = Duration::from_secs(10);
/// How often those who wait look.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// The right to ask; given back by [`Turn::end`], or after a while.
pub(super) struct Turn(Option<Held>);

struct Held {
    registry: Registry,
    repo: RepoId,
    name: String,
    holder: EventId,
    renewal: tokio::task::JoinHandle<()>,
}

impl Grant<Read> {
    /// The right to ask for `name`. `None`: another process is at it; look again after [`PAUSE`].
    pub(super) async fn turn(&self, name: &str) -> Result<Option<Turn>> {
        let registry = self.registry();
        if !registry.shares_its_database() {
            return Ok(Some(Turn(None)));
        }
        let (repo, name, holder) = (self.repo_id(), name.to_owned(), self.ambient().id());
        if !board(registry, repo, &name, holder).await? {
            return Ok(None);
        }
        let renewal = tokio::spawn(renew(registry.clone(), repo, name.clone(), holder));
        Ok(Some(Turn(Some(Held { registry: registry.clone(), repo, name, holder, renewal }))))
    }
}

async fn board(registry: &Registry, repo: RepoId, name: &str, holder: EventId) -> Result<bool> {
    let at = registry.now();
    let write = Board { repo, name: name.to_owned(), holder, at, until: at.plus(LEASE) };
    Ok(registry.store().write(write).await?)
}

async fn renew(registry: Registry, repo: RepoId, name: String, holder: EventId) {
    loop {
        tokio::time::sleep(LEASE / 3).await;
        if let Err(error) = board(&registry, repo, &name, holder).await {
            tracing::warn!(%error, name, "a fetch cannot say that it goes on");
        }
    }
}

impl Turn {
    /// Lets the next one ask.
    pub(super) async fn end(self) {
        let Some(held) = &self.0 else { return };
        let write = Land { repo: held.repo, name: held.name.clone(), holder: held.holder };
        if let Err(error) = held.registry.store().write(write).await {
            tracing::warn!(%error, name = held.name, "a fetch cannot say that it is over: others wait for a while");
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}
