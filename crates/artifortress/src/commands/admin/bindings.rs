//! `admin bindings`: who has which role.

use clap::{Args, Subcommand};
use serde_json::json;

use super::Desk;
use crate::commands::failure::Failure;

#[derive(Debug, Subcommand)]
pub(super) enum Bindings {
    /// List who is bound
    List {
        #[command(flatten)]
        on: On,
    },
    /// Give a subject exactly these roles; in force at once
    Set {
        #[command(flatten)]
        on: On,
        /// Who
        subject: String,
        /// `read`, `write`, `promote`, `admin` on a repository; `auditor`, `operator`, `admin` on the tenant
        #[arg(required = true, value_name = "ROLE")]
        roles: Vec<String>,
    },
    /// Take a subject's roles away; in force at once
    Remove {
        #[command(flatten)]
        on: On,
        /// Who
        subject: String,
    },
}

/// What the roles are on.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct On {
    /// Roles on this repository
    #[arg(long, value_name = "KEY")]
    repo: Option<String>,
    /// Roles on the tenant
    #[arg(long)]
    tenant: bool,
}

impl On {
    fn at(&self, rest: &[&str]) -> String {
        let head: Vec<&str> = match &self.repo {
            Some(repo) => vec!["v1", "repos", repo, "bindings"],
            None => vec!["v1", "admin", "tenant-role-bindings"],
        };
        outbound::path(head.into_iter().chain(rest.iter().copied()))
    }
}

impl Bindings {
    pub(super) async fn run(self, desk: &Desk<'_>) -> Result<(), Failure> {
        match self {
            Self::List { on } => {
                let columns = [("SUBJECT", "subject"), ("ROLES", "roles"), ("UPDATED", "updatedAtUtc")];
                desk.list(&on.at(&[]), &[], None, &columns).await
            }
            Self::Set { on, subject, roles } => {
                let call = desk.client.put(&on.at(&[&subject])).json(&json!({ "roles": roles }));
                desk.perform(call, &format!("{subject} has {}", roles.join(", "))).await
            }
            Self::Remove { on, subject } => {
                let call = desk.client.delete(&on.at(&[&subject]));
                desk.perform(call, &format!("{subject} has no role there any more")).await
            }
        }
    }
}
