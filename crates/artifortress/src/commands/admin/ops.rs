//! `admin ops`.

use clap::Subcommand;

use super::Desk;
use crate::commands::failure::Failure;

#[derive(Debug, Subcommand)]
pub(super) enum Ops {
    /// Backlogs, dead letters, readiness
    Summary,
}

impl Ops {
    pub(super) async fn run(self, desk: &Desk<'_>) -> Result<(), Failure> {
        match self {
            Self::Summary => desk.show("/v1/admin/ops/summary").await,
        }
    }
}
