//! `worker`: one of many processes that run jobs.

use clap::Args;

use super::failure::Failure;
use crate::Context;
use crate::config::{Config, ConfigFlags, Process};
use crate::process::{Background, build, open_store, operate, start_logs, stop_token, wait_quietly};

/// Run a worker of a scaled-out server; start as many as the backlog needs
#[derive(Args, Debug)]
pub struct Worker {
    #[command(flatten)]
    config: ConfigFlags,
}

impl Worker {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let config = Config::load(&self.config, &context.environment)?;
        config.check_for(Process::Worker)?;
        start_logs(&config.log, context.console.person_watches());
        let stop = stop_token()?;
        let store = open_store(&config, &context.ambient).await?;
        if !wait_quietly(&store, &stop).await? {
            return Ok(());
        }
        let registry = build(&config, store, &context.ambient).await?;
        let mut background = Background::new();
        background.worker(&config, &registry);
        tracing::info!("ready");
        operate(&config, &registry, &stop).await?;
        background.stop().await;
        Ok(())
    }
}
