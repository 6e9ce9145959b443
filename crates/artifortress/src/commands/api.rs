//! `api`: one of many processes that answer HTTP.

use clap::Args;

use super::failure::Failure;
use crate::Context;
use crate::config::{Config, ConfigFlags, Process};
use crate::process::{Background, build, listen, offer_bootstrap, open_store, start_logs, stop_token, wait_until_usable};

/// Run an API process of a scaled-out server; start as many as needed
#[derive(Args, Debug)]
pub struct Api {
    #[command(flatten)]
    config: ConfigFlags,
}

impl Api {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let config = Config::load(&self.config, &context.environment)?;
        config.check_for(Process::Api)?;
        start_logs(&config.log, context.console.person_watches());
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
        listening.serve(stop).await;
        background.stop().await;
        Ok(())
    }
}
