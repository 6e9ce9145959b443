//! `admin repos`.

use clap::{Args, Subcommand};
use model::RepoKey;
use outbound::Request;
use serde_json::{Map, Value, json};

use super::Desk;
use super::sure::Sure;
use super::upstream::Upstream;
use crate::commands::failure::Failure;
use crate::commands::push::repo_key;
use crate::commands::table;
use crate::config::Environment;

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
        /// The format of its packages: raw, cargo, go, maven, npm, oci or pypi
        #[arg(long, default_value = "raw")]
        format: String,
        /// local: hosted here; remote: read from --upstream-url as it is asked for; virtual: made of its --member
        #[arg(long = "type", value_name = "TYPE", default_value = "local", value_parser = ["local", "remote", "virtual"])]
        kind: String,
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
        /// Remove the credentials for the upstream
        #[arg(long, conflicts_with_all = ["upstream_user", "upstream_token_file", "upstream_realm"])]
        no_upstream_auth: bool,
    },
    /// Ask the upstream of a remote one for something short, and say what is wrong: address, credentials, way there
    Check {
        /// The repository
        #[arg(value_parser = repo_key)]
        key: RepoKey,
    },
    /// Delete an empty one
    Delete {
        /// The repository
        #[arg(value_parser = repo_key)]
        key: RepoKey,
        /// Also one that is not empty: what is in it is withdrawn
        #[arg(long)]
        tombstone: bool,
        #[command(flatten)]
        sure: Sure,
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
    /// A setting as name=value, the value in JSON or plain text, a list as `v*,release-*`; repeat it. Of a remote one as in
    /// `upstream={"indexSeconds": 60}`, of a virtual one where to publish: `virtual={"deployTo": "KEY"}`
    #[arg(long = "setting", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, Value)>,
    #[command(flatten)]
    upstream: Upstream,
    /// A member of a virtual repository; repeat it, in the order in which they are asked. A change names all of them
    #[arg(long = "member", value_name = "KEY", value_parser = repo_key)]
    members: Vec<RepoKey>,
}

impl Properties {
    /// Adds to `body` what was named.
    fn add_to(&self, body: &mut Map<String, Value>, environment: &Environment) -> Result<(), Failure> {
        if let Some(description) = &self.description {
            body.insert("description".to_owned(), json!(description));
        }
        if let Some(open) = self.anonymous_read {
            body.insert("anonymousRead".to_owned(), json!(open));
        }
        if !self.settings.is_empty() {
            body.insert("settings".to_owned(), Value::Object(together(&self.settings)?));
        }
        if !self.members.is_empty() {
            body.insert("memberRepos".to_owned(), json!(self.members));
        }
        self.upstream.add_to(body, environment)
    }
}

/// The settings; what is said of a list in several places is one list.
fn together(settings: &[(String, Value)]) -> Result<Map<String, Value>, Failure> {
    let mut all = Map::new();
    for (name, value) in settings {
        match (all.get_mut(name), value) {
            (None, value) => drop(all.insert(name.clone(), value.clone())),
            (Some(Value::Array(before)), Value::Array(more)) => before.extend(more.iter().cloned()),
            (Some(_), _) => return Err(Failure::usage(format!("the setting {name} is given twice"))),
        }
    }
    Ok(all)
}

impl Repos {
    pub(super) async fn run(self, desk: &Desk<'_>) -> Result<(), Failure> {
        match self {
            Self::List => {
                let columns = [("KEY", "repoKey"), ("FORMAT", "format"), ("TYPE", "repoType"), ("DESCRIPTION", "description")];
                desk.list("/v1/repos", &[], None, &columns).await
            }
            Self::Get { key } => desk.show(&at(&key)).await,
            Self::Create { key, format, kind, properties } => {
                let mut body = Map::new();
                body.insert("repoKey".to_owned(), json!(key));
                body.insert("format".to_owned(), json!(format));
                body.insert("repoType".to_owned(), json!(kind));
                properties.add_to(&mut body, &desk.context.environment)?;
                let call = desk.client.post("/v1/repos").json(&Value::Object(body)).once();
                let made = match kind.as_str() {
                    "remote" => format!("repository {key} is made; try its upstream: artifortress admin repos check {key}"),
                    _ => format!("repository {key} is made"),
                };
                desk.perform(call, &made).await
            }
            Self::Update { key, properties, no_upstream_auth } => {
                let mut body = Map::new();
                properties.add_to(&mut body, &desk.context.environment)?;
                if no_upstream_auth {
                    body.insert("upstreamAuth".to_owned(), Value::Null);
                }
                update(desk, &key, body).await
            }
            Self::Check { key } => check(desk, &key).await,
            Self::Delete { key, tombstone, sure } => {
                if tombstone {
                    sure.agreed(desk, &format!("delete repository {key} with everything that is in it"))?;
                }
                let call = desk.client.delete(&at(&key));
                let call = if tombstone { call.query("mode", "tombstone") } else { call };
                desk.perform(call, &format!("repository {key} is deleted")).await
            }
        }
    }
}

