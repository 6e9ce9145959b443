//! The database itself, looked at without the server and without writing.

use store::{Depth, Error, MigrationState, Options};

use super::Finding;
use crate::config::Config;
use crate::process::{database_options, look_at_all};

const CHECK: &str = "database";

/// Whether the configured database is sound: its schema, and with `pages` all that SQLite can tell of its file. Without
/// `pages` a database that is not there is no finding: it may be on the server's machine.
pub(super) async fn look(config: &Config, pages: bool) -> Option<Finding> {
    let options = database_options(config);
    let depth = if pages { Depth::Pages } else { Depth::Schema };
    match store::inspect(&options, depth).await {
        Ok(None) => pages.then(|| absent(&options)),
        Ok(Some(found)) => Some(sound(found.state, &options, depth)),
        Err(error) => Some(Finding::fail(CHECK, error.to_string(), action(&error, &options))),
    }
}

/// Whether database, blob store and master key belong together and to this environment, as a start asks.
pub(super) async fn whole(config: &Config) -> Finding {
    const CHECK: &str = "belongs";
    match look_at_all(config).await {
        Ok(()) => Finding::pass(CHECK, "database and blob store belong together, and to this environment"),
        Err(failure) => Finding::fail(CHECK, failure.message, failure.more.join("; ")),
    }
}

fn absent(options: &Options) -> Finding {
    match options {
        Options::Sqlite { path } => {
            let detail = format!("there is none yet: '{}'", path.display());
            Finding::warn(CHECK, detail, "`serve` makes it at its first start; elsewhere, name the data folder with --data")
        }
        Options::Postgres { .. } => Finding::warn(CHECK, "it is empty", "`artifortress migrate`"),
    }
}

fn sound(state: MigrationState, options: &Options, depth: Depth) -> Finding {
    match (state, options, depth) {
        (MigrationState::Pending { found, wanted }, ..) => {
            let detail = format!("it is at schema {}, this program at {}", found.0, wanted.0);
            Finding::warn(CHECK, detail, "`artifortress migrate`; an embedded `serve` does it at its start")
        }
        (MigrationState::Current, Options::Sqlite { .. }, Depth::Pages) => {
            Finding::pass(CHECK, "its file is sound, and its schema whole")
        }
        (MigrationState::Current, ..) => Finding::pass(CHECK, "its schema is whole"),
    }
}

fn action(error: &Error, options: &Options) -> &'static str {
    match (error, options) {
        (Error::Refused(_), _) => "see \"When the database is refused\" in docs/operate/running.md",
        (Error::Damaged(_), Options::Sqlite { .. }) => {
            "stop the server, keep the file, and put the last copy of the whole data folder in its place"
        }
        (Error::Damaged(_), Options::Postgres { .. }) => "mend or restore it with PostgreSQL's own means",
        (_, Options::Sqlite { .. }) => "let the server's user read the file",
        (_, Options::Postgres { .. }) => "start the database, or mend `database.url`",
    }
}
