//! `admin repos`.

use clap::{Args, Subcommand};
use model::RepoKey;
use serde_json::{Map, Value, json};

use super::Desk;
use crate::commands::failure::Failure;
use crate::commands::push::repo_key;

#[derive(Debug, Subcommand)]
pub(super) enum Repos {
    /// List the repositories that you can read
    List,
    /// Show one
    Get {
        /// The repository
        #[arg(value_parser = repo_key)]
        key: RepoKey,
    },
    /// Make one
    Create {
        /// The new repository's key
        #[arg(value_parser = repo_key)]
        key: RepoKey,
        /// The format of its packages
        #[arg(long, default_value = "raw")]
        format: String,
        #[command(flatten)]
        properties: Properties,
    },
    /// Change one; what is not named stays as it is
    Update {
        /// The repository
        #[arg(value_parser = repo_key)]
        key: RepoKey,
        #[command(flatten)]
        properties: Properties,
    },
    /// Delete an empty one
    Delete {
        /// The repository
        #[arg(value_parser = repo_key)]
        key: RepoKey,
        /// Tombstone what is in it
        #[arg(long)]
        tombstone: bool,
    },
}

/// What can be set and changed.
#[derive(Args, Debug)]
pub(super) struct Properties {
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// Whether anyone may read it without logging in
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    anonymous_read: Option<bool>,
    /// A setting as name=value, the value in JSON or plain text; repeat it
    #[arg(long = "setting", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, Value)>,
}

impl Properties {
    /// Adds to `body` what was named.
    fn add_to(&self, body: &mut Map<String, Value>) {
        if let Some(description) = &self.description {
            body.insert("description".to_owned(), json!(description));
        }
        if let Some(open) = self.anonymous_read {
            body.insert("anonymousRead".to_owned(), json!(open));
        }
        if !self.settings.is_empty() {
            body.insert("settings".to_owned(), Value::Object(self.settings.iter().cloned().collect()));
        }
    }
}

impl Repos {
    pub(super) async fn run(self, desk: &Desk<'_>) -> Result<(), Failure> {
        match self {
            Self::List => {
                let columns = [("KEY", "repoKey"), ("FORMAT", "format"), ("TYPE", "repoType"), ("DESCRIPTION", "description")];
                desk.list("/v1/repos", &[], None, &columns).await
            }
            Self::Get { key } => desk.show(&at(&key)).await,
            Self::Create { key, format, properties } => {
                let mut body = Map::new();
                body.insert("repoKey".to_owned(), json!(key));
                body.insert("format".to_owned(), json!(format));
                body.insert("repoType".to_owned(), json!("local"));
                properties.add_to(&mut body);
                let call = desk.client.post("/v1/repos").json(&Value::Object(body)).once();
                desk.perform(call, &format!("repository {key} is made")).await
            }
            Self::Update { key, properties } => update(desk, &key, &properties).await,
            Self::Delete { key, tombstone } => {
                let call = desk.client.delete(&at(&key));
                let call = if tombstone { call.query("mode", "tombstone") } else { call };
                desk.perform(call, &format!("repository {key} is deleted")).await
            }
        }
    }
}

/// Changes only what nobody else has changed in the meantime.
async fn update(desk: &Desk<'_>, key: &RepoKey, properties: &Properties) -> Result<(), Failure> {
    let mut body = Map::new();
    properties.add_to(&mut body);
    if body.is_empty() {
        return Err(Failure::usage("name at least one property to change"));
    }
    let current = desk.client.get(&at(key)).send().await?;
    let etag = current.header("etag").map(str::to_owned);
    let call = desk.client.patch(&at(key)).json(&Value::Object(body));
    let call = etag.iter().fold(call, |call, etag| call.header("If-Match", etag));
    desk.perform(call, &format!("repository {key} is changed")).await
}

fn at(key: &RepoKey) -> String {
    outbound::path(["v1", "repos", key.as_str()])
}

fn setting(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((name.to_owned(), value))
}
