//! The simple index, as JSON and as HTML.
//!
//! Source: the simple repository API, version 1.3.

use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Value as Json, json};

use super::upload::Kept;
use super::{HTML, JSON};
use crate::{Document, FileFacts, Head, Listed, Site, VersionFacts, View};

/// The version of the API that we answer with.
const VERSION: &str = "1.3";

/// The archives of a version, with what is kept of each.
pub(super) fn archives(version: &VersionFacts) -> impl Iterator<Item = (&FileFacts, Kept)> {
    let kept = |file: &FileFacts| serde_json::from_str::<Kept>(file.attributes.as_deref()?).ok();
    version.files.iter().filter_map(move |file| Some((file, kept(file)?)))
}

/// Where a file is, seen from the index of its project.
fn relative(file: &FileFacts) -> String {
    format!("../../{}", quoted(&file.location))
}

/// The path as it stands in an address.
pub(super) fn quoted(location: &str) -> String {
    // Some clients take a plus for a space.
    location.replace('+', "%2B")
}

/// The files of a version, separated by commas; `None`: it is not shown.
pub(super) fn json(version: &VersionFacts, site: &Site<'_>) -> Option<Vec<u8>> {
    let files: Vec<String> = archives(version).map(|(file, kept)| file_json(version, file, &kept, site)).collect();
    (!files.is_empty() && !version.head.unlisted).then(|| files.join(",").into_bytes())
}

/// What is not so is left out. So is the name that `core-metadata` had before (PEP 714): pip 22.3 to 23.1, among them that of
/// Debian 12, ends with an exception where it is there and no text.
fn file_json(version: &VersionFacts, file: &FileFacts, kept: &Kept, site: &Site<'_>) -> String {
    let or_true = |text: &str, told: Json| if text.is_empty() { Json::Bool(true) } else { told };
    let provenance = || json!(format!("{}/{}.provenance", site.base, quoted(&file.location)));
    let fields = [
        ("filename", Some(json!(file.path))),
        ("url", Some(json!(relative(file)))),
        ("hashes", Some(hashes(file))),
        ("requires-python", kept.requires_python.as_ref().map(|versions| json!(versions))),
        ("yanked", why_yanked(version, file).map(|why| or_true(why, json!(why)))),
        ("core-metadata", kept.metadata.as_ref().map(|sha256| or_true(sha256, json!({"sha256": sha256})))),
        ("gpg-sig", kept.signed.then_some(Json::Bool(true))),
        ("provenance", kept.attested.then(provenance)),
        ("size", file.size.map(|size| json!(size))),
        ("upload-time", file.added_at.map(|at| json!(at))),
    ];
    let told = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Json::Object(told.collect()).to_string()
}

/// Why a file is yanked: itself, or its whole version.
pub(super) fn why_yanked<'f>(version: &'f VersionFacts, file: &'f FileFacts) -> Option<&'f str> {
    file.yanked.as_deref().or(version.head.yanked.as_deref())
}

/// The digests of a file; none where an upstream tells of none.
fn hashes(file: &FileFacts) -> Json {
    file.digest.map_or_else(|| json!({}), |digest| json!({"sha256": digest}))
}

/// The index of a project as JSON.
pub(super) fn json_page(head: &Head, parts: &[Option<Arc<[u8]>>]) -> Option<Document> {
    let shown = head.versions.iter().zip(parts).filter(|(_, part)| part.is_some());
    let versions: Vec<&str> = shown.map(|(version, _)| version.version.as_str()).collect();
    let files: Vec<&str> = parts.iter().flatten().filter_map(|part| std::str::from_utf8(part).ok()).collect();
    let files = RawValue::from_string(format!("[{}]", files.join(","))).ok()?;
    let (name, files) = (serde_json::to_string(&head.name).ok()?, files.get());
    let versions = serde_json::to_string(&versions).ok()?;
    let body = format!(
        "{{\"meta\":{{\"api-version\":\"{VERSION}\"}},\"name\":{name},\"versions\":{versions},\"files\":{files}}}"
    );
    Some(Document { media_type: media_type(JSON), body: body.into_bytes() })
}

/// The files of a version, a line each; `None`: it is not shown.
pub(super) fn html(version: &VersionFacts, site: &Site<'_>) -> Option<Vec<u8>> {
    let lines: String = archives(version).map(|(file, kept)| anchor(version, file, &kept, site)).collect();
    (!lines.is_empty() && !version.head.unlisted).then(|| lines.into_bytes())
}

fn anchor(version: &VersionFacts, file: &FileFacts, kept: &Kept, site: &Site<'_>) -> String {
    let mut more = String::new();
    let mut add = |name: &str, value: &str| more.push_str(&format!(" {name}=\"{}\"", escaped(value)));
    if let Some(versions) = &kept.requires_python {
        add("data-requires-python", versions);
    }
    if let Some(sha256) = &kept.metadata {
        let told = if sha256.is_empty() { "true".to_owned() } else { format!("sha256={sha256}") };
        add("data-core-metadata", &told);
    }
    if let Some(why) = why_yanked(version, file) {
        add("data-yanked", why);
    }
    if kept.signed {
        add("data-gpg-sig", "true");
    }
    if kept.attested {
        add("data-provenance", &format!("{}/{}.provenance", site.base, quoted(&file.location)));
    }
    let (there, name) = (relative(file), escaped(&file.path));
    let digest = file.digest.map(|digest| format!("#sha256={digest}")).unwrap_or_default();
    format!("<a href=\"{}{digest}\"{more}>{name}</a><br>\n", escaped(&there))
}

/// The index of a project as HTML.
pub(super) fn html_page(view: View, head: &Head, parts: &[Option<Arc<[u8]>>]) -> Document {
    let lines: Vec<u8> = parts.iter().flatten().flat_map(|part| part.iter().copied()).collect();
    page(view, &format!("Links for {}", escaped(&head.display)), &lines)
}

/// All projects.
pub(super) fn list(view: View, packages: &[Listed]) -> Document {
    if view == JSON {
        let projects: Vec<_> = packages.iter().map(|package| json!({"name": package.display})).collect();
        let body = json!({"meta": {"api-version": VERSION}, "projects": projects}).to_string().into_bytes();
        return Document { media_type: media_type(view), body };
    }
    let line = |package: &Listed| format!("<a href=\"{}/\">{}</a><br>\n", package.name, escaped(&package.display));
    page(view, "Projects", packages.iter().map(line).collect::<String>().as_bytes())
}

fn page(view: View, title: &str, lines: &[u8]) -> Document {
    let head = format!(
        "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"pypi:repository-version\" content=\"{VERSION}\">\n<title>{title}</title>\n</head>\n<body>\n\
         <h1>{title}</h1>\n"
    );
    let body = [head.as_bytes(), lines, b"</body>\n</html>\n"].concat();
    Document { media_type: media_type(view), body }
}

fn media_type(view: View) -> &'static str {
    match view {
        JSON => "application/vnd.pypi.simple.v1+json",
        HTML => "application/vnd.pypi.simple.v1+html",
        _ => "text/html; charset=utf-8",
    }
}

/// Text that stands between tags or quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
