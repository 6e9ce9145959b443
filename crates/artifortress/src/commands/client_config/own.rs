//! Which names are those of own packages: what hosted repositories have, and what rules claim for them.

use std::collections::BTreeSet;

use model::RepoKey;
use outbound::Client;
use serde_json::Value;

use super::super::failure::{Exit, Failure};
use crate::Context;

/// Names that are told of at most.
const MOST: usize = 1000;

/// As far as the caller may know: of repositories that it may not read there is nothing, and of claims only where it is
/// an administrator.
pub(super) async fn names(client: &Client, key: &RepoKey, context: &Context) -> Result<Vec<String>, Failure> {
    let (mut waiting, mut seen, mut names) = (vec![key.to_string()], BTreeSet::new(), Vec::new());
    while let Some(key) = waiting.pop() {
        if !seen.insert(key.clone()) {
            continue;
        }
        let Some(repository) = look(client, &key, "").await? else { continue };
        if let Some(rules) = look(client, &key, "rules").await? {
            names.extend(claims(&rules));
        }
        let members = repository["memberRepos"].as_array().into_iter().flatten();
        waiting.extend(members.filter_map(|member| member.as_str().map(str::to_owned)));
        if repository["repoType"] == "local" {
            hosted(client, &key, &mut names).await?;
        }
    }
    if names.len() > MOST {
        context.console.complain(&format!(
            "more than {MOST} names are yours here and not all of them are told: claim what they begin with"
        ));
        names.truncate(MOST);
    }
    Ok(names)
}

/// What a repository, or something of it, is; `None`: the caller may not know.
async fn look(client: &Client, key: &str, of: &str) -> Result<Option<Value>, Failure> {
    let path = ["v1", "repos", key, of];
    let path = path.into_iter().filter(|part| !part.is_empty());
    match client.get(&outbound::path(path)).send().await.map_err(Failure::from) {
        Ok(answer) => Ok(Some(answer.json().await?)),
        Err(Failure { exit: Exit::NotFound | Exit::Denied, .. }) => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn claims(rules: &Value) -> impl Iterator<Item = String> {
    let rules = rules["rules"].as_array().into_iter().flatten();
    rules.filter(|rule| rule["kind"] == "claim").filter_map(|rule| rule["pattern"].as_str().map(str::to_owned))
}

/// Adds the names of what a repository has, until there are more than can be told.
async fn hosted(client: &Client, key: &str, names: &mut Vec<String>) -> Result<(), Failure> {
    let mut cursor: Option<String> = None;
    loop {
        let call = client.get(&outbound::path(["v1", "repos", key, "packages"])).query("limit", "200");
        let call = cursor.iter().fold(call, |call, cursor| call.query("cursor", cursor));
        let page: Value = call.send().await?.json().await?;
        let found = page["items"].as_array().into_iter().flatten();
        names.extend(found.filter_map(|package| package["packageName"].as_str().map(str::to_owned)));
        let next = page["nextCursor"].as_str().map(str::to_owned);
        if next.is_none() || next == cursor || names.len() > MOST {
            return Ok(());
        }
        cursor = next;
    }
}
