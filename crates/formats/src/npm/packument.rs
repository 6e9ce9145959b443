//! Documents: packuments full and abbreviated, single versions, dist-tags, searches.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Timestamp;
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};

use super::names::{archive, highest};
use super::publish::{Known, predicate};
use super::{ABBREVIATED, FULL};
use crate::{Document, FileFacts, Head, Listed, Site, VersionFacts, View};

/// What installing needs of a version.
const NEEDED: [&str; 18] = [
    "name",
    "version",
    "dependencies",
    "optionalDependencies",
    "devDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "bundleDependencies",
    "bundledDependencies",
    "acceptDependencies",
    "bin",
    "directories",
    "engines",
    "os",
    "cpu",
    "libc",
    "funding",
    "deprecated",
];

/// A version in a packument of this view.
pub(super) fn version(view: View, facts: &VersionFacts, site: &Site<'_>) -> Option<Json> {
    if facts.head.unlisted {
        return None;
    }
    let mut object: Map<String, Json> = serde_json::from_str(&facts.manifest).ok()?;
    let name = object.get("name")?.as_str()?.to_owned();
    let version = &facts.head.version;
    let file = tarball(facts, &name)?;
    let known: Known = file.attributes.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    object.remove("deprecated");
    if let Some(text) = warning(facts) {
        object.insert("deprecated".to_owned(), Json::String(text));
    }
    if view == ABBREVIATED {
        object.retain(|key, _| NEEDED.contains(&key.as_str()));
    } else {
        object.insert("_id".to_owned(), json!(format!("{name}@{version}")));
    }
    if known.has_install_script {
        object.insert("hasInstallScript".to_owned(), Json::Bool(true));
    }
    if known.has_shrinkwrap {
        object.insert("_hasShrinkwrap".to_owned(), Json::Bool(true));
    }
    object.insert("dist".to_owned(), dist(&name, version, file, &known, site));
    Some(Json::Object(object))
}

/// What people are told instead of using it. A yanked version stays usable for those who have it.
fn warning(facts: &VersionFacts) -> Option<String> {
    let or = |text: &String, what: &str| if text.is_empty() { what.to_owned() } else { text.clone() };
    let deprecated = facts.head.deprecated.as_ref().map(|text| or(text, "this version is deprecated"));
    deprecated.or_else(|| facts.head.yanked.as_ref().map(|text| or(text, "this version was yanked")))
}

fn tarball<'f>(facts: &'f VersionFacts, name: &str) -> Option<&'f FileFacts> {
    let usual = archive(name, &facts.head.version);
    let usual = facts.files.iter().find(|file| file.path == usual);
    usual.or_else(|| facts.files.iter().find(|file| file.path.ends_with(".tgz")))
}

fn dist(name: &str, version: &str, file: &FileFacts, known: &Known, site: &Site<'_>) -> Json {
    let sha256 = || file.digest.map(|digest| format!("sha256-{}", STANDARD.encode(digest.0)));
    let integrity = known.integrity.clone().or_else(sha256);
    // Clients expect the package's own spelling; ours are found in any, and others are kept in their own.
    let at = file.location.get(name.len()..).unwrap_or_default();
    let mut dist = json!({"tarball": format!("{}/{name}{at}", site.base)});
    let Some(fields) = dist.as_object_mut() else { return dist };
    if let Some(integrity) = integrity {
        fields.insert("integrity".to_owned(), json!(integrity));
    }
    if let Some(shasum) = &known.shasum {
        fields.insert("shasum".to_owned(), json!(shasum));
    }
    if let (Some(count), Some(size)) = (known.file_count, known.unpacked_size) {
        fields.insert("fileCount".to_owned(), json!(count));
        fields.insert("unpackedSize".to_owned(), json!(size));
    }
    if let Some(signatures) = known.signatures.as_ref().and_then(|text| serde_json::from_str(text.get()).ok()) {
        fields.insert("signatures".to_owned(), signatures);
    }
    let bundle = known.provenance.as_ref().and_then(|text| serde_json::from_str(text.get()).ok());
    if let Some(kind) = bundle.as_ref().and_then(predicate).or_else(|| known.stated.clone()) {
        let url = format!("{}/-/npm/v1/attestations/{}@{version}", site.base, name.replace('/', "%2f"));
        fields.insert("attestations".to_owned(), json!({"url": url, "provenance": {"predicateType": kind}}));
    }
    dist
}

/// The dist-tag that every package has.
pub(super) const LATEST: &str = "latest";

/// The dist-tags: those that were set, and `latest` in any case.
pub(super) fn tags(head: &Head) -> Map<String, Json> {
    let shown = |version: &str| head.versions.iter().any(|one| one.version == version && !one.unlisted);
    let set = head.refs.iter().filter(|(_, version)| shown(version));
    let mut tags: Map<String, Json> = set.map(|(name, version)| (name.clone(), json!(version))).collect();
    if !tags.contains_key(LATEST)
        && let Some(version) = latest(head)
    {
        tags.insert(LATEST.to_owned(), json!(version));
    }
    tags
}

