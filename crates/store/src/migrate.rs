//! The schema's steps, and the promise that a program only touches a database it understands.

use std::path::Path;

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::store::{Engine, Store};

/// A step of the schema. The body is one text for both engines; the walls differ.
struct Migration {
    version: u32,
    name: &'static str,
    body: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
    /// Programs that know fewer steps than this may no longer use the database.
    oldest_program: u32,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "first",
        body: include_str!("../migrations/0001_first.sql"),
        sqlite: include_str!("../migrations/0001_first.sqlite.sql"),
        postgres: include_str!("../migrations/0001_first.postgres.sql"),
        oldest_program: 1,
    },
    Migration {
        version: 2,
        name: "remote",
        body: include_str!("../migrations/0002_remote.sql"),
        sqlite: include_str!("../migrations/0002_remote.sqlite.sql"),
        postgres: include_str!("../migrations/0002_remote.postgres.sql"),
        oldest_program: 1,
    },
    Migration {
        version: 3,
        name: "waivers",
        body: include_str!("../migrations/0003_waivers.sql"),
        sqlite: include_str!("../migrations/0003_waivers.sqlite.sql"),
        postgres: include_str!("../migrations/0003_waivers.postgres.sql"),
        oldest_program: 1,
    },
    Migration {
        version: 4,
        name: "instants",
        body: include_str!("../migrations/0004_instants.sql"),
        sqlite: include_str!("../migrations/0004_instants.sqlite.sql"),
        postgres: include_str!("../migrations/0004_instants.postgres.sql"),
        oldest_program: 1,
    },
    Migration {
        version: 5,
        name: "cached",
        body: include_str!("../migrations/0005_cached.sql"),
        sqlite: "",
        postgres: "",
        oldest_program: 1,
    },
    Migration {
        version: 6,
        name: "small",
        body: include_str!("../migrations/0006_small.sql"),
        sqlite: "",
        postgres: "",
        oldest_program: 1,
    },
];

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations
    (version INT NOT NULL PRIMARY KEY, name TEXT NOT NULL, oldest_program INT NOT NULL, applied_at INT NOT NULL) STRICT;";

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

/// Applied step and the oldest program that the database allows.
#[derive(Clone, Copy)]
struct Found {
    version: u32,
    oldest_program: u32,
}

impl Found {
    const NOTHING: Self = Self { version: 0, oldest_program: 0 };

    /// Refuses a database that a newer program has closed to us.
    fn check(self) -> Result<MigrationState> {
        let wanted = SchemaVersion::of_program();
        if self.oldest_program > wanted.0 {
            return Err(Error::refuse(
                model::Code::Conflict,
                format!(
                    "the database is at schema {} and needs a program that knows schema {}; this one knows {}: install a newer artifortress",
                    self.version, self.oldest_program, wanted.0
                ),
            ));
        }
        let found = SchemaVersion(self.version);
        Ok(if found < wanted { MigrationState::Pending { found, wanted } } else { MigrationState::Current })
    }
}

/// Brings a SQLite file up to date, creating it when missing.
pub(crate) fn sqlite(path: &Path, ambient: &model::Ambient) -> Result<()> {
    if path.exists() && matches!(sqlite_found(&crate::lite::open_reader(path)?)?.check()?, MigrationState::Current) {
        return Ok(());
    }
    let conn = crate::lite::open_writer(path)?;
    let found = sqlite_found(&conn)?;
    conn.execute_batch(&format!("BEGIN IMMEDIATE; {}", render(LEDGER, Engine::Sqlite)))?;
    for step in MIGRATIONS.iter().filter(|step| step.version > found.version) {
        conn.execute_batch(&render(step.body, Engine::Sqlite))?;
        conn.execute_batch(step.sqlite)?;
        conn.execute(
            "INSERT INTO schema_migrations (version, name, oldest_program, applied_at) VALUES (?1, ?2, ?3, ?4)",
            (step.version, step.name, step.oldest_program, ambient.now().0),
        )?;
    }
    conn.execute_batch("COMMIT")?;
    Ok(())
}

