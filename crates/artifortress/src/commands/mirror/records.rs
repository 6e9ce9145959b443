//! Records of a checksum database, and what proves them: asked for as a client of it would ask, through the repository,
//! which keeps them.

use std::collections::{BTreeMap, BTreeSet};

use formats::Thing;
use formats::go::tiles;
use model::RepoKey;
use outbound::{Answer, Client, Error};
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::progress::Progress;
use super::bring::Done;
use crate::Context;

/// The longest answer of a database, in bytes.
const LONGEST: usize = 1 << 20;

/// Which database is asked, and for what it is not.
pub(super) struct Database<'a> {
    pub(super) name: &'a str,
    /// As `GONOSUMDB` has them.
    pub(super) except: &'a str,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Records {
    pub(super) records: usize,
    pub(super) tiles: usize,
    /// What is missing, and why.
    pub(super) missing: BTreeMap<String, String>,
}

impl Records {
    pub(super) fn json(&self) -> Value {
        let missing: Vec<Value> = self.missing.iter().map(|(what, why)| json!({ "what": what, "detail": why })).collect();
        json!({ "records": self.records, "tiles": self.tiles, "missing": missing })
    }
}

/// Brings the records of all modules that were brought.
pub(super) async fn bring(
    client: &Client,
    repo: &RepoKey,
    database: &Database<'_>,
    done: &[Done<'_>],
    context: &Context,
) -> Result<Records, Failure> {
    let begin = format!("{}/sumdb/{}", outbound::path(["repository", repo.as_str()]), database.name);
    let modules = modules(database, done);
    let progress = Progress::start_things(modules.len() as u64, "records", &context.console);
    let mut found = Records::default();
    let (mut numbers, mut sizes) = (BTreeSet::new(), BTreeSet::new());
    // Without this one, clients ask the database itself.
    if let Err(why) = ask(client, &format!("{begin}/supported")).await {
        found.missing.insert(database.name.to_owned(), why.to_string());
        return Ok(found);
    }
    let latest = ask(client, &format!("{begin}/latest")).await;
    sizes.extend(latest.ok().and_then(|note| tiles::tree(&String::from_utf8_lossy(&note))));
    for (module, version) in modules {
        let what = format!("{module}@{version}");
        match record(client, &begin, &module, &version).await {
            Ok((number, size)) => {
                numbers.insert(number);
                sizes.insert(size);
                found.records += 1;
            }
            Err(why) => drop(found.missing.insert(what, why)),
        }
        progress.done(1);
    }
    for tile in tiles::tiles(&numbers, &sizes) {
        match proof(client, &begin, tile).await {
            Ok(()) => found.tiles += 1,
            Err(why) => drop(found.missing.insert(tile.path(), why.to_string())),
        }
    }
    progress.finish();
    Ok(found)
}

/// Modules and versions that are there now.
fn modules(database: &Database<'_>, done: &[Done<'_>]) -> BTreeSet<(String, String)> {
    let of = |done: &Done<'_>| match &done.locked.thing {
        Thing::Package { name, .. } => done.item.versions.iter().map(|version| (name.clone(), version.clone())).collect(),
        Thing::Path(path) => tiles::module_of(path).into_iter().collect::<Vec<_>>(),
    };
    let all = done.iter().filter(|done| done.is_good()).flat_map(of);
    all.filter(|(module, _)| !tiles::is_named(database.except, module)).collect()
}

/// The number of a record, and the size of the tree that came with it.
async fn record(client: &Client, begin: &str, module: &str, version: &str) -> Result<(u64, u64), String> {
    let path = tiles::lookup(module, version).ok_or("no database has a record of it")?;
    let answer = ask(client, &format!("{begin}/{path}")).await.map_err(|error| error.to_string())?;
    tiles::record(&String::from_utf8_lossy(&answer)).ok_or_else(|| "the record is not understood".to_owned())
}

/// A database may have let go of a part of a tile that is whole by now: clients take the whole one then.
async fn proof(client: &Client, begin: &str, tile: tiles::Tile) -> Result<(), Error> {
    let at = |tile: tiles::Tile| format!("{begin}/{}", tile.path());
    match (ask(client, &at(tile)).await, tile.whole()) {
        (Err(error), Some(whole)) if error.status() == Some(404) => ask(client, &at(whole)).await.map(drop),
        (answer, _) => answer.map(drop),
    }
}

async fn ask(client: &Client, path: &str) -> Result<Vec<u8>, Error> {
    let mut answer: Answer = client.get(path).send().await?;
    let mut body = Vec::new();
    while let Some(piece) = answer.next().await? {
        body.extend_from_slice(&piece);
        if body.len() > LONGEST {
            return Err(Error::Broken("the answer is longer than anything that belongs there".to_owned()));
        }
    }
    Ok(body)
}
