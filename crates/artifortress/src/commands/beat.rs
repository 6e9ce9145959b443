//! `beat`: the process that numbers events and keeps the schedule.

use clap::Args;

use super::failure::Failure;
use crate::Context;
use crate::config::{Config, ConfigFlags, Process};
use crate::process::{Background, build, open_store, operate, start_logs, stop_token, wait_quietly};

/// Run the scheduler of a scaled-out server; one leads, further ones stand by
#[derive(Args, Debug)]
pub struct Beat {
    #[command(flatten)]
    config: ConfigFlags,
}

impl Beat {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let config = Config::load(&self.config, &context.environment)?;
        config.check_for(Process::Beat)?;
        start_logs(&config.log, context.console.person_watches());
        let stop = stop_token()?;
        let store = open_store(&config, &context.ambient).await?;
        if !wait_quietly(&store, &stop).await? {
            return Ok(());
        }
        let registry = build(&config, store, &context.ambient).await?;
        let mut background = Background::new();
        background.beat(&registry);
        tracing::info!("ready");
        operate(&config, &registry, &stop).await?;
        background.stop().await;
        Ok(())
    }
}
