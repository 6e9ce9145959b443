//! `admin rules`.

use std::path::PathBuf;

use clap::Subcommand;
use model::RepoKey;
use serde_json::{Value, json};

use super::Desk;
use super::repos::unless_changed;
use crate::commands::failure::Failure;
use crate::commands::push::repo_key;
use crate::commands::table;

#[derive(Debug, Subcommand)]
pub(super) enum Rules {
    /// Print the rules as JSON, as `set` takes them
    Get {
        /// The repository
        #[arg(value_parser = repo_key)]
        repo: RepoKey,
    },
    /// Replace the whole list
    Set {
        /// The repository
        #[arg(value_parser = repo_key)]
        repo: RepoKey,
        /// A file with a JSON list of rules, as in `[{"kind": "claim", "pattern": "@acme/*"}]`
        file: PathBuf,
    },
}

impl Rules {
    pub(super) async fn run(self, desk: &Desk<'_>) -> Result<(), Failure> {
        match self {
            Self::Get { repo } => {
                let found: Value = desk.client.get(&at(&repo)).send().await?.json().await?;
                table::json(&desk.context.console, if desk.json { &found } else { &found["rules"] });
                Ok(())
            }
            Self::Set { repo, file } => {
                let unreadable = |error| Failure::usage(format!("cannot read '{}': {error}", file.display()));
                let text = std::fs::read_to_string(&file).map_err(unreadable)?;
                let rules: Vec<Value> = serde_json::from_str(&text)
                    .map_err(|error| Failure::usage(format!("'{}' is no JSON list: {error}", file.display())))?;
                let call = desk.client.put(&at(&repo)).json(&json!({ "rules": rules }));
                let call = unless_changed(desk, &at(&repo), call).await?;
                desk.perform(call, &format!("repository {repo} has {} rules", rules.len())).await
            }
        }
    }
}

fn at(repo: &RepoKey) -> String {
    outbound::path(["v1", "repos", repo.as_str(), "rules"])
}
