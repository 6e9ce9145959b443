//! Core metadata: the head of a mail, and the description behind it.
//!
//! Source: the core metadata specification, versions 1.0 to 2.5.

use std::str::FromStr as _;

use model::{Code, Refusal};
use pep440_rs::{Version, VersionSpecifiers};
use serde_json::{Map, Value as Json, json};

use super::names::{is_name, normal, version};
use crate::tarball::contradiction;

/// The longest metadata, in bytes.
pub(super) const LONGEST: u64 = 8 << 20;
/// The longest description that a project's JSON shows, in bytes; the rest is in the metadata file.
const SHOWN: usize = 64 << 10;
/// All other fields together, in bytes, and how many there may be.
const FIELDS: (usize, usize) = (512 << 10, 20_000);

/// Fields that may stand there once, and what a project's JSON calls them.
const SINGLE: [(&str, &str); 16] = [
    ("author", "author"),
    ("author-email", "author_email"),
    ("description", "description"),
    ("description-content-type", "description_content_type"),
    ("download-url", "download_url"),
    ("home-page", "home_page"),
    ("keywords", "keywords"),
    ("license", "license"),
    ("license-expression", "license_expression"),
    ("maintainer", "maintainer"),
    ("maintainer-email", "maintainer_email"),
    ("metadata-version", "metadata_version"),
    ("name", "name"),
    ("requires-python", "requires_python"),
    ("summary", "summary"),
    ("version", "version"),
];
/// Fields that may stand there often.
const MANY: [(&str, &str); 11] = [
    ("classifier", "classifiers"),
    ("dynamic", "dynamic"),
    ("license-file", "license_files"),
    ("platform", "platform"),
    ("supported-platform", "supported_platform"),
    ("provides-extra", "provides_extra"),
    ("requires-dist", "requires_dist"),
    ("requires-external", "requires_external"),
    ("provides-dist", "provides_dist"),
    ("obsoletes-dist", "obsoletes_dist"),
    ("project-url", "project_urls"),
];

/// What a package says of itself.
#[derive(Debug)]
pub(super) struct Metadata {
    /// The project's name as it is written there.
    pub(super) display: String,
    /// The name in its normal form.
    pub(super) name: String,
    /// The version.
    pub(super) version: Version,
    /// The interpreters that it needs.
    pub(super) requires_python: Option<String>,
    /// What a project's JSON tells of it.
    pub(super) info: Map<String, Json>,
}

impl Metadata {
    /// Reads the metadata in the file `place` of an archive.
    pub(super) fn parse(text: &[u8], place: &str) -> Result<Self, Refusal> {
        let odd = |why: String| contradiction(format!("{place} in the archive {why}"));
        let text = std::str::from_utf8(text).map_err(|_| odd("is not UTF-8".to_owned()))?;
        let (head, body) = cut(text);
        let fields = fields(head).map_err(odd)?;
        let told =
            fields.iter().filter(|(name, _)| name != "description").map(|(name, value)| name.len() + value.len());
        if told.sum::<usize>() > FIELDS.0 {
            let why = format!("{place} may have at most {} bytes beside the description", FIELDS.0);
            return Err(Refusal::new(Code::PayloadTooLarge, why));
        }
        let single = |key: &str| -> Result<Option<&str>, Refusal> {
            let mut found = fields.iter().filter(|(name, _)| name == key).map(|(_, value)| value.as_str());
            let first = found.next();
            if found.next().is_some() { Err(odd(format!("says {key} twice"))) } else { Ok(first) }
        };
        let needed = |key: &str| single(key)?.ok_or_else(|| odd(format!("does not say {key}")));
        for (key, _) in SINGLE {
            single(key)?;
        }
        let (display, stated) = (needed("name")?, needed("version")?);
        needed("metadata-version")?;
        if !is_name(display) {
            return Err(odd(format!("says the name {}, which is none", display.escape_debug())));
        }
        let version = version(stated).ok_or_else(|| {
            odd(format!("says version {}, which is none: versions are as PEP 440 has them", stated.escape_debug()))
        })?;
        let requires_python = single("requires-python")?.filter(|text| !text.is_empty());
        if let Some(text) = requires_python
            && VersionSpecifiers::from_str(text).is_err()
        {
            return Err(odd(format!("says Requires-Python {}, which names no versions", text.escape_debug())));
        }
        if single("description")?.is_some() && !body.trim().is_empty() {
            return Err(odd("has two descriptions".to_owned()));
        }
        Ok(Self {
            display: display.to_owned(),
            name: normal(display),
            version,
            requires_python: requires_python.map(str::to_owned),
            info: info(&fields, body),
        })
    }
}

/// The head and what follows its first empty line.
fn cut(text: &str) -> (&str, &str) {
    let ends = ["\n\n", "\n\r\n"];
    let found = ends.iter().filter_map(|end| text.find(end).map(|at| (at, at + end.len()))).min();
    found.map_or((text, ""), |(end, next)| (text.get(..end).unwrap_or(text), text.get(next..).unwrap_or_default()))
}

/// The fields of a head, their names in lower case. Strict: what one reader takes for a field and another for the
/// beginning of the body is refused.
fn fields(head: &str) -> Result<Vec<(String, String)>, String> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in head.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.contains(['\r', '\0']) {
            return Err("has a line end that not everybody reads as one".to_owned());
        }
        if line.starts_with([' ', '\t']) {
            let Some((name, value)) = fields.last_mut() else {
                return Err("begins in the middle of a field".to_owned());
            };
            if matches!(name.as_str(), "name" | "version" | "metadata-version") {
                return Err(format!("says {name} on more than one line"));
            }
            value.push('\n');
            value.push_str(line.trim());
            continue;
        }
        let field = line.split_once(':').filter(|(name, _)| is_field(name));
        let Some((name, value)) = field else {
            // What is left behind the last line end; an empty line in front would end the head for others.
            if line.is_empty() && (!fields.is_empty() || head.is_empty()) {
                continue;
            }
            let start: String = line.chars().take(60).collect();
            return Err(format!("has a line in its head that is no field: {}", start.escape_debug()));
        };
        if fields.len() >= FIELDS.1 {
            return Err(format!("has more than {} fields", FIELDS.1));
        }
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(fields)
}

fn is_field(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn info(fields: &[(String, String)], body: &str) -> Map<String, Json> {
    let of = |key: &'static str| fields.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str());
    let mut info = Map::new();
    for (key, word) in SINGLE {
        let text = of(key).next().filter(|text| !text.is_empty() && *text != "UNKNOWN");
        info.insert(word.to_owned(), json!(text.filter(|text| text.len() <= SHOWN)));
    }
    for (key, word) in MANY.into_iter().filter(|(key, _)| *key != "project-url") {
        let values: Vec<&str> = of(key).collect();
        // Readers expect this list to be there.
        let absent = values.is_empty() && word != "classifiers";
        info.insert(word.to_owned(), if absent { Json::Null } else { json!(values) });
    }
    let urls: Map<String, Json> = of("project-url")
        .filter_map(|text| text.split_once(','))
        .map(|(label, url)| (label.trim().to_owned(), json!(url.trim())))
        .collect();
    info.insert("project_urls".to_owned(), if urls.is_empty() { Json::Null } else { Json::Object(urls) });
    if !body.trim().is_empty() {
        info.insert("description".to_owned(), if body.len() > SHOWN { Json::Null } else { json!(body) });
    }
    info
}
