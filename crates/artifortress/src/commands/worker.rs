//! `worker`: one of many processes that run jobs.

use clap::Args;

use super::failure::Failure;
use crate::Context;
use crate::config::{ConfigFlags, Process};
use crate::process::live;

/// Run a worker of a scaled-out server; start as many as the backlog needs
#[derive(Args, Debug)]
pub struct Worker {
    #[command(flatten)]
    config: ConfigFlags,
}

impl Worker {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        live(Process::Worker, &self.config, context).await
    }
}
