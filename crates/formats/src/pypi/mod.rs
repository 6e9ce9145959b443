//! Python packages: the simple index, the upload of archives, the projects' JSON.
//!
//! Sources: the PyPA specifications "Simple repository API", "Names and normalization", "Version specifiers", "Binary
//! distribution format", "Source distribution format", "Core metadata", "Index hosted attestations", and the upload API
//! of the public index.

mod accept;
mod address;
mod attest;
mod form;
mod lockfile;
mod metadata;
mod names;
mod project;
mod record;
mod remote;
mod sdist;
mod setup;
mod simple;
mod upload;
mod wheel;

use std::sync::Arc;

use model::{EntryPath, NameError, PackageName, Reason, VersionName};
use names::{normal, release_of};
use serde_json::json;

use crate::{
    Answer, Asked, Catalogue, Document, Format, Head, Listed, Lockfile, Merging, Operation, PackageAt, ParseError,
    Place, Refused, Setup, Site, Unreadable, Upstream, VersionFacts, VersionRange, View,
};

/// The format of wheels and source distributions.
#[derive(Clone, Copy, Debug)]
pub struct Pypi;

/// The simple index as JSON.
const JSON: View = 0;
/// The simple index as HTML of version 1.
const HTML: View = 1;
/// The same under the name that every client knows.
const PLAIN_HTML: View = 2;
/// What is known of a project, as JSON.
const PROJECT: View = 3;

impl Format for Pypi {
    fn key(&self) -> &'static str {
        "pypi"
    }

    fn parse(&self, asked: &Asked<'_>) -> Result<Operation, ParseError> {
        address::parse(asked)
    }

    fn adds_files(&self) -> bool {
        true
    }

    fn merging(&self) -> Option<Merging> {
        Some(Merging::Owner)
    }

    fn upstream(&self) -> Option<&'static dyn Upstream> {
        Some(&Pypi)
    }

    fn setups(&self, place: &Place<'_>) -> Vec<Setup> {
        setup::all(place)
    }

    fn repeats(&self) -> bool {
        true
    }

    fn normalise(&self, name: &PackageName) -> String {
        normal(name.as_str())
    }

    fn is_name(&self, at: &PackageAt) -> bool {
        names::is_name(&at.name)
    }

    fn names(&self) -> &'static [&'static str] {
        &["tool"]
    }

    fn lockfile(&self, name: &str, bytes: &[u8]) -> Option<Result<Lockfile, Unreadable>> {
        lockfile::read(name, bytes)
    }

    fn range(&self, text: &str) -> Option<VersionRange> {
        names::range(text)
    }

    /// `1.0` and `1.0.0` are one version.
    fn twin(&self, version: &VersionName) -> Option<String> {
        Some(release_of(version.as_str()))
    }

    fn location(&self, package: &PackageName, version: &VersionName, path: &EntryPath) -> Result<EntryPath, NameError> {
        location(&normal(package.as_str()), version.as_str(), path.as_str())
    }

    fn fragment(&self, view: View, version: &VersionFacts, site: &Site<'_>) -> Option<Vec<u8>> {
        match view {
            JSON => simple::json(version, site),
            HTML | PLAIN_HTML => simple::html(version, site),
            PROJECT => project::fragment(version, site),
            _ => None,
        }
    }

    fn assemble(&self, view: View, head: &Head, parts: &[Option<Arc<[u8]>>], _: &Site<'_>) -> Option<Document> {
        if parts.iter().all(Option::is_none) {
            return None;
        }
        match view {
            JSON => simple::json_page(head, parts),
            HTML | PLAIN_HTML => Some(simple::html_page(view, head, parts)),
            PROJECT => project::page(head, parts),
            _ => None,
        }
    }

    fn version(&self, view: View, head: &Head, version: &VersionFacts, site: &Site<'_>) -> Option<Document> {
        (view == PROJECT).then(|| project::one(head, version, site)).flatten()
    }

    fn catalogue(&self, asked: &Catalogue, packages: &[Listed], _: bool, _: &Site<'_>) -> Option<Document> {
        Some(simple::list(asked.view, packages))
    }

    /// Clients that are told to skip what is there already take 409 for that, whatever its words: other conflicts
    /// need another status.
    fn refuse(&self, refused: &Refused<'_>) -> Option<Answer> {
        if refused.status != 409 || refused.reason == Some(Reason::OtherBytes) {
            return None;
        }
        let body = json!({
            "type": "about:blank", "title": "Bad Request", "status": 400, "code": refused.code,
            "detail": refused.detail,
        });
        Some(Answer { status: 400, media_type: "application/problem+json", ..Answer::json(&body) })
    }

    /// twine and pip show nothing else.
    fn tells_by_reason(&self) -> bool {
        true
    }

    fn is_spoken_by(&self, user_agent: &str) -> bool {
        ["twine/", "pip/", "uv/", "poetry/", "pdm/", "Hatch/"].iter().any(|name| user_agent.starts_with(name))
    }
}

/// Where the bytes of a file are, and those that belong to it.
fn location(normal: &str, version: &str, file: &str) -> Result<EntryPath, NameError> {
    EntryPath::parse(&format!("packages/{normal}/{version}/{file}"))
}

#[cfg(test)]
mod tests;
