//! `recover`: whoever owns the database is let in again after the last admin's token has ended.

use clap::Args;
use model::Subject;
use serde_json::json;
use store::MigrationState;

use super::failure::Failure;
use super::table;
use crate::Context;
use crate::config::{Config, ConfigFlags, DatabaseUrl, Process};
use crate::process::{Lock, build, look_first, open_store, whole};

/// Make an admin's token when no admin's token is in force any more, and print it, this once
///
/// Works on the database itself, without the server: in the data folder of a stopped `serve`, or with the database URL
/// and blob store of a scaled-out installation. The journal says that it was done. Nobody is let in over the network.
#[derive(Args, Debug)]
pub struct Recover {
    /// Who the admin is
    #[arg(long, default_value = "admin", value_parser = subject)]
    subject: Subject,

    /// Also while an admin's token is in force: nobody has it any more. It stays valid until it ends or is revoked
    #[arg(long)]
    lost: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    config: ConfigFlags,
}

impl Recover {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let config = Config::load(&self.config, &context.environment)?;
        config.check_for(Process::Migrate)?;
        exists(&config)?;
        look_first(&config).await?;
        let _lock = Lock::of(&config)?;
        let store = open_store(&config, &context.ambient).await?;
        let state = store.migration_state().await.map_err(|error| Failure::new(error.to_string()))?;
        if state != MigrationState::Current {
            return Err(Failure::new("the database is not up to date: run `artifortress migrate`"));
        }
        whole(&store).await?;
        let registry = build(&config, store, context).await?;
        let minted = registry.recover(self.subject, self.lost).await.map_err(|error| {
            let failure = Failure::new(error.to_string());
            if self.lost { failure } else { failure.advise("if nobody has that token any more: --lost") }
        })?;
        let (console, subject, until) = (&context.console, minted.subject, minted.expires_at);
        if self.json {
            let told = json!({ "token": minted.secret.text(), "subject": subject, "expiresAtUtc": until });
            table::json(console, &told);
            return Ok(());
        }
        console.complain(&format!("admin's token for {subject}, until {until}; it is shown only now (see `artifortress login`):"));
        console.line(minted.secret.text());
        Ok(())
    }
}

/// A wrong folder is told, not filled with a new database.
fn exists(config: &Config) -> Result<(), Failure> {
    match config.database_url() {
        DatabaseUrl::Sqlite(path) if !path.exists() => {
            let failure = Failure::not_found(format!("there is no database {}", path.display()));
            Err(failure.advise("name the server's data folder with --data"))
        }
        _ => Ok(()),
    }
}

/// For clap: a subject.
fn subject(text: &str) -> Result<Subject, String> {
    Subject::normalise(text).map_err(|error| error.to_string())
}
