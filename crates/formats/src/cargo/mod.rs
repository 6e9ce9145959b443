//! Cargo registries: the sparse index, the web API and the downloads.
//!
//! Sources: the Cargo book, chapters "Registry Index" and "Registry Web API".

mod address;
mod index;
mod lockfile;
mod publish;
mod remote;
mod setup;
mod stated;

use std::sync::Arc;

use model::{EntryPath, NameError, PackageName, VersionName};
use serde_json::json;

use crate::ranges::{Bare, semantic};
use crate::{
    Answer, Asked, Catalogue, Document, Format, Head, Listed, Lockfile, Merging, Operation, PackageAt, ParseError,
    Place, Refused, Setup, Site, Unreadable, Upstream, VersionFacts, VersionRange, View,
};

/// The format of crates.
#[derive(Clone, Copy, Debug)]
pub struct Cargo;

/// The sparse index of one crate.
const INDEX: View = 0;
/// `config.json`.
const CONFIG: View = 1;
/// The answer to a search.
const SEARCH: View = 2;
/// Who owns a crate.
const OWNERS: View = 3;

impl Format for Cargo {
    fn key(&self) -> &'static str {
        "cargo"
    }

    fn parse(&self, asked: &Asked<'_>) -> Result<Operation, ParseError> {
        address::parse(asked)
    }

    fn normalise(&self, name: &PackageName) -> String {
        normal(name.as_str())
    }

    /// Index files have their names in lower case, and two names for `-` and `_`.
    fn as_written(&self, name: &PackageName) -> String {
        name.as_str().to_ascii_lowercase()
    }

    fn is_name(&self, at: &PackageAt) -> bool {
        is_name(&at.name)
    }

    fn names(&self) -> &'static [&'static str] {
        &["tool"]
    }

    fn lockfile(&self, name: &str, bytes: &[u8]) -> Option<Result<Lockfile, Unreadable>> {
        lockfile::read(name, bytes)
    }

    fn range(&self, text: &str) -> Option<VersionRange> {
        semantic(text, Bare::Caret)
    }

    fn location(&self, package: &PackageName, version: &VersionName, _: &EntryPath) -> Result<EntryPath, NameError> {
        download(&normal(package.as_str()), version.as_str())
    }

    fn fragment(&self, view: View, version: &VersionFacts, _: &Site<'_>) -> Option<Vec<u8>> {
        (view == INDEX).then(|| index::line(version)).flatten()
    }

    fn assemble(&self, _: View, _: &Head, lines: &[Option<Arc<[u8]>>], _: &Site<'_>) -> Option<Document> {
        let lines: Vec<_> = lines.iter().flatten().collect();
        if lines.is_empty() {
            return None;
        }
        let mut body = Vec::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
        for line in lines {
            body.extend_from_slice(line);
            body.push(b'\n');
        }
        Some(Document { media_type: "text/plain; charset=utf-8", body })
    }

    fn catalogue(&self, _: &Catalogue, packages: &[Listed], more: bool, _: &Site<'_>) -> Option<Document> {
        let crates: Vec<_> = packages.iter().map(index::found).collect();
        // Cargo shows how many more there are; we do not count them, but say that there is one.
        let total = crates.len() + usize::from(more);
        let body = json!({"crates": crates, "meta": {"total": total}}).to_string().into_bytes();
        Some(Document { media_type: "application/json", body })
    }

    fn stands_for(&self, head: &Head) -> Option<String> {
        index::greatest(head)
    }

    fn lists_manifests(&self, view: View) -> bool {
        view == SEARCH
    }

    fn brief(&self, manifest: &str) -> Option<String> {
        index::brief(manifest)
    }

    fn say(&self, view: View, site: &Site<'_>) -> Option<Answer> {
        let config = || {
            Answer::json(
                &json!({"dl": format!("{}/dl", site.base), "api": site.base, "auth-required": site.auth_required}),
            )
        };
        let owners = || {
            let detail = "owners are those who may write in the repository: an administrator changes them with \
                          `artifortress admin bindings`";
            let body = json!({"errors": [{"detail": detail, "code": "forbidden"}]});
            Answer { status: 403, ..Answer::json(&body) }
        };
        match view {
            CONFIG => Some(config()),
            OWNERS => Some(owners()),
            _ => None,
        }
    }

    fn writers(&self, view: View, subjects: &[String]) -> Option<Answer> {
        let user = |(id, login): (u32, &String)| json!({"id": id, "login": login, "name": null});
        let users: Vec<_> = (1..).zip(subjects).map(user).collect();
        (view == OWNERS).then(|| Answer::json(&json!({"users": users})))
    }

    /// Cargo cannot tell versions apart that differ in their build metadata alone.
    fn twin(&self, version: &VersionName) -> Option<String> {
        let text = version.as_str();
        Some(text.split_once('+').map_or(text, |(release, _)| release).to_owned())
    }

    fn refuse(&self, refused: &Refused<'_>) -> Option<Answer> {
        let body = json!({"errors": [{"detail": refused.detail, "code": refused.code}]});
        Some(Answer { status: refused.status, ..Answer::json(&body) })
    }

    fn is_spoken_by(&self, user_agent: &str) -> bool {
        user_agent.starts_with("cargo/") || user_agent.starts_with("cargo ")
    }

    fn sends_bare_tokens(&self) -> bool {
        true
    }

    fn challenge(&self, base: &str) -> Option<String> {
        Some(format!("Cargo login_url=\"{base}\""))
    }

    fn merging(&self) -> Option<Merging> {
        Some(Merging::Owner)
    }

    fn upstream(&self) -> Option<&'static dyn Upstream> {
        Some(&Cargo)
    }

    fn setups(&self, place: &Place<'_>) -> Vec<Setup> {
        setup::all(place)
    }
}

/// Two crates whose names differ in case or in `-` against `_` alone are one.
fn normal(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

/// Where the bytes of a version are.
fn download(name: &str, version: &str) -> Result<EntryPath, NameError> {
    EntryPath::parse(&format!("dl/{name}/{version}/download"))
}

/// Letters, digits, `-` and `_`, beginning with a letter, at most 64 (as the public registry has it).
fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod contents;
#[cfg(test)]
mod tests;