/// What [`LATEST`] is where nobody said so.
pub(super) fn latest(head: &Head) -> Option<String> {
    highest(head.versions.iter().filter(|one| !one.unlisted).map(|one| one.version.as_str())).map(str::to_owned)
}

/// A packument from the versions that were rendered.
pub(super) fn packument(view: View, head: &Head, versions: &[Option<Arc<[u8]>>]) -> Option<Document> {
    let shown = || head.versions.iter().zip(versions).filter_map(|(one, text)| Some((one, text.as_ref()?)));
    let modified = instant(shown().map(|(one, _)| one.changed_at).max()?);
    let mut time = Map::from_iter([("modified".to_owned(), json!(modified))]);
    let times = || shown().filter_map(|(one, _)| Some((one, one.published_at?)));
    if let Some(created) = times().map(|(_, at)| at).min() {
        time.insert("created".to_owned(), json!(instant(created)));
    }
    time.extend(times().map(|(one, at)| (one.version.clone(), json!(instant(at)))));
    let mut before = json!({"name": head.display, "dist-tags": tags(head), "time": time});
    if let Some(fields) = before.as_object_mut() {
        if view == FULL {
            fields.insert("_id".to_owned(), json!(head.display));
            fields.insert("_rev".to_owned(), json!(format!("{}-{}", head.generation, versions.len())));
        } else {
            fields.insert("modified".to_owned(), json!(modified));
        }
    }
    let mut body = before.to_string().into_bytes();
    body.pop();
    body.reserve(shown().map(|(one, text)| one.version.len() + text.len() + 4).sum::<usize>() + 16);
    body.extend_from_slice(b",\"versions\":{");
    for (count, (one, text)) in shown().enumerate() {
        if count > 0 {
            body.push(b',');
        }
        body.extend_from_slice(json!(one.version).to_string().as_bytes());
        body.push(b':');
        body.extend_from_slice(text);
    }
    body.extend_from_slice(b"}}");
    let media_type = if view == FULL { "application/json" } else { "application/vnd.npm.install-v1+json" };
    Some(Document { media_type, body })
}

/// The time to the millisecond, as JavaScript writes it.
fn instant(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{}Z", text.get(..23).unwrap_or(&text))
}

/// The statements about a version: what was published with it, as it came.
pub(super) fn attestations(facts: &VersionFacts) -> Option<Document> {
    let known = facts.files.iter().filter_map(|file| serde_json::from_str::<Known>(file.attributes.as_deref()?).ok());
    let bundle = known.filter_map(|known| known.provenance).next()?;
    let kind = predicate(&serde_json::from_str(bundle.get()).ok()?)?;
    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Statement {
        predicate_type: String,
        bundle: Box<RawValue>,
    }
    #[derive(serde::Serialize)]
    struct Statements {
        attestations: [Statement; 1],
    }
    let all = Statements { attestations: [Statement { predicate_type: kind, bundle }] };
    Some(Document { media_type: "application/json", body: serde_json::to_vec(&all).ok()? })
}

/// What searches show of a version's metadata.
#[derive(serde::Serialize, serde::Deserialize)]
struct Brief {
    #[serde(default, skip_serializing_if = "Json::is_null")]
    description: Json,
    #[serde(default, skip_serializing_if = "Json::is_null")]
    keywords: Json,
    #[serde(default, skip_serializing_if = "Json::is_null")]
    author: Json,
    #[serde(default, skip_serializing_if = "Json::is_null")]
    license: Json,
}

/// What searches show, as JSON.
pub(super) fn brief(manifest: &str) -> Option<String> {
    serde_json::to_string(&serde_json::from_str::<Brief>(manifest).ok()?).ok()
}

/// A package in the answer to a search.
pub(super) fn found(package: &Listed, site: &Site<'_>) -> Json {
    let brief: Map<String, Json> =
        package.brief.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let scope = package.display.strip_prefix('@').and_then(|rest| rest.split('/').next()).unwrap_or("unscoped");
    let mut shown = json!({
        "name": package.display, "version": package.version, "scope": scope,
        "keywords": [], "links": {"npm": format!("{}/{}", site.base, package.display)}, "maintainers": [],
    });
    if let Some(fields) = shown.as_object_mut() {
        fields.extend(package.published_at.map(|at| ("date".to_owned(), instant(at).into())));
        fields.extend(brief);
    }
    let detail = json!({"quality": 1, "popularity": 1, "maintenance": 1});
    json!({"package": shown, "score": {"final": 1, "detail": detail}, "searchScore": 1})
}
