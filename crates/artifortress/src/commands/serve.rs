//! `serve`: everything in one process.

use clap::Args;

use super::failure::Failure;
use crate::Context;
use crate::config::{ConfigFlags, Process};
use crate::process::live;

/// Run the whole server in one process: API, workers and schedules
#[derive(Args, Debug)]
pub struct Serve {
    #[command(flatten)]
    config: ConfigFlags,
}

impl Serve {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        live(Process::Serve, &self.config, context).await
    }
}
