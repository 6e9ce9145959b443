//! Whether what the registry rests on is well.

use std::time::Duration;

use store::{Engine, MigrationState};

use crate::registry::Registry;

/// How long the blob store may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Background work that is this late is unwell.
const LATE: Duration = Duration::from_secs(900);

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// Whether nothing works without it.
    pub essential: bool,
    /// Whether it is well.
    pub healthy: bool,
    /// For operators: what was found; no secrets.
    pub detail: String,
}

impl Check {
    fn new(name: &'static str, essential: bool, found: Result<String, String>) -> Self {
        let healthy = found.is_ok();
        Self { name, essential, healthy, detail: found.unwrap_or_else(|why| why) }
    }
}

impl Registry {
    /// Everything that [`Registry::check_database`], [`Registry::check_blobs`] and
    /// [`Registry::check_work`] find.
    pub async fn health(&self) -> Vec<Check> {
        let (database, blobs, work) = tokio::join!(self.check_database(), self.check_blobs(), self.check_work());
        vec![database, blobs, work]
    }

    /// The database answers, is migrated, and takes writes.
    pub async fn check_database(&self) -> Check {
        let store = self.store();
        let found = match (store.stopped(), store.migration_state().await) {
            (Some(why), _) => Err(format!("writes have stopped: {why}")),
            (None, Err(error)) => Err(error.to_string()),
            (None, Ok(MigrationState::Pending { found, wanted })) => {
                Err(format!("at schema {}, not {}: run `artifortress migrate`", found.0, wanted.0))
            }
            (None, Ok(MigrationState::Current)) => match store.read(store::tenants::expect_writable).await {
                Ok(_) => Ok(match store.engine() {
                    Engine::Sqlite => "SQLite".to_owned(),
                    Engine::Postgres => "PostgreSQL".to_owned(),
                }),
                Err(error) => Err(error.to_string()),
            },
        };
        Check::new("database", true, found)
    }

    /// The blob store takes and gives bytes, and is the one that is meant. Writes a few.
    pub async fn check_blobs(&self) -> Check {
        let found = if self.blobs().poisoned() {
            Err("a sync to disk has failed: restart".to_owned())
        } else {
            match self.blobs().health(self.ambient(), PATIENCE).await {
                Ok(health) => match self.expect_our_blobs().await {
                    Ok(()) => Ok(health.free.map_or_else(String::new, |free| format!("{free} bytes free"))),
                    Err(_) => Err("not the blob store of this database".to_owned()),
                },
                Err(error) => Err(error.to_string()),
            }
        };
        Check::new("blob_store", true, found)
    }

    /// Events are sequenced and jobs are done in time. Not essential: artifacts are served without.
    pub async fn check_work(&self) -> Check {
        let now = self.now();
        let late = self.store().read(async |session| store::ops::lateness(session, now).await).await;
        let found = match late {
            Err(error) => Err(error.to_string()),
            Ok(since) => match since.map(|since| now.since(since)) {
                Some(age) if age > LATE => Err(format!("the oldest waiting work is {} s old", age.as_secs())),
                _ => Ok(String::new()),
            },
        };
        Check::new("background_work", false, found)
    }
}
