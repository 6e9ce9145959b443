//! `admin token-policy`.

use clap::Subcommand;
use serde_json::json;

use super::Desk;
use crate::commands::failure::Failure;

const PLACE: &str = "/v1/admin/auth/pat-policy";

#[derive(Debug, Subcommand)]
pub(super) enum TokenPolicy {
    /// Show the longest life of a token
    Get,
    /// Set the longest life of a token that is made from now on
    Set {
        /// Minutes
        #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(5..=10_080))]
        max_ttl_minutes: u64,
    },
}

impl TokenPolicy {
    pub(super) async fn run(self, desk: &Desk<'_>) -> Result<(), Failure> {
        match self {
            Self::Get => desk.show(PLACE).await,
            Self::Set { max_ttl_minutes } => {
                let call = desk.client.put(PLACE).json(&json!({ "maxTtlMinutes": max_ttl_minutes }));
                desk.perform(call, &format!("a new token lives {max_ttl_minutes} minutes at most")).await
            }
        }
    }
}
