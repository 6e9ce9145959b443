//! Whose clients use a repository: where this program cannot help, they can.

use formats::Place;
use model::RepoKey;
use outbound::Client;
use serde::Deserialize;

use super::failure::{Exit, Failure};

/// What the server says of a repository.
#[derive(Deserialize)]
struct Repository {
    format: String,
}

/// Says in a failure which clients a repository is for, where that is not this program.
pub(super) async fn advise(client: &Client, repo: &RepoKey, failure: Failure) -> Failure {
    if failure.exit == Exit::Denied {
        return failure;
    }
    match format_of(client, repo).await {
        Some(format) if format != "raw" => {
            let clients = named(&format).join(", ");
            let advice = format!(
                "{repo} is a repository of the format {format}, for {clients}: `artifortress client-config {repo}` says \
                 what they must be told"
            );
            failure.advise(advice)
        }
        _ => failure,
    }
}

async fn format_of(client: &Client, repo: &RepoKey) -> Option<String> {
    let asked = client.get(&outbound::path(["v1", "repos", repo.as_str()])).send().await.ok()?;
    let repository: Repository = asked.json().await.ok()?;
    Some(repository.format)
}

/// The clients of a format, each once.
fn named(format: &str) -> Vec<&'static str> {
    let place = Place::local("http://localhost", "x");
    let setups = formats::by_key(format).map(|format| format.setups(&place)).unwrap_or_default();
    let mut names: Vec<_> = setups.iter().flat_map(|setup| setup.clients.iter().copied()).collect();
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(*name));
    names
}
