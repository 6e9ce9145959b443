//! The server is asked for some things at a time, until none of them is on its way any more.

use std::collections::{BTreeMap, VecDeque};

use formats::{Algorithm, Compared, Locked, Thing};
use model::RepoKey;
use outbound::Client;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::failure::Failure;
use super::super::progress::Progress;
use crate::Context;

/// Things in a request.
const BATCH: usize = 20;
/// What may be on its way.
const COMING: &str = "coming";

/// What came of something.
#[derive(Deserialize)]
pub(super) struct Item {
    pub(super) state: String,
    pub(super) detail: Option<String>,
    #[serde(default)]
    pub(super) versions: Vec<String>,
    pub(super) files: Vec<BroughtFile>,
}

/// A file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BroughtFile {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) state: String,
    pub(super) detail: Option<String>,
    #[serde(default)]
    pub(super) size_bytes: u64,
    #[serde(default)]
    pub(super) sums: BTreeMap<String, String>,
}

/// Something that is done with.
pub(super) struct Done<'l> {
    pub(super) locked: &'l Locked,
    pub(super) item: Item,
    /// Whether the bytes are those that the lockfile means.
    pub(super) compared: Compared,
}

#[derive(Deserialize)]
struct Answer {
    items: Vec<Item>,
}

/// Brings everything. In the order in which it was named.
pub(super) async fn all<'l>(
    client: &Client,
    repo: &RepoKey,
    wanted: &'l [Locked],
    portion: &Map<String, Value>,
    context: &Context,
) -> Result<Vec<Done<'l>>, Failure> {
    let target = outbound::path(["v1", "repos", repo.as_str(), "prefetch"]);
    let progress = Progress::start_things(wanted.len() as u64, "mirroring", &context.console);
    let mut waiting: VecDeque<usize> = (0..wanted.len()).collect();
    let mut found: Vec<Option<Item>> = wanted.iter().map(|_| None).collect();
    // What came in an earlier request is there in a later one.
    let mut fetched: Vec<BTreeMap<String, String>> = wanted.iter().map(|_| BTreeMap::new()).collect();
    while !waiting.is_empty() {
        let batch = batch(&mut waiting, wanted);
        let items: Vec<Value> = batch.iter().map(|place| body(&wanted[*place].thing, portion)).collect();
        let answer: Answer = client.post(&target).json(&json!({ "items": items })).send().await?.json().await?;
        if answer.items.len() != batch.len() {
            return Err(Failure::new("the server's answer does not fit the request"));
        }
        for (place, mut item) in batch.into_iter().zip(answer.items) {
            remember(&mut item, &mut fetched[place]);
            if item.state == COMING {
                waiting.push_back(place);
            } else {
                progress.done(1);
                found[place] = Some(item);
            }
        }
    }
    progress.finish();
    let done = wanted.iter().zip(found).filter_map(|(locked, item)| Some(Done::of(locked, item?)));
    Ok(done.collect())
}

/// The next things; one of which all versions are wanted is alone.
fn batch(waiting: &mut VecDeque<usize>, wanted: &[Locked]) -> Vec<usize> {
    let whole = |place: usize| matches!(&wanted[place].thing, Thing::Package { version: Some(all), .. } if all == "*");
    let mut batch = Vec::new();
    while let Some(next) = waiting.front().copied() {
        if batch.len() == BATCH || (!batch.is_empty() && whole(next)) {
            break;
        }
        waiting.pop_front();
        batch.push(next);
        if whole(next) {
            break;
        }
    }
    batch
}

fn body(thing: &Thing, portion: &Map<String, Value>) -> Value {
    match thing {
        Thing::Path(path) => json!({ "path": path }),
        Thing::Package { name, version } => {
            let mut fields = Map::from_iter([("name".to_owned(), json!(name))]);
            fields.extend(portion.clone());
            fields.extend(version.as_ref().map(|version| ("version".to_owned(), json!(version))));
            Value::Object(fields)
        }
    }
}

/// Files that came on the way to the last answer count as fetched.
fn remember(item: &mut Item, fetched: &mut BTreeMap<String, String>) {
    for file in &mut item.files {
        match file.state.as_str() {
            "fetched" | COMING => drop(fetched.insert(file.path.clone(), file.state.clone())),
            "present" if fetched.contains_key(&file.path) => "fetched".clone_into(&mut file.state),
            _ => {}
        }
    }
    if item.state == "present" && item.files.iter().any(|file| file.state == "fetched") {
        "fetched".clone_into(&mut item.state);
    }
}

impl<'l> Done<'l> {
    fn of(locked: &'l Locked, item: Item) -> Self {
        let files = item.files.iter().map(|file| (file.name.as_str(), file.known()));
        let compared = locked.compare(files);
        Self { locked, item, compared }
    }

    /// Whether all of it is there, and is what it should be.
    pub(super) fn is_good(&self) -> bool {
        matches!(self.item.state.as_str(), "present" | "fetched") && !matches!(self.compared, Compared::Differs(_))
    }
}

impl BroughtFile {
    fn known(&self) -> BTreeMap<Algorithm, String> {
        let read = |algorithm: Algorithm| Some((algorithm, self.sums.get(algorithm.word())?.clone()));
        Algorithm::ALL.into_iter().filter_map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(versions: &[&str]) -> Vec<Locked> {
        let thing = |version: &&str| Thing::Package { name: "p".to_owned(), version: Some((*version).to_owned()) };
        versions.iter().map(|one| Locked { thing: thing(one), from: None, sums: Vec::new() }).collect()
    }

    #[test]
    fn all_versions_of_something_are_a_request_of_their_own() {
        let wanted = wanted(&["1", "2", "*", "*", "3"]);
        let mut waiting: VecDeque<usize> = (0..wanted.len()).collect();
        let mut batches = Vec::new();
        while !waiting.is_empty() {
            batches.push(batch(&mut waiting, &wanted));
        }
        assert_eq!(batches, [vec![0, 1], vec![2], vec![3], vec![4]]);
    }
}
