//! npm registries, as npm, pnpm, Yarn and Bun speak to them.
//!
//! Sources: the npm registry's API and package metadata documents, and what the clients send.

mod address;
mod agrees;
mod archive;
mod body;
mod digests;
mod lockfile;
mod login;
mod names;
mod object;
mod packument;
mod publish;
mod remote;
mod scan;
mod setup;
mod tags;
mod tokens;

use std::sync::Arc;

use model::{EntryPath, NameError, PackageName, Reason, VersionName};
use serde_json::json;

use crate::ranges::{Bare, semantic};
use crate::{
    Answer, Asked, Catalogue, Document, Format, Head, Listed, Lockfile, Logins, Merging, Operation, PackageAt,
    ParseError, Place, Refused, Setup, Site, Tokens, Unreadable, Upstream, VersionFacts, VersionRange, View,
};

/// The format of npm packages.
#[derive(Clone, Copy, Debug)]
pub struct Npm;

/// A whole packument.
const FULL: View = 0;
/// A packument with what installing needs.
const ABBREVIATED: View = 1;
/// The dist-tags of a package.
const TAGS: View = 2;
/// One version.
const ONE: View = 3;
/// The statements about one version.
const ATTESTATIONS: View = 4;
/// The answer to a search.
const SEARCH: View = 5;
/// We are here.
const PING: View = 6;
/// Who asks.
const WHOAMI: View = 7;
/// Known vulnerabilities, asked for in bulk.
const BULK_AUDIT: View = 8;
/// The same, as older clients ask.
const AUDIT: View = 9;
/// What public registries offer beside packages and we do not.
const NOT_OFFERED: View = 10;

impl Format for Npm {
    fn key(&self) -> &'static str {
        "npm"
    }

    fn parse(&self, asked: &Asked<'_>) -> Result<Operation, ParseError> {
        address::parse(asked)
    }

    fn normalise(&self, name: &PackageName) -> String {
        names::normal(name.as_str())
    }

    /// Public registries have names from before capitals were forbidden, beside others that differ in case alone.
    fn as_written(&self, name: &PackageName) -> String {
        name.as_str().to_owned()
    }

    fn is_name(&self, at: &PackageAt) -> bool {
        names::is_name(&at.name)
    }

    fn names(&self) -> &'static [&'static str] {
        &["tool", "@team/tool"]
    }

    fn lockfile(&self, name: &str, bytes: &[u8]) -> Option<Result<Lockfile, Unreadable>> {
        lockfile::read(name, bytes)
    }

    fn range(&self, text: &str) -> Option<VersionRange> {
        semantic(text, Bare::Exact)
    }

    fn location(&self, package: &PackageName, _: &VersionName, path: &EntryPath) -> Result<EntryPath, NameError> {
        names::place(&names::normal(package.as_str()), path.as_str())
    }

    fn fragment(&self, view: View, version: &VersionFacts, site: &Site<'_>) -> Option<Vec<u8>> {
        serde_json::to_vec(&packument::version(view, version, site)?).ok()
    }

    fn looks_inside(&self, view: View) -> bool {
        view != TAGS
    }

    fn assemble(&self, view: View, head: &Head, versions: &[Option<Arc<[u8]>>], _: &Site<'_>) -> Option<Document> {
        match view {
            TAGS if head.versions.is_empty() => None,
            TAGS => {
                let body = serde_json::to_vec(&packument::tags(head)).ok()?;
                Some(Document { media_type: "application/json", body })
            }
            _ => packument::packument(view, head, versions),
        }
    }

    fn version(&self, view: View, _: &Head, version: &VersionFacts, site: &Site<'_>) -> Option<Document> {
        if view == ATTESTATIONS {
            return packument::attestations(version);
        }
        let body = packument::version(FULL, version, site)?.to_string().into_bytes();
        Some(Document { media_type: "application/json", body })
    }

    fn standing_ref(&self) -> Option<&'static str> {
        Some(packument::LATEST)
    }

    fn stands_for(&self, head: &Head) -> Option<String> {
        packument::latest(head)
    }

    fn catalogue(&self, _: &Catalogue, packages: &[Listed], more: bool, site: &Site<'_>) -> Option<Document> {
        let objects: Vec<_> = packages.iter().map(|package| packument::found(package, site)).collect();
        // How many more there are is not counted, only that there is one.
        let total = objects.len() + usize::from(more);
        let body = json!({"objects": objects, "total": total}).to_string().into_bytes();
        Some(Document { media_type: "application/json", body })
    }

    fn lists_manifests(&self, view: View) -> bool {
        view == SEARCH
    }

    fn brief(&self, manifest: &str) -> Option<String> {
        packument::brief(manifest)
    }

    fn say(&self, view: View, site: &Site<'_>) -> Option<Answer> {
        match (view, site.subject) {
            (PING, _) => Some(Answer::json(&json!({}))),
            (WHOAMI, Some(subject)) => Some(Answer::json(&json!({"username": subject}))),
            (WHOAMI, None) => {
                let body = json!({"error": "you are not logged in: this needs a token"});
                Some(Answer { status: 401, ..Answer::json(&body) })
            }
            (BULK_AUDIT, _) => Some(Answer::json(&json!({}))),
            (AUDIT, _) => {
                let none = json!({"info": 0, "low": 0, "moderate": 0, "high": 0, "critical": 0});
                let metadata = json!({"vulnerabilities": none, "dependencies": 0, "devDependencies": 0,
                    "optionalDependencies": 0, "totalDependencies": 0});
                Some(Answer::json(&json!({"actions": [], "advisories": {}, "muted": [], "metadata": metadata})))
            }
            (NOT_OFFERED, _) => {
                let why = "profiles, organisations, teams, owners, access settings, stars, staging, trusted publishers and \
                    registry keys are not offered here: who may do what is decided by the bindings of the repository and by tokens, \
                    which are managed through /v1";
                Some(Answer { status: 404, ..Answer::json(&json!({"error": why, "code": "not_found"})) })
            }
            _ => None,
        }
    }

    fn refuse(&self, refused: &Refused<'_>) -> Option<Answer> {
        // A 409 makes npm try once more with everything that it finds published; a 403 is shown. What was
        // made from a state that has changed stays a 409.
        // Of a 403 npm says that it may be a matter of security policy.
        let conflict = refused.code == "conflict" && refused.reason != Some(Reason::Changed);
        let shown = conflict || refused.code == "policy_denied";
        let status = if shown { 403 } else { refused.status };
        let error = if refused.reason == Some(Reason::Taken) {
            format!("You cannot publish over the previously published versions: {}", refused.detail)
        } else {
            refused.detail.to_owned()
        };
        Some(Answer { status, ..Answer::json(&json!({"error": error, "code": refused.code})) })
    }

    fn is_spoken_by(&self, user_agent: &str) -> bool {
        let known = ["npm/", "pnpm/", "yarn/", "Bun/", "bun/"];
        known.iter().any(|client| user_agent.starts_with(client))
    }

    fn logins(&self) -> Option<&'static dyn Logins> {
        Some(&Npm)
    }

    fn tokens(&self) -> Option<&'static dyn Tokens> {
        Some(&Npm)
    }

    fn merging(&self) -> Option<Merging> {
        Some(Merging::Owner)
    }

    fn upstream(&self) -> Option<&'static dyn Upstream> {
        Some(&Npm)
    }

    fn setups(&self, place: &Place<'_>) -> Vec<Setup> {
        setup::all(place)
    }
}

/// It is done.
fn done(status: u16) -> Answer {
    Answer { status, ..Answer::json(&json!({"ok": true})) }
}

#[cfg(test)]
mod tests;
