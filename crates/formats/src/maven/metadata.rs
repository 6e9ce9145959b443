//! `maven-metadata.xml` at its three levels, made of what was published.
//!
//! Source: the Maven repository metadata model, 1.1.0.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::Timestamp;

use super::layout::{Build, base_of, build_of, kind, line};
use super::{PLUGIN, order};
use crate::{Document, Head, VersionFacts};

/// What the index of a line of snapshots has of one build: a line for each file, classifier and extension.
pub(super) fn kinds(version: &VersionFacts) -> Vec<u8> {
    let kinds = version.files.iter().filter_map(|file| kind(&version.head.version, &file.path));
    kinds.fold(String::new(), |text, (classifier, extension)| text + classifier + "\t" + extension + "\n").into_bytes()
}

/// The versions of an artifact, and the plugins of the group that has the same path.
pub(super) fn artifact(head: &Head) -> Option<Document> {
    let listed = head.versions.iter().filter(|one| one.yanked.is_none() && !one.unlisted);
    let mut bases: Vec<(order::Version, String)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for one in listed {
        let base = base_of(&one.version);
        if seen.insert(base.clone()) {
            bases.push((order::Version::parse(&base), base));
        }
    }
    if bases.is_empty() && head.around.is_empty() {
        return None;
    }
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata>\n");
    if !bases.is_empty() {
        versions(&mut text, head, &order::sort(bases));
    }
    plugins(&mut text, head);
    text.push_str("</metadata>\n");
    Some(Document { media_type: "application/xml", body: text.into_bytes() })
}

fn versions(text: &mut String, head: &Head, sorted: &[(order::Version, String)]) {
    element(text, 2, "groupId", &head.namespace);
    element(text, 2, "artifactId", &head.name);
    text.push_str("  <versioning>\n");
    if let Some((_, latest)) = sorted.last() {
        element(text, 4, "latest", latest);
    }
    if let Some((_, release)) = sorted.iter().rfind(|(_, version)| line(version).is_none()) {
        element(text, 4, "release", release);
    }
    text.push_str("    <versions>\n");
    for (_, version) in sorted {
        element(text, 6, "version", version);
    }
    text.push_str("    </versions>\n");
    let changed = head.versions.iter().filter_map(|one| one.published_at).max();
    let changed = changed.or_else(|| head.versions.iter().map(|one| one.changed_at).max()).unwrap_or(Timestamp(0));
    element(text, 4, "lastUpdated", &digits(&changed.to_seconds()));
    text.push_str("  </versioning>\n");
}

fn plugins(text: &mut String, head: &Head) {
    if head.around.is_empty() {
        return;
    }
    text.push_str("  <plugins>\n");
    for (artifact, name) in &head.around {
        text.push_str("    <plugin>\n");
        element(text, 6, "name", artifact);
        element(text, 6, "prefix", name.strip_prefix(PLUGIN).unwrap_or(name));
        element(text, 6, "artifactId", artifact);
        text.push_str("    </plugin>\n");
    }
    text.push_str("  </plugins>\n");
}

/// The builds of a line of snapshots: of each kind of file the youngest.
pub(super) fn snapshots<B: AsRef<[u8]>>(head: &Head, kinds: &[Option<B>]) -> Option<Document> {
    let mut newest: Option<Build<'_>> = None;
    let mut files: BTreeMap<(&str, &str), (Build<'_>, &str)> = BTreeMap::new();
    for (one, kinds) in head.versions.iter().zip(kinds) {
        let (Some((_, build)), Some(kinds)) = (build_of(&one.version), kinds) else { continue };
        if one.yanked.is_some() || one.unlisted {
            continue;
        }
        newest = newest.max(Some(build));
        for kind in std::str::from_utf8(kinds.as_ref()).ok()?.lines().filter_map(|line| line.split_once('\t')) {
            let known = files.entry(kind).or_insert((build, &one.version));
            if known.0 < build {
                *known = (build, &one.version);
            }
        }
    }
    let newest = newest?;
    let base = head.versions.first().map(|one| base_of(&one.version))?;
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata modelVersion=\"1.1.0\">\n");
    element(&mut text, 2, "groupId", &head.namespace);
    element(&mut text, 2, "artifactId", &head.name);
    element(&mut text, 2, "version", &base);
    text.push_str("  <versioning>\n    <snapshot>\n");
    element(&mut text, 6, "timestamp", newest.stamp);
    element(&mut text, 6, "buildNumber", &newest.number.to_string());
    text.push_str("    </snapshot>\n");
    element(&mut text, 4, "lastUpdated", &digits(newest.stamp));
    text.push_str("    <snapshotVersions>\n");
    for ((classifier, extension), (build, version)) in files {
        text.push_str("      <snapshotVersion>\n");
        if !classifier.is_empty() {
            element(&mut text, 8, "classifier", classifier);
        }
        element(&mut text, 8, "extension", extension);
        element(&mut text, 8, "value", version);
        element(&mut text, 8, "updated", &digits(build.stamp));
        text.push_str("      </snapshotVersion>\n");
    }
    text.push_str("    </snapshotVersions>\n  </versioning>\n</metadata>\n");
    Some(Document { media_type: "application/xml", body: text.into_bytes() })
}

/// `yyyyMMddHHmmss` of a time that is written with more signs.
pub(super) fn digits(time: &str) -> String {
    time.chars().filter(char::is_ascii_digit).collect()
}

fn element(text: &mut String, indent: usize, name: &str, value: &str) {
    let value = quick_xml::escape::escape(value);
    // Writing into a String does not fail.
    let _ = writeln!(text, "{:indent$}<{name}>{value}</{name}>", "");
}
