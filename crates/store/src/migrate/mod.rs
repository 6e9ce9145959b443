//! The schema's steps, and the promise that a program only touches a database that it understands and that is whole.

mod examine;
mod ledger;
mod lite;
mod names;
mod steps;
mod walls;

use model::Timestamp;

use crate::error::{Error, Result};
use crate::pg::Pg;
use crate::store::{Engine, Store};

pub use examine::{Depth, Inspection, inspect};
use ledger::Ledger;
pub(crate) use ledger::foreign;
pub(crate) use lite::sqlite;
use steps::{MIGRATIONS, Migration, postgres_script};

/// How far a schema has come: the number of its last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SchemaVersion(pub u32);

impl SchemaVersion {
    /// What this program knows.
    pub fn of_program() -> Self {
        Self(MIGRATIONS.last().map_or(0, |last| last.version))
    }
}

/// What a program finds when it looks at a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationState {
    /// Nothing to do.
    Current,
    /// Steps are missing: `artifortress migrate` applies them.
    Pending {
        /// Where the database is.
        found: SchemaVersion,
        /// Where this program wants it.
        wanted: SchemaVersion,
    },
}

impl Store {
    /// Compares the database's ledger of steps with this program, changing nothing. An error when the database says
    /// that this program is too old, or when steps are missing in between.
    pub async fn migration_state(&self) -> Result<MigrationState> {
        match self.engine() {
            // It was brought up to date when it was opened.
            Engine::Sqlite => Ok(MigrationState::Current),
            Engine::Postgres => self.read(Ledger::of).await?.check(),
        }
    }

    /// Refuses a database that lacks something of its schema: a table, an index, or a trigger that keeps what was
    /// published as it is. Of SQLite this was asked when it was opened.
    pub async fn check_walls(&self) -> Result<()> {
        match self.engine() {
            Engine::Sqlite => Ok(()),
            Engine::Postgres => {
                self.read(async |session| {
                    let ledger = Ledger::of(session).await?;
                    walls::check(session, ledger.version()).await
                })
                .await
            }
        }
    }

    /// Applies the missing steps, one transaction each; several programs may call it at once.
    /// Returns the steps that this call applied. A no-op on SQLite, which was migrated when it was opened. A database that is not
    /// whole is refused before its first step.
    pub async fn migrate(&self, ambient: &model::Ambient) -> Result<Vec<SchemaVersion>> {
        let mut applied = Vec::new();
        let Some(pg) = self.pg() else { return Ok(applied) };
        self.migration_state().await?;
        self.check_walls().await?;
        for step in MIGRATIONS {
            if self.read(Ledger::of).await?.version() >= step.version {
                continue;
            }
            let now = ambient.now();
            take(pg, step, now).await.map_err(|error| at(step, error))?;
            // Another program may have been sooner.
            if self.read(async |session| ledger::taken_at(session, step.version).await).await? == Some(now) {
                applied.push(SchemaVersion(step.version));
            }
        }
        Ok(applied)
    }
}

/// How often a step is begun again that met a server at work: each holds locks that the other needs.
const ATTEMPTS: u32 = 8;

async fn take(pg: &Pg, step: &Migration, now: Timestamp) -> Result<()> {
    let mut taken = pg.script(postgres_script(step, now)).await;
    for _ in 1..ATTEMPTS {
        if !matches!(taken, Err(Error::Lost(_))) {
            break;
        }
        taken = pg.script(postgres_script(step, now)).await;
    }
    taken
}

/// Says at which step it went wrong.
fn at(step: &Migration, error: impl Into<Error>) -> Error {
    match error.into() {
        Error::Defect(why) => Error::Defect(format!("step {} of the schema ({}): {why}", step.version, step.name)),
        other => other,
    }
}
