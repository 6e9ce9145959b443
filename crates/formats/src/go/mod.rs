//! Go modules: what the go command asks a module proxy for, and archives put at their addresses.
//!
//! Sources: the Go Modules Reference, "Module proxies", "Module zip files" and "Private modules".

mod address;
mod archive;
mod lockfile;
mod modfile;
mod names;
mod pack;
mod publish;
mod remote;
mod setup;
mod sumdb;
pub mod tiles;
mod tree;
mod version;

use std::sync::Arc;

use model::{EntryPath, NameError, PackageName, VersionName};
use names::escape;
use publish::Manifest;
use serde_json::json;
use version::Version;

use crate::ranges::{Bare, semantic};
use crate::{
    Answer, Asked, Document, Format, Head, Lockfile, Merging, Operation, PackageAt, Packing, ParseError, Place,
    Refused, Setup, Site, Unreadable, Upstream, VersionFacts, VersionHead, VersionRange, View,
};

/// The format of Go modules.
#[derive(Clone, Copy, Debug)]
pub struct Go;

/// The versions of a module, one in a line.
const LIST: View = 0;
/// What is said of the latest version.
const LATEST: View = 1;
/// What is said of a version.
const INFO: View = 2;
/// Why there is no checksum database.
const SUMDB: View = 3;

/// How the address of an archive ends.
const ZIP: &str = ".zip";
/// How the address of a `go.mod` ends.
const MOD: &str = ".mod";

impl Format for Go {
    fn key(&self) -> &'static str {
        "go"
    }

    fn parse(&self, asked: &Asked<'_>) -> Result<Operation, ParseError> {
        address::parse(asked)
    }

    /// Paths that differ in case are two modules.
    fn normalise(&self, name: &PackageName) -> String {
        name.as_str().to_owned()
    }

    fn is_name(&self, at: &PackageAt) -> bool {
        names::check_module(&at.name).is_ok()
    }

    fn names(&self) -> &'static [&'static str] {
        &["example.com/team/tool", "gopkg.in/tool.v2"]
    }

    fn lockfile(&self, name: &str, bytes: &[u8]) -> Option<Result<Lockfile, Unreadable>> {
        lockfile::read(name, bytes)
    }

    fn range(&self, text: &str) -> Option<VersionRange> {
        semantic(text, Bare::Exact)
    }

    fn location(&self, package: &PackageName, version: &VersionName, path: &EntryPath) -> Result<EntryPath, NameError> {
        let kind = path.as_str().strip_prefix(version.as_str()).unwrap_or(path.as_str());
        location(package.as_str(), version.as_str(), kind)
    }

    /// Whether a `go.mod` is in the archive: what the choice of the latest version needs to know.
    fn fragment(&self, _: View, version: &VersionFacts, _: &Site<'_>) -> Option<Vec<u8>> {
        let manifest: Manifest = serde_json::from_str(&version.manifest).ok()?;
        (manifest.version == version.head.version).then(|| vec![u8::from(manifest.has_go_mod)])
    }

    fn assemble(&self, view: View, head: &Head, fragments: &[Option<Arc<[u8]>>], _: &Site<'_>) -> Option<Document> {
        let mut known: Vec<Known<'_>> = head.versions.iter().zip(fragments).filter_map(Known::of).collect();
        if known.is_empty() {
            return None;
        }
        known.retain(|one| one.head.yanked.is_none() && !one.head.unlisted);
        known.sort_by(|a, b| a.version.cmp(&b.version));
        match view {
            LIST => Some(list(&known)),
            LATEST => told(head, &known).or_else(|| latest(&known)).map(|one| info(one.head)),
            _ => None,
        }
    }

    fn version(&self, view: View, _: &Head, version: &VersionFacts, site: &Site<'_>) -> Option<Document> {
        self.fragment(view, version, site).filter(|_| view == INFO).map(|_| info(&version.head))
    }

    fn merging(&self) -> Option<Merging> {
        Some(Merging::Owner)
    }

    fn upstream(&self) -> Option<&'static dyn Upstream> {
        Some(&Go)
    }

    fn packing(&self) -> Option<&'static dyn Packing> {
        Some(&Go)
    }

    fn say(&self, view: View, _: &Site<'_>) -> Option<Answer> {
        let why = "this repository passes no checksum database on: the go command asks the database itself, or none \
                   for the modules that GONOSUMDB or GOPRIVATE name";
        (view == SUMDB).then(|| Answer::text(404, why))
    }

    fn refuse(&self, refused: &Refused<'_>) -> Option<Answer> {
        Some(Answer::text(refused.status, format!("{}\n", refused.detail)))
    }

    /// The go command has no name of its own: it goes by that of its HTTP library.
    fn is_spoken_by(&self, user_agent: &str) -> bool {
        user_agent.starts_with("Go-http-client/")
    }

    fn setups(&self, place: &Place<'_>) -> Vec<Setup> {
        setup::all(place)
    }

    fn tells_own_names(&self) -> bool {
        true
    }
}

/// A version of ours with what is known of it.
struct Known<'a> {
    head: &'a VersionHead,
    version: Version<'a>,
    has_go_mod: bool,
}

impl<'a> Known<'a> {
    fn of((head, fragment): (&'a VersionHead, &Option<Arc<[u8]>>)) -> Option<Self> {
        let has_go_mod = fragment.as_ref()?.first() == Some(&1);
        Some(Self { head, version: Version::parse(&head.version)?, has_go_mod })
    }
}

/// The versions, least first; those that name a revision are left out.
fn list(known: &[Known<'_>]) -> Document {
    let listed = known.iter().filter(|one| !one.version.is_pseudo());
    let body = listed.map(|one| format!("{}\n", one.head.version)).collect::<String>().into_bytes();
    Document { media_type: "text/plain; charset=utf-8", body }
}

/// The version that an upstream calls the latest: it has looked into what lies between them.
fn told<'k, 'a>(head: &Head, known: &'k [Known<'a>]) -> Option<&'k Known<'a>> {
    let (_, latest) = head.refs.iter().find(|(name, _)| name == remote::LATEST)?;
    known.iter().find(|one| one.head.version == *latest)
}

/// The highest release, or else the highest version before a release, or else the youngest revision.
/// Versions that are `+incompatible` count where the highest of the others has no `go.mod`, as the go command
/// has it.
fn latest<'k, 'a>(known: &'k [Known<'a>]) -> Option<&'k Known<'a>> {
    let best = |incompatible: bool| {
        let fits = known.iter().filter(|one| incompatible || !one.version.incompatible);
        fits.max_by_key(|one| rank(one.version))
    };
    best(false).filter(|one| one.has_go_mod).or_else(|| best(true))
}

fn rank(version: Version<'_>) -> (bool, bool, Option<model::Timestamp>, Version<'_>) {
    (version.is_release(), !version.is_pseudo(), version.revised_at().flatten(), version)
}

/// What the go command is told of a version.
fn info(head: &VersionHead) -> Document {
    let revised = Version::parse(&head.version).and_then(|version| version.revised_at()).flatten();
    let body = match revised.or(head.published_at) {
        Some(time) => json!({"Version": head.version, "Time": time.to_seconds()}),
        None => json!({"Version": head.version}),
    };
    let body = body.to_string().into_bytes();
    Document { media_type: "application/json", body }
}

/// Where the bytes of a version are: small letters alone, so that paths do not collide by case.
fn location(module: &str, version: &str, kind: &str) -> Result<EntryPath, NameError> {
    EntryPath::parse(&format!("{}/@v/{}{kind}", escape(module), escape(version)))
}

#[cfg(test)]
mod tests;
