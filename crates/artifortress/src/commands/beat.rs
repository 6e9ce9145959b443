//! `beat`: the process that numbers events and keeps the schedule.

use clap::Args;

use super::failure::Failure;
use crate::Context;
use crate::config::{ConfigFlags, Process};
use crate::process::live;

/// Run the scheduler of a scaled-out server; one leads, further ones stand by
#[derive(Args, Debug)]
pub struct Beat {
    #[command(flatten)]
    config: ConfigFlags,
}

impl Beat {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        live(Process::Beat, &self.config, context).await
    }
}