fn sqlite_found(conn: &Connection) -> Result<Found> {
    let ledger: i64 =
        conn.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'schema_migrations'", [], |row| row.get(0))?;
    if ledger == 0 {
        return Ok(Found::NOTHING);
    }
    let sql = "SELECT coalesce(max(version), 0), coalesce(max(oldest_program), 0) FROM schema_migrations";
    Ok(conn.query_row(sql, [], |row| Ok(Found { version: row.get(0)?, oldest_program: row.get(1)? }))?)
}

impl Store {
    /// Compares the database with this program, changing nothing. An error when the database says
    /// that this program is too old.
    pub async fn migration_state(&self) -> Result<MigrationState> {
        self.found().await?.check()
    }

    /// Applies the missing steps, one transaction each; several programs may call it at once.
    /// Returns the steps applied. A no-op on SQLite, which was migrated when it was opened.
    pub async fn migrate(&self, ambient: &model::Ambient) -> Result<Vec<SchemaVersion>> {
        let mut applied = Vec::new();
        let Some(pg) = self.pg() else { return Ok(applied) };
        self.migration_state().await?;
        for step in MIGRATIONS {
            if self.found().await?.version >= step.version {
                continue;
            }
            pg.script(postgres_script(step, ambient)).await?;
            applied.push(SchemaVersion(step.version));
        }
        Ok(applied)
    }

    async fn found(&self) -> Result<Found> {
        if self.engine() == Engine::Sqlite {
            return Ok(Found { version: SchemaVersion::of_program().0, oldest_program: 0 });
        }
        self.read(async |session| {
            let ledger: bool = match session.row("SELECT to_regclass('schema_migrations') IS NOT NULL", &[]).await? {
                Some(row) => row.get(0)?,
                None => false,
            };
            if !ledger {
                return Ok(Found::NOTHING);
            }
            let sql = "SELECT coalesce(max(version), 0), coalesce(max(oldest_program), 0) FROM schema_migrations";
            match session.row(sql, &[]).await? {
                Some(row) => Ok(Found { version: row.get(0)?, oldest_program: row.get(1)? }),
                None => Ok(Found::NOTHING),
            }
        })
        .await
    }
}

/// The advisory lock makes concurrent migrators wait; the guard makes the second one do nothing.
fn postgres_script(step: &Migration, ambient: &model::Ambient) -> String {
    format!(
        "BEGIN; SELECT pg_advisory_xact_lock(6837201);
         {ledger}
         DO $migration$ BEGIN IF NOT EXISTS (SELECT 1 FROM schema_migrations WHERE version = {version}) THEN
         EXECUTE $body${body}{walls}$body$;
         INSERT INTO schema_migrations (version, name, oldest_program, applied_at) VALUES ({version}, '{name}', {oldest}, {now});
         END IF; END $migration$;
         COMMIT;",
        ledger = render(LEDGER, Engine::Postgres),
        version = step.version,
        body = render(step.body, Engine::Postgres),
        walls = step.postgres,
        name = step.name,
        oldest = step.oldest_program,
        now = ambient.now().0,
    )
}

/// Puts an engine's types into the one text.
fn render(text: &str, engine: Engine) -> String {
    let words: [(&str, &str); 7] = match engine {
        Engine::Sqlite => [
            ("INT", "INTEGER"),
            ("NAME", "TEXT"),
            ("BYTES", "BLOB"),
            ("BOOL", "INTEGER"),
            ("UUID", "BLOB"),
            ("STRICT", "STRICT"),
            ("SMALL", "STRICT, WITHOUT ROWID"),
        ],
        Engine::Postgres => [
            ("INT", "BIGINT"),
            ("NAME", "TEXT COLLATE \"C\""),
            ("BYTES", "BYTEA"),
            ("BOOL", "BOOLEAN"),
            ("UUID", "UUID"),
            ("STRICT", ""),
            ("SMALL", ""),
        ],
    };
    let code = text.lines().filter(|line| !line.trim_start().starts_with("--"));
    let word = |token: &str| {
        words.iter().find(|(from, _)| *from == token).map_or(token.to_owned(), |(_, to)| (*to).to_owned())
    };
    let mut out = String::with_capacity(text.len() * 2);
    for line in code {
        let mut token = String::new();
        for c in line.chars() {
            if c.is_ascii_alphanumeric() || c == '_' {
                token.push(c);
            } else {
                out.push_str(&word(&std::mem::take(&mut token)));
                out.push(c);
            }
        }
        out.push_str(&word(&token));
        out.push('\n');
    }
    out
}
