//! What a database says of the steps that it has taken.

use model::Timestamp;

use super::names::{Part, made_by_steps};
use super::steps::MIGRATIONS;
use super::{MigrationState, SchemaVersion};
use crate::args;
use crate::error::{Error, Result};
use crate::session::Session;

/// The steps that a database has taken.
pub(super) struct Ledger {
    taken: Vec<Taken>,
}

struct Taken {
    version: u32,
    name: String,
    oldest_program: u32,
}

impl Ledger {
    /// Reads it; a database without one has taken no steps. Refuses a table of that name that is none of ours, and a
    /// SQLite file that another program has filled.
    pub(super) async fn of(session: &mut Session<'_>) -> Result<Self> {
        let counts = if session.is_lite() { LITE } else { POSTGRES };
        let row = session.row(counts, &[]).await?.ok_or_else(|| Error::Defect("no counts".to_owned()))?;
        let (tables, columns, all): (u64, u64, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let ours = tables == 1 && columns == 4;
        let taken = if ours { taken(session).await? } else { Vec::new() };
        if (tables == 1 && !ours) || (taken.is_empty() && all > tables) {
            return Err(if session.is_lite() {
                foreign_file()
            } else {
                foreign("its table schema_migrations is none of ours")
            });
        }
        if taken.is_empty() && !session.is_lite() {
            expect_room(session).await?;
        }
        Ok(Self { taken })
    }

    /// The last step that was taken.
    pub(super) fn version(&self) -> u32 {
        self.taken.last().map_or(0, |last| last.version)
    }

    /// Refuses a database that a newer program has closed to us, and one that skipped a step.
    pub(super) fn check(&self) -> Result<MigrationState> {
        let (version, wanted) = (self.version(), SchemaVersion::of_program());
        let oldest = self.taken.iter().map(|step| step.oldest_program).max().unwrap_or(0);
        if oldest > wanted.0 {
            return Err(Error::conflict(format!(
                "the database is at schema {version} and needs a program that knows schema {oldest}; this one knows {}: install a newer artifortress",
                wanted.0
            )));
        }
        for step in MIGRATIONS.iter().filter(|step| step.version <= version) {
            let name = self.taken.iter().find(|taken| taken.version == step.version).map(|taken| taken.name.as_str());
            if name != Some(step.name) {
                let found = name.map_or("is not there".to_owned(), |name| format!("is called '{name}'"));
                return Err(Error::conflict(format!(
                    "the database is not whole: in its table schema_migrations step {} ('{}') {found}, though it is at \
                     schema {version}: restore it from a backup",
                    step.version, step.name
                )));
            }
        }
        let found = SchemaVersion(version);
        Ok(if found < wanted { MigrationState::Pending { found, wanted } } else { MigrationState::Current })
    }
}

/// Refuses a PostgreSQL schema without a ledger in which a table has the name of one of ours.
async fn expect_room(session: &mut Session<'_>) -> Result<()> {
    let sql = "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace
         AND relkind IN ('r', 'p', 'v', 'm', 'f')";
    let ours = made_by_steps(SchemaVersion::of_program().0);
    for row in session.rows(sql, &[]).await? {
        let name: String = row.get(0)?;
        if name != "schema_migrations" && ours.contains_key(&Part::new("table", name.as_str())) {
            return Err(foreign(&format!("its table {name} is none of ours")));
        }
    }
    Ok(())
}

async fn taken(session: &mut Session<'_>) -> Result<Vec<Taken>> {
    let sql = "SELECT version, name, oldest_program FROM schema_migrations ORDER BY version";
    let rows = session.rows(sql, &[]).await?;
    rows.iter().map(|row| Ok(Taken { version: row.get(0)?, name: row.get(1)?, oldest_program: row.get(2)? })).collect()
}

/// When a step was taken.
pub(super) async fn taken_at(session: &mut Session<'_>, version: u32) -> Result<Option<Timestamp>> {
    let row = session.row("SELECT applied_at FROM schema_migrations WHERE version = $1", args![version]).await?;
    row.map(|row| row.get(0)).transpose()
}

/// Refuses a PostgreSQL schema in which another program has made what our steps make.
pub(crate) fn foreign(why: &str) -> Error {
    Error::conflict(format!(
        "the schema of this PostgreSQL database holds parts of another program, and nothing was changed in it: use a \
         database of its own ({why})"
    ))
}

/// Refuses a SQLite file that another program has made.
fn foreign_file() -> Error {
    Error::conflict(
        "this is a SQLite database of another program, and nothing was changed in it: name another file \
         (`database.url`) or another data folder",
    )
}

/// Tables with the ledger's name, columns of it that are ours, and all that there is besides what SQLite makes for itself.
const LITE: &str = "SELECT (SELECT count(*) FROM sqlite_schema WHERE name = 'schema_migrations'),
    (SELECT count(*) FROM pragma_table_info('schema_migrations')
        WHERE name IN ('version', 'name', 'oldest_program', 'applied_at')),
    (SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\')";

/// The same; what else there is may well be somebody else's, and is not counted.
const POSTGRES: &str = "SELECT (SELECT count(*) FROM pg_class WHERE oid = to_regclass('schema_migrations')),
    (SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('schema_migrations')
        AND NOT attisdropped AND attname IN ('version', 'name', 'oldest_program', 'applied_at')),
    0::bigint";
