//! `api`: one of many processes that answer HTTP.

use clap::Args;

use super::failure::Failure;
use crate::Context;
use crate::config::{ConfigFlags, Process};
use crate::process::live;

/// Run an API process of a scaled-out server; start as many as needed
#[derive(Args, Debug)]
pub struct Api {
    #[command(flatten)]
    config: ConfigFlags,
}

impl Api {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        live(Process::Api, &self.config, context).await
    }
}
