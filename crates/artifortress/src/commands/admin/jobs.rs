//! `admin jobs`.

use clap::Subcommand;
use serde_json::json;

use super::Desk;
use crate::commands::failure::Failure;

const PLACE: &str = "/v1/admin/jobs";

#[derive(Debug, Subcommand)]
pub(super) enum Jobs {
    /// List dead letters
    List,
    /// Try dead letters again
    Retry {
        /// The job's id (see `list`)
        #[arg(required_unless_present = "all")]
        job_id: Option<String>,
        /// All of them
        #[arg(long, conflicts_with = "job_id")]
        all: bool,
    },
}

impl Jobs {
    pub(super) async fn run(self, desk: &Desk<'_>) -> Result<(), Failure> {
        match self {
            Self::List => {
                let columns = [
                    ("ID", "jobId"),
                    ("KIND", "kind"),
                    ("ATTEMPTS", "attempts"),
                    ("CREATED", "createdAtUtc"),
                    ("LAST ERROR", "lastError"),
                ];
                desk.list(PLACE, &[], None, &columns).await
            }
            Self::Retry { job_id: Some(id), .. } => {
                let call = desk.client.post(PLACE).json(&json!({ "jobId": id }));
                desk.perform(call, &format!("job {id} is tried again")).await
            }
            Self::Retry { .. } => {
                let call = desk.client.post(PLACE).json(&json!({ "all": true }));
                desk.perform(call, "every dead letter is tried again").await
            }
        }
    }
}
