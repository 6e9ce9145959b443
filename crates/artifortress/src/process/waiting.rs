//! Before a process can work: the database is away, or its schema is behind. Probes get an answer
//! meanwhile, and the process begins by itself when all is well.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::Ambient;
use server::edge::{Edge, layers};
use server::ops::{Check, Dependency, Health, Readiness, health_routes};
use store::{MigrationState, Store};
use tokio_util::sync::CancellationToken;

use super::listen::{bind, edge_config, metrics};
use crate::commands::failure::Failure;
use crate::config::Config;

/// How often to look again.
const LOOK: Duration = Duration::from_millis(500);

/// Returns `true` once the schema is current, `false` when asked to stop before. Until then
/// `/health/live` answers and `/health/ready` says `not_ready` and why. Fails at once when the
/// database says that this program is too old.
pub(crate) async fn wait_until_usable(
    config: &Config,
    store: &Store,
    ambient: &Ambient,
    stop: &CancellationToken,
) -> Result<bool, Failure> {
    if why_not(store).await?.is_none() {
        return Ok(true);
    }
    let reason = Arc::new(Reason(Mutex::default()));
    let room = CancellationToken::new();
    let waiting = tokio::spawn(serve_room(config.clone(), ambient.clone(), Arc::clone(&reason), room.clone())?);
    let usable = look_until_usable(store, stop, &reason).await;
    room.cancel();
    drop(waiting.await);
    usable
}

/// The same for processes that answer nobody.
pub(crate) async fn wait_quietly(store: &Store, stop: &CancellationToken) -> Result<bool, Failure> {
    look_until_usable(store, stop, &Reason(Mutex::default())).await
}

async fn look_until_usable(store: &Store, stop: &CancellationToken, reason: &Reason) -> Result<bool, Failure> {
    loop {
        match why_not(store).await? {
            None => return Ok(true),
            Some(why) => reason.set(why),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(false),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn why_not(store: &Store) -> Result<Option<String>, Failure> {
    match store.migration_state().await {
        Ok(MigrationState::Current) => Ok(None),
        Ok(MigrationState::Pending { found, wanted }) => Ok(Some(format!(
            "the database is at schema {}, {} is needed: run `artifortress migrate`",
            found.0, wanted.0
        ))),
        Err(store::Error::Refused(refusal)) => Err(Failure::new(refusal.detail)),
        Err(error) => Ok(Some(error.to_string())),
    }
}

fn serve_room(
    config: Config,
    ambient: Ambient,
    reason: Arc<Reason>,
    room: CancellationToken,
) -> Result<impl Future<Output = ()> + Send, Failure> {
    let metrics = metrics(&ambient);
    let readiness = Arc::new(Readiness::new(ambient.clone(), vec![reason as Arc<dyn Dependency>]));
    let edge = Edge::new(edge_config(&config, config.server.listen), ambient, metrics);
    let listener = bind(&edge, "listen")?;
    let routes = layers(
        &edge,
        health_routes(readiness).fallback(async || server::Problem::service_unavailable("not ready yet")),
    );
    Ok(async move { listener.serve(routes, room.cancelled()).await })
}

/// Why the process waits.
struct Reason(Mutex<String>);

impl Reason {
    fn set(&self, why: String) {
        let mut reason = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *reason != why {
            tracing::warn!(why, "waiting");
            *reason = why;
        }
    }
}

impl Dependency for Reason {
    fn name(&self) -> &'static str {
        "database"
    }

    fn essential(&self) -> bool {
        true
    }

    fn check(&self) -> Check<'_> {
        let detail = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async { Health { healthy: false, detail } })
    }
}
