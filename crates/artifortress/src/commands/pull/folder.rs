//! What is in a folder of a repository, deep.

use model::{EntryPath, RepoKey, Sha256Digest};
use outbound::Client;
use serde::Deserialize;

use super::super::failure::Failure;
use super::super::push::address;

/// The deepest folder that is looked into.
const DEPTH: usize = 128;

/// A file in the folder.
pub(super) struct Found {
    /// Its path below the folder.
    pub(super) relative: EntryPath,
    pub(super) size: u64,
    pub(super) digest: Option<Sha256Digest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    items: Vec<Item>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    name: String,
    kind: String,
    size: Option<u64>,
    sha256: Option<Sha256Digest>,
}

/// Lists the files below `folder`. A server that names something outside is refused.
pub(super) async fn files(client: &Client, repo: &RepoKey, folder: &[&str]) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::new();
    let mut pending = vec![String::new()];
    while let Some(below) = pending.pop() {
        for item in list(client, repo, folder, &below).await? {
            let relative = inside(&below, item.name.trim_end_matches('/'))?;
            match item.kind.as_str() {
                "folder" if relative.segments().count() > DEPTH => {
                    return Err(Failure::new(format!("the folder '{relative}' lies too deep")));
                }
                "folder" => pending.push(relative.as_str().to_owned()),
                _ => found.push(Found { relative, size: item.size.unwrap_or(0), digest: item.sha256 }),
            }
        }
    }
    if found.is_empty() {
        return Err(Failure::not_found(format!("there is nothing at '{}' in {repo}", folder.join("/"))));
    }
    Ok(found)
}

fn inside(below: &str, name: &str) -> Result<EntryPath, Failure> {
    let refused = || Failure::new(format!("the server lists a file with the unsafe name {name:?}"));
    if name.contains('/') {
        return Err(refused());
    }
    let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
    EntryPath::parse(&path).map_err(|_| refused())
}

async fn list(client: &Client, repo: &RepoKey, folder: &[&str], below: &str) -> Result<Vec<Item>, Failure> {
    let deeper = below.split('/').filter(|segment| !segment.is_empty());
    let target = format!("{}/", address(repo, folder.iter().copied().chain(deeper)));
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let call = client.get(&target).query("format", "json").query("limit", "200");
        let call = cursor.iter().fold(call, |call, cursor| call.query("cursor", cursor));
        let page: Page = call.send().await?.json().await?;
        items.extend(page.items);
        match page.next_cursor {
            Some(next) if cursor.as_ref() != Some(&next) => cursor = Some(next),
            _ => return Ok(items),
        }
    }
}