/// Fails where the upstream cannot be asked.
async fn check(desk: &Desk<'_>, key: &RepoKey) -> Result<(), Failure> {
    let place = outbound::path(["v1", "repos", key.as_str(), "upstream", "check"]);
    let found: Value = desk.client.post(&place).send().await?.json().await?;
    match desk.json {
        true => table::json(&desk.context.console, &found),
        false => table::fields(&desk.context.console, &found),
    }
    match found["reachable"].as_bool() {
        Some(true) => Ok(()),
        _ => Err(Failure::new(format!("the upstream of {key} cannot be asked: {}", found["detail"].as_str().unwrap_or_default()))),
    }
}

/// Changes only what nobody else has changed in the meantime.
async fn update(desk: &Desk<'_>, key: &RepoKey, body: Map<String, Value>) -> Result<(), Failure> {
    if body.is_empty() {
        return Err(Failure::usage("name at least one property to change"));
    }
    let call = unless_changed(desk, &at(key), desk.client.patch(&at(key)).json(&Value::Object(body))).await?;
    desk.perform(call, &format!("repository {key} is changed")).await
}

/// `call` on condition that what is at `place` stays as it is until then.
pub(super) async fn unless_changed(desk: &Desk<'_>, place: &str, call: Request) -> Result<Request, Failure> {
    let current = desk.client.get(place).send().await?;
    let etag = current.header("etag").map(str::to_owned);
    Ok(etag.iter().fold(call, |call, etag| call.header("If-Match", etag)))
}

fn at(key: &RepoKey) -> String {
    outbound::path(["v1", "repos", key.as_str()])
}

/// Settings that are lists of words.
const LISTS: [&str; 1] = ["immutableRefs"];

fn setting(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    let value = match LISTS.contains(&name) && !value.trim_start().starts_with('[') {
        true => value.split(',').map(str::trim).filter(|word| !word.is_empty()).collect(),
        false => serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned())),
    };
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_words_between_commas_or_json() {
        let cases = [
            ("immutableRefs=v*", json!(["v*"])),
            ("immutableRefs=v*, release-*,1", json!(["v*", "release-*", "1"])),
            ("immutableRefs=[\"v*\", \"a,b\"]", json!(["v*", "a,b"])),
            ("immutableRefs=", json!([])),
            ("immutableRefs=1", json!(["1"])),
            ("allowOverwrite=true", json!(true)),
            ("other=v*,w", json!("v*,w")),
        ];
        for (text, value) in cases {
            let name = text.split_once('=').map(|(name, _)| name.to_owned());
            assert_eq!(setting(text).ok(), name.map(|name| (name, value)), "{text}");
        }
        assert!(setting("immutableRefs").is_err());
    }

    #[test]
    fn a_list_may_be_said_in_parts_and_nothing_else_twice() {
        let said = |words: &[&str]| {
            let settings: Vec<_> = words.iter().map(|word| setting(word).expect("a setting")).collect();
            together(&settings).map(Value::Object).ok()
        };
        let both = json!({"immutableRefs": ["v*", "r*"], "allowOverwrite": true});
        assert_eq!(said(&["immutableRefs=v*", "allowOverwrite=true", "immutableRefs=r*"]), Some(both));
        assert_eq!(said(&["allowOverwrite=true", "allowOverwrite=true"]), None);
    }
}
