//! What is known of a project and of a version, as JSON.
//!
//! Source: the JSON API of the public index.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};

use super::names::{normal, version};
use super::simple::{archives, quoted, why_yanked};
use super::upload::Manifest;
use crate::checksum::Algorithm;
use crate::{Document, FileFacts, Head, Site, Sums, VersionFacts, VersionHead};

/// A version in memory: what is told of it, and its files.
#[derive(Serialize, Deserialize)]
struct Part {
    info: Box<RawValue>,
    files: Box<RawValue>,
}

/// What is told of a version; `None`: it is not shown.
pub(super) fn fragment(facts: &VersionFacts, site: &Site<'_>) -> Option<Vec<u8>> {
    let manifest: Manifest = serde_json::from_str(&facts.manifest).ok()?;
    let files = files(facts, site);
    if files.is_empty() || facts.head.unlisted {
        return None;
    }
    let info = Json::Object(info(&facts.head, manifest, site));
    let part = Part { info: raw(&info)?, files: raw(&Json::Array(files))? };
    serde_json::to_vec(&part).ok()
}

/// A project: its latest version, and the files of all.
pub(super) fn page(head: &Head, parts: &[Option<Arc<[u8]>>]) -> Option<Document> {
    let shown = head.versions.iter().zip(parts);
    let mut known: Vec<(&VersionHead, Part)> =
        shown.filter_map(|(one, part)| Some((one, model::json::from_slice(part.as_ref()?).ok()?))).collect();
    known.sort_by_cached_key(|(one, _)| version(&one.version));
    let rank = |one: &VersionHead| (one.yanked.is_none(), version(&one.version).is_some_and(|found| found.is_stable()));
    // The last of those that rank alike is the greatest version.
    let (_, latest) = known.iter().max_by_key(|(one, _)| rank(one))?;
    let mut releases = Map::new();
    for (one, part) in &known {
        releases.insert(one.version.clone(), serde_json::from_str(part.files.get()).ok()?);
    }
    let (info, urls): (Json, Json) =
        (serde_json::from_str(latest.info.get()).ok()?, serde_json::from_str(latest.files.get()).ok()?);
    Some(document(&json!({
        "info": info, "last_serial": head.generation, "releases": releases, "urls": urls, "vulnerabilities": [],
    })))
}

/// One version of a project.
pub(super) fn one(head: &Head, facts: &VersionFacts, site: &Site<'_>) -> Option<Document> {
    let manifest: Manifest = serde_json::from_str(&facts.manifest).ok()?;
    let info = info(&facts.head, manifest, site);
    Some(document(&json!({
        "info": info, "last_serial": head.generation, "urls": files(facts, site), "vulnerabilities": [],
    })))
}

fn document(value: &Json) -> Document {
    Document { media_type: "application/json", body: value.to_string().into_bytes() }
}

fn raw(value: &Json) -> Option<Box<RawValue>> {
    RawValue::from_string(value.to_string()).ok()
}

fn info(head: &VersionHead, manifest: Manifest, site: &Site<'_>) -> Map<String, Json> {
    let mut info = manifest.info;
    let (project, version) = (normal(&manifest.name), &head.version);
    info.insert("package_url".to_owned(), json!(format!("{}/simple/{project}/", site.base)));
    info.insert("release_url".to_owned(), json!(format!("{}/pypi/{project}/{version}/json", site.base)));
    info.insert("name".to_owned(), Json::String(manifest.name));
    info.insert("version".to_owned(), json!(version));
    info.insert("yanked".to_owned(), Json::Bool(head.yanked.is_some()));
    info.insert("yanked_reason".to_owned(), json!(head.yanked.as_deref().filter(|why| !why.is_empty())));
    info.insert("downloads".to_owned(), json!({"last_day": -1, "last_month": -1, "last_week": -1}));
    info
}

fn files(facts: &VersionFacts, site: &Site<'_>) -> Vec<Json> {
    let file = |(file, kept): (&FileFacts, super::upload::Kept)| {
        let sums = file.attributes.as_deref().map(Sums::of_attributes).unwrap_or_default();
        let (md5, blake2) = (sums.hex(Algorithm::Md5), sums.hex(Algorithm::Blake2b256));
        let yanked = why_yanked(facts, file);
        let added = file.added_at.map(|at| at.to_seconds().trim_end_matches('Z').to_owned());
        json!({
            "filename": file.path, "url": format!("{}/{}", site.base, quoted(&file.location)),
            "packagetype": kept.filetype, "python_version": kept.python, "requires_python": kept.requires_python,
            "size": file.size, "digests": {"sha256": file.digest, "md5": md5, "blake2b_256": blake2},
            "md5_digest": md5, "has_sig": kept.signed, "comment_text": "", "downloads": -1,
            "upload_time": added, "upload_time_iso_8601": file.added_at,
            "yanked": yanked.is_some(), "yanked_reason": yanked.filter(|why| !why.is_empty()),
        })
    };
    archives(facts).map(file).collect()
}
