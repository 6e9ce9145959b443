//! Packages of every format under races and kills: how each is published and read stands in one file of its own, what
//! must hold stands here once for all.

mod archives;
mod cargo;
mod go;
mod killed;
mod lost;
mod maven;
mod npm;
mod oci;
mod pypi;
mod race;

use std::collections::BTreeMap;

use acceptance::http::{Answer, Http, Request};
use acceptance::server::{Backing, Persona, Server};
use acceptance::shelf::hex;
use acceptance::{Result, Trouble};
use bytes::Bytes;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::load::plan;
use crate::seed::{Chance, content};

/// All of them.
const FORMATS: [&dyn Format; 6] = [&oci::Oci, &npm::Npm, &pypi::Pypi, &cargo::Cargo, &maven::Maven, &go::Go];

/// How clients of one format publish and read.
trait Format: Sync {
    /// The format's word, which is also the repository's key.
    fn key(&self) -> &'static str;

    /// What the repository is to be told when it is made.
    fn settings(&self) -> Json {
        json!({})
    }

    /// What is published of this version.
    fn pack(&self, of: &Version) -> Result<Bytes>;

    /// What a client sends, in this order; the answer to the last says that the version is published.
    fn publish(&self, http: &Http, of: &Version, packed: &Bytes) -> Vec<Request>;

    /// Whether the client is told, as it expects that, that the coordinate is taken.
    fn is_conflict(&self, answer: &Answer) -> bool;

    /// Where readers learn which versions there are.
    fn document(&self, package: &str) -> String;

    /// The versions that a document names, each with what it says of the digest of what is published, if anything.
    fn listed(&self, document: &Answer) -> Result<BTreeMap<String, Option<String>>>;

    /// What it has to say there.
    fn digest(&self, packed: &Bytes) -> Option<String>;

    /// Where readers get what, that which was published first.
    fn files(&self, of: &Version, packed: &Bytes) -> Vec<(String, Bytes)>;
}

/// A version that somebody publishes: all that is needed to make it again.
#[derive(Clone, Debug)]
struct Version {
    package: String,
    number: String,
    /// Versions with other salt have other bytes.
    salt: u64,
}

impl Version {
    fn new(package: &str, number: u64, chance: &mut Chance) -> Version {
        Version { package: package.to_owned(), number: format!("1.0.{number}"), salt: chance.next() }
    }

    /// Bytes that no other has: some packages are small enough to lie beside the rows, some are not.
    fn noise(&self) -> Vec<u8> {
        let length = if self.salt.is_multiple_of(2) { 100 } else { 70_000 };
        content(self.salt, length + self.salt % 2000).to_vec()
    }
}

/// A version with what was sent of it.
type Sent = (Version, Bytes);

/// A server with a repository of each format.
async fn start(backing: Backing) -> Result<(Server, Persona)> {
    let server = plan(backing).apis(2).start().await?;
    let admin = server.admin()?;
    for format in FORMATS {
        let body = json!({"repoKey": format.key(), "format": format.key(), "settings": format.settings()});
        admin.post("/v1/repos").json(&body).send().await?.expect(&[201])?;
    }
    Ok((server, admin))
}

/// Which versions of the package readers are told of.
async fn listed(format: &dyn Format, reader: &Persona, package: &str) -> Result<BTreeMap<String, Option<String>>> {
    let document = reader.get(&format.document(package)).send().await?.expect(&[200, 404])?;
    if document.status == 404 { Ok(BTreeMap::new()) } else { format.listed(&document) }
}

/// Readers must see these versions of the package, whole, and no others.
async fn compare(format: &dyn Format, reader: &Persona, package: &str, wanted: &[Sent]) -> Result<()> {
    let listed = listed(format, reader, package).await?;
    let said = wanted.iter().map(|(of, packed)| (of.number.clone(), format.digest(packed))).collect();
    if listed != said {
        return Err(Trouble::new(format!("{}: {package} is {listed:?}, should be {said:?}", format.key())));
    }
    for (of, packed) in wanted {
        for (path, bytes) in format.files(of, packed) {
            let answer = reader.get(&path).send().await?.expect(&[200])?;
            if answer.body != bytes {
                return Err(Trouble::new(format!("{path} has other bytes than were published")));
            }
        }
    }
    Ok(())
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The texts at `pointer` in each item of a list.
fn each<'j>(list: &'j Json, pointer: &'j str) -> impl Iterator<Item = &'j str> {
    list.as_array().into_iter().flatten().filter_map(move |item| item.pointer(pointer).and_then(Json::as_str))
}
