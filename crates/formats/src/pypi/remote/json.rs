//! The index of a project as JSON.
//!
//! Source: the simple repository API, "JSON Serialization".

use std::collections::HashMap;

use model::Timestamp;
use serde::Deserialize;
use serde_json::Value as Json;

use super::{File, Index, MOST, expect_version, sum, too_many};
use crate::links::Links;
use crate::pypi::names::{is_name, normal};
use crate::{Said, Unreadable, strict};

#[derive(Deserialize)]
struct Page {
    meta: Meta,
    #[serde(default)]
    name: Option<String>,
    files: Vec<Entry>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "api-version")]
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Entry {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: Option<HashMap<String, String>>,
    #[serde(default)]
    requires_python: Option<String>,
    #[serde(default)]
    core_metadata: Json,
    #[serde(default)]
    dist_info_metadata: Json,
    #[serde(default)]
    gpg_sig: Option<bool>,
    #[serde(default)]
    yanked: Json,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    upload_time: Option<String>,
    #[serde(default)]
    provenance: Json,
}

/// Reads the index of the project of this normalised name.
pub(super) fn read(said: Said<'_>, project: &str) -> Result<Index, Unreadable> {
    let odd = |what: &str| Unreadable(format!("the index of {project} {what}"));
    let links = Links::of(said.address)?;
    let page: Page = strict::read_as(said.body).map_err(|_| odd("is not the JSON of an index"))?;
    expect_version(&page.meta.version, project)?;
    let display = page.name.unwrap_or_else(|| project.to_owned());
    if !is_name(&display) || normal(&display) != project {
        return Err(odd("is that of another project"));
    }
    if page.files.len() > MOST {
        return Err(too_many(project));
    }
    Ok(Index { display, files: page.files.into_iter().filter_map(|entry| entry.file(&links)).collect() })
}

impl Entry {
    fn file(self, links: &Links) -> Option<File> {
        let hashes = self.hashes.unwrap_or_default();
        let metadata = if self.core_metadata.is_null() { self.dist_info_metadata } else { self.core_metadata };
        Some(File {
            url: links.follow(&self.url)?,
            sums: hashes.iter().filter_map(|(word, digits)| sum(word, digits)).collect::<Option<_>>()?,
            name: self.filename,
            size: self.size,
            published_at: self.upload_time.and_then(|time| Timestamp::parse(&time)),
            requires_python: self.requires_python,
            metadata: self::metadata(&metadata),
            signed: self.gpg_sig == Some(true),
            provenance: self.provenance.as_str().and_then(|link| links.follow(link)),
            yanked: yanked(self.yanked),
        })
    }
}

/// The SHA-256 of the metadata file; empty where only another digest, or none, is told.
fn metadata(told: &Json) -> Option<String> {
    match told {
        Json::Bool(true) => Some(String::new()),
        Json::Object(hashes) => match hashes.get("sha256") {
            Some(digits) => digits.as_str().map(str::to_ascii_lowercase),
            None => Some(String::new()),
        },
        _ => None,
    }
}

/// As pip has it: an empty reason is no yank here.
fn yanked(told: Json) -> Option<String> {
    match told {
        Json::Bool(true) => Some(String::new()),
        Json::String(why) => Some(why).filter(|why| !why.is_empty()),
        _ => None,
    }
}
