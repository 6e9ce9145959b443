//! Lines of the index, and what a search finds.

use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::{Head, Listed, VersionFacts};

/// What is kept of a version: the line of the index without what changes later, and what searches show.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) index: Map<String, Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    /// The rest of what Cargo sent, as it came.
    #[serde(default)]
    pub(super) published: Map<String, Json>,
}

/// What indexes need of it: a README may be long.
#[derive(Deserialize)]
struct Line {
    index: Map<String, Json>,
}

/// What searches need of it.
#[derive(Deserialize)]
struct Described {
    #[serde(default)]
    description: Option<String>,
}

/// The line of a version.
pub(super) fn line(version: &VersionFacts) -> Option<Vec<u8>> {
    let mut manifest: Line = serde_json::from_str(&version.manifest).ok()?;
    manifest.index.insert("yanked".to_owned(), Json::Bool(version.head.yanked.is_some()));
    // The bytes that are served count, whatever the line says that another registry gave.
    if let Some(digest) = version.files.iter().find_map(|file| file.digest) {
        manifest.index.insert("cksum".to_owned(), Json::String(digest.hex()));
    }
    if let Some(at) = version.head.published_at {
        manifest.index.insert("pubtime".to_owned(), Json::String(at.to_seconds()));
    }
    serde_json::to_vec(&manifest.index).ok()
}

/// The description.
pub(super) fn brief(manifest: &str) -> Option<String> {
    serde_json::from_str::<Described>(manifest).ok()?.description
}

/// The greatest version that is not yanked.
pub(super) fn greatest(head: &Head) -> Option<String> {
    let offered = head.versions.iter().filter(|one| one.yanked.is_none());
    let known = offered.filter_map(|one| Some((Version::parse(&one.version).ok()?, &one.version)));
    known.max().map(|(_, version)| version.clone())
}

/// A crate in the answer to a search.
pub(super) fn found(package: &Listed) -> Json {
    json!({"name": package.display, "max_version": package.version, "description": package.brief})
}
