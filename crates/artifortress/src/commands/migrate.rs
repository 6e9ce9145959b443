//! `migrate`: bring the database up to date.

use clap::Args;
use serde_json::json;

use super::failure::Failure;
use super::table;
use crate::Context;
use crate::config::{Config, ConfigFlags, Process};
use crate::process::{Lock, look_at_file, open_store};

/// Apply the schema's missing steps; safe to run at the same time from several places
#[derive(Args, Debug)]
pub struct Migrate {
    #[command(flatten)]
    config: ConfigFlags,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Migrate {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let config = Config::load(&self.config, &context.environment)?;
        config.check_for(Process::Migrate)?;
        look_at_file(&config).await?;
        let _lock = Lock::of(&config)?;
        let store = open_store(&config, &context.ambient).await?;
        let applied = store.migrate(&context.ambient).await;
        let applied = applied.map_err(|error| Failure::new(format!("the database cannot be migrated: {error}")))?;
        let steps: Vec<u32> = applied.iter().map(|step| step.0).collect();
        if self.json {
            table::json(&context.console, &json!({ "applied": steps }));
        } else if steps.is_empty() {
            context.console.line("the database is up to date");
        } else {
            context.console.line(&format!("applied {} step(s): {steps:?}", steps.len()));
        }
        Ok(())
    }
}
