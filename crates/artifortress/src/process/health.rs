//! What readiness asks: the database and the bytes.

use std::sync::Arc;
use std::time::Duration;

use registry::Registry;
use server::ops::{Check, Dependency, Health};
use store::MigrationState;

/// The dependencies of a process that serves.
pub(super) fn dependencies(registry: &Registry) -> Vec<Arc<dyn Dependency>> {
    vec![Arc::new(Database(registry.clone())), Arc::new(Bytes(registry.clone()))]
}

struct Database(Registry);

impl Dependency for Database {
    fn name(&self) -> &'static str {
        "database"
    }

    fn essential(&self) -> bool {
        true
    }

    fn check(&self) -> Check<'_> {
        Box::pin(async {
            if let Some(why) = self.0.store().poison() {
                return Health { healthy: false, detail: format!("writes have stopped: {why}") };
            }
            match self.0.store().migration_state().await {
                Ok(MigrationState::Current) => Health { healthy: true, detail: "current".to_owned() },
                Ok(MigrationState::Pending { found, wanted }) => {
                    let detail = format!("schema {} found, {} needed: run `artifortress migrate`", found.0, wanted.0);
                    Health { healthy: false, detail }
                }
                Err(error) => Health { healthy: false, detail: error.to_string() },
            }
        })
    }
}

struct Bytes(Registry);

impl Dependency for Bytes {
    fn name(&self) -> &'static str {
        "blobs"
    }

    fn essential(&self) -> bool {
        true
    }

    fn check(&self) -> Check<'_> {
        Box::pin(async {
            if self.0.blobs().poisoned() {
                return Health {
                    healthy: false,
                    detail: "a sync to disk failed: restart after looking at the disk".to_owned(),
                };
            }
            match self.0.blobs().health(self.0.ambient(), Duration::from_secs(2)).await {
                Ok(health) => {
                    let detail = health.free.map_or("answers".to_owned(), |free| format!("{} MiB free", free >> 20));
                    Health { healthy: true, detail }
                }
                Err(error) => Health { healthy: false, detail: error.to_string() },
            }
        })
    }
}
