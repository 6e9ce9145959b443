//! SQLite: looked at without writing, then migrated as a whole.

use std::path::Path;
use std::rc::Rc;

use model::Timestamp;
use rusqlite::Connection;

use super::examine::{Depth, inspect_file};
use super::steps::{LEDGER, MIGRATIONS, render};
use super::{Inspection, MigrationState, SchemaVersion, at};
use crate::error::Result;
use crate::store::Engine;

/// Brings a SQLite file up to date, creating it when missing. A file that is refused is left as it is.
pub(crate) fn sqlite(path: &Path, ambient: &model::Ambient) -> Result<()> {
    let found = match inspect_file(path, Depth::Schema)? {
        Some(Inspection { state: MigrationState::Current, .. }) => return Ok(()),
        Some(Inspection { state: MigrationState::Pending { found, .. }, .. }) => found,
        None => SchemaVersion(0),
    };
    let conn = crate::lite::open_writer(path)?;
    conn.execute_batch("BEGIN IMMEDIATE")?;
    take_steps(&conn, found, SchemaVersion::of_program(), ambient.now())?;
    conn.execute_batch("COMMIT")?;
    Ok(())
}

/// A database in memory at schema `version`, without rows: what one is like that nobody tampered with.
pub(super) fn model(version: u32) -> Result<Rc<Connection>> {
    let conn = Connection::open_in_memory()?;
    conn.execute_batch("PRAGMA journal_mode = OFF; BEGIN")?;
    take_steps(&conn, SchemaVersion(0), SchemaVersion(version), Timestamp(0))?;
    Ok(Rc::new(conn))
}

fn take_steps(conn: &Connection, after: SchemaVersion, until: SchemaVersion, now: Timestamp) -> Result<()> {
    conn.execute_batch(&render(LEDGER, Engine::Sqlite))?;
    for step in MIGRATIONS.iter().filter(|step| step.version > after.0 && step.version <= until.0) {
        conn.execute_batch(&render(step.body, Engine::Sqlite)).map_err(|error| at(step, error))?;
        conn.execute_batch(step.sqlite).map_err(|error| at(step, error))?;
        let sql = "INSERT INTO schema_migrations (version, name, oldest_program, applied_at) VALUES (?1, ?2, ?3, ?4)";
        conn.execute(sql, (step.version, step.name, step.oldest_program, now.0)).map_err(|error| at(step, error))?;
    }
    Ok(())
}
