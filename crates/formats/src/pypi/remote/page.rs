//! The index of a project as HTML.
//!
//! Source: the simple repository API, "HTML Serialization".

use percent_encoding::percent_decode_str;
use url::Url;

use super::tags::{Tag, Tags};
use super::{File, Index, MOST, sum, too_many};
use crate::links::Links;
use crate::pypi::names::normal;
use crate::{Said, Unreadable};

/// The attributes that are looked at.
const ATTRIBUTES: [&str; 9] = [
    "href",
    "name",
    "content",
    "data-requires-python",
    "data-core-metadata",
    "data-dist-info-metadata",
    "data-yanked",
    "data-gpg-sig",
    "data-provenance",
];

/// Reads the index of the project of this normalised name.
pub(super) fn read(said: Said<'_>, project: &str) -> Result<Index, Unreadable> {
    let odd = |what: &str| Unreadable(format!("the index of {project} {what}"));
    let mut links = Links::of(said.address)?;
    let (mut files, mut version, mut anchors, mut own) = (Vec::new(), None, 0u32, false);
    for tag in Tags::of(said.body, &ATTRIBUTES) {
        if tag.is("base") {
            tag.get("href").iter().for_each(|href| links.rebase(href));
        } else if tag.is("meta") && tag.get("name").as_deref() == Some("pypi:repository-version") {
            version = version.or(tag.get("content"));
        } else if tag.is("a")
            && let Some(href) = tag.get("href")
        {
            anchors = anchors.saturating_add(1);
            // Most of what is on other pages goes no further.
            if !last(&href).is_some_and(|name| normal(&name).starts_with(project)) {
                continue;
            }
            own = true;
            files.extend(links.follow(href.trim()).and_then(|url| file(&tag, url, &links)));
            if files.len() > MOST {
                return Err(too_many(project));
            }
        }
    }
    super::expect_version(version.as_deref().unwrap_or("1.0"), project)?;
    // An error page or the page of another project is no project without files.
    if !own && (version.is_none() || anchors > 0) {
        return Err(odd("is a page without a file of the project"));
    }
    Ok(Index { display: project.to_owned(), files })
}

/// The name of the file that a link leads to.
fn last(link: &str) -> Option<String> {
    let path = link.split(['#', '?']).next()?;
    let name = path.rsplit('/').next()?;
    percent_decode_str(name).decode_utf8().ok().map(|name| name.trim().to_owned())
}

fn file(tag: &Tag<'_>, url: Url, links: &Links) -> Option<File> {
    let fragment = url.fragment().unwrap_or_default().to_owned();
    let sums =
        fragment.split('&').filter_map(|part| part.split_once('=')).filter_map(|(word, digits)| sum(word, digits));
    let metadata = tag.get("data-core-metadata").or_else(|| tag.get("data-dist-info-metadata"));
    Some(File {
        name: last(url.path())?,
        sums: sums.collect::<Option<_>>()?,
        size: None,
        published_at: None,
        requires_python: tag.get("data-requires-python"),
        metadata: metadata.and_then(|told| self::metadata(&told)),
        signed: tag.get("data-gpg-sig").as_deref() == Some("true"),
        provenance: tag.get("data-provenance").and_then(|link| links.follow(&link)),
        yanked: tag.get("data-yanked"),
        url,
    })
}

/// The SHA-256 of the metadata file, as `sha256=…`; empty where only another digest, or none, is told.
fn metadata(told: &str) -> Option<String> {
    match told.split_once('=') {
        Some(("sha256", digits)) => Some(digits.to_ascii_lowercase()),
        Some(_) => Some(String::new()),
        None => (told == "true").then(String::new),
    }
}
