//! Maven repositories: releases and snapshots, their indexes made from what was stored.
//!
//! Sources: the Maven repository layout and metadata model, the POM reference, Gradle's module metadata.

mod address;
mod builds;
mod deposit;
mod layout;
mod lockfile;
mod metadata;
mod module;
mod order;
mod plugin;
mod pom;
mod range;
mod remote;
mod setup;
mod sound;
mod told;
mod xml;

use std::sync::Arc;

use model::{EntryPath, NameError, PackageName, VersionName};

use crate::{
    Answer, Around, Asked, Document, Format, Head, Lockfile, Merging, Operation, PackageAt, ParseError, Place, Refused,
    Setup, Site, Unreadable, Upstream, VersionFacts, VersionRange, View,
};

/// The format of Maven, Gradle and whoever else speaks to such repositories.
#[derive(Clone, Copy, Debug)]
pub struct Maven;

/// The index of an artifact, and of the group that has the same path.
const ARTIFACT: View = 0;
/// The index of a line of snapshots.
const BUILDS: View = 1;

/// What refs of plugins begin with; the prefix of their goals follows.
const PLUGIN: &str = "maven-plugin.";

impl Format for Maven {
    fn key(&self) -> &'static str {
        "maven"
    }

    fn parse(&self, asked: &Asked<'_>) -> Result<Operation, ParseError> {
        address::parse(asked)
    }

    fn adds_files(&self) -> bool {
        true
    }

    fn has_deployments(&self) -> bool {
        true
    }

    fn lists_pages(&self) -> bool {
        true
    }

    fn repeats(&self) -> bool {
        true
    }

    fn has_namespaces(&self) -> bool {
        true
    }

    fn normalise(&self, name: &PackageName) -> String {
        name.as_str().to_owned()
    }

    fn range(&self, text: &str) -> Option<VersionRange> {
        range::range(text)
    }

    fn is_name(&self, at: &PackageAt) -> bool {
        !at.namespace.is_empty() && remote::folder(at).is_some()
    }

    fn names(&self) -> &'static [&'static str] {
        &["com.example:tool"]
    }

    fn lockfile(&self, name: &str, bytes: &[u8]) -> Option<Result<Lockfile, Unreadable>> {
        lockfile::read(name, bytes)
    }

    fn location(&self, package: &PackageName, version: &VersionName, path: &EntryPath) -> Result<EntryPath, NameError> {
        EntryPath::parse(&format!("{package}/{}/{path}", layout::base_of(version.as_str())))
    }

    fn fragment(&self, view: View, version: &VersionFacts, _: &Site<'_>) -> Option<Vec<u8>> {
        (view == BUILDS).then(|| metadata::kinds(version))
    }

    fn looks_inside(&self, view: View) -> bool {
        view == BUILDS
    }

    fn belongs(&self, version: &str, part: &str) -> bool {
        layout::build_of(version).is_some() && layout::base_of(version) == part
    }

    fn around(&self, package: &PackageAt) -> Option<Around> {
        if package.name.contains('.') {
            return None;
        }
        let namespace = match package.namespace.as_str() {
            "" => package.name.clone(),
            group => format!("{group}.{}", package.name),
        };
        Some(Around { namespace, refs: PLUGIN })
    }

    fn newest(&self, address: &str, index: &[u8]) -> Option<String> {
        builds::newest(address, index)
    }

    fn assemble(&self, view: View, head: &Head, kinds: &[Option<Arc<[u8]>>], _: &Site<'_>) -> Option<Document> {
        match view {
            ARTIFACT => metadata::artifact(head),
            BUILDS => metadata::snapshots(head, kinds),
            _ => None,
        }
    }

    fn tells_by_reason(&self) -> bool {
        true
    }

    /// From 3.9.11 on Maven reads problem documents, and takes a `404` that is one for a transfer that failed: no snapshot
    /// could be deployed for the first time.
    fn refuse(&self, refused: &Refused<'_>) -> Option<Answer> {
        (refused.status == 404).then(|| Answer::text(refused.status, format!("{}\n", refused.detail)))
    }

    fn is_spoken_by(&self, user_agent: &str) -> bool {
        ["Apache-Maven/", "Gradle/", "Apache Ivy/", "Maven-Resolver"].iter().any(|name| user_agent.starts_with(name))
    }

    fn merging(&self) -> Option<Merging> {
        Some(Merging::Union)
    }

    fn upstream(&self) -> Option<&'static dyn Upstream> {
        Some(&Maven)
    }

    fn setups(&self, place: &Place<'_>) -> Vec<Setup> {
        setup::all(place)
    }
}

#[cfg(test)]
mod tests;
