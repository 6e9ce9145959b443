//! `serve`: everything in one process.

use clap::Args;

use super::failure::Failure;
use crate::Context;
use crate::config::{Config, ConfigFlags, DatabaseUrl, Process};
use crate::process::{Background, Lock, build, listen, offer_bootstrap, open_store, start_logs, stop_token, wait_until_usable};

/// Run the whole server in one process: API, workers and schedules
#[derive(Args, Debug)]
pub struct Serve {
    #[command(flatten)]
    config: ConfigFlags,
}

impl Serve {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let config = Config::load(&self.config, &context.environment)?;
        config.check_for(Process::Serve)?;
        start_logs(&config.log, context.console.person_watches());
        let _lock = match config.database_url() {
            DatabaseUrl::Sqlite(_) => Some(Lock::take(&config.server.data)?),
            DatabaseUrl::Postgres(_) => None,
        };
        let stop = stop_token()?;
        let store = open_store(&config, &context.ambient).await?;
        if !wait_until_usable(&config, &store, &context.ambient, &stop).await? {
            return Ok(());
        }
        let registry = build(&config, store, &context.ambient).await?;
        offer_bootstrap(&config, &registry).await?;
        let listening = listen(&config, &registry)?;
        if let Some(address) = listening.address() {
            tracing::info!(%address, "ready");
        }
        let mut background = Background::new();
        background.notes(&registry);
        background.worker(&config, &registry);
        background.beat(&registry);
        listening.serve(stop).await;
        background.stop().await;
        Ok(())
    }
}
