//! What a person sees who opens a repository with a browser: its packages, and the versions of each. Only where the format
//! itself has nothing.

use std::fmt::Write as _;

use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, header};
use model::VersionId;
use model::state::{RepoKind, VersionState};
use registry::{Grant, Listed, OnShelf, Read};
use serde::Deserialize;

use super::frame::{Frame, is_for_browser, linked, published, size};
use crate::api::names::package_name;
use crate::api::packages::{pair, written};
use crate::api::page::{Page, Paging};
use crate::edge::Query;
use crate::problem::Problem;
use crate::ui::escape;

/// Characters of a digest that tell it apart well enough for people, with its algorithm.
const SHORT: usize = 19;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShelfQuery {
    /// The package whose versions are shown; absent: all packages.
    package: Option<String>,
    #[serde(default)]
    namespace: String,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Whether a browser asks for the repository itself.
pub(super) fn is_asked_for(parts: &Parts, rest: &str) -> bool {
    let reads = matches!(parts.method, http::Method::GET | http::Method::HEAD);
    reads && rest.is_empty() && is_for_browser(parts)
}

/// The packages with their youngest versions, or the versions of one.
pub(super) async fn show(grant: &Grant<Read>, parts: &Parts) -> Result<Response, Problem> {
    let query = Query::<ShelfQuery>::of(&parts.uri)?.0;
    let paging = Paging::new(query.limit, query.cursor);
    let mut response = match query.package {
        Some(package) => versions(grant, &query.namespace, &package, &paging).await?,
        None => packages(grant, &paging).await?,
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

async fn packages(grant: &Grant<Read>, paging: &Paging) -> Result<Response, Problem> {
    let (limit, after) = (paging.limit()?, pair(paging)?);
    let found = grant.shelf((&after.0, &after.1), limit + 1).await?;
    let links = grant.instant().is_none();
    let page = Page::cut(found, limit, |one| written(&(&one.at.name, &one.at.namespace)), |one| row(&one, links));
    let repo = grant.repo();
    let note = format!(
        "<p>A repository of the format {}: <code>artifortress client-config {}</code> prints what its clients must be told.</p>\n",
        escape(&repo.format),
        escape(repo.key.as_str())
    );
    let columns = &["Package", "Newest version", "Published"];
    let (title, rows) = (format!("{}/", repo.key), page.items.concat());
    let next = page.next_cursor.as_ref().map(|cursor| format!("cursor={cursor}"));
    let up = ("../", "Repositories");
    Ok(Frame { title: &title, up, note: &note, columns, rows: &rows, next }.page())
}

fn row(one: &OnShelf, links: bool) -> String {
    let namespace = Some(&one.at.namespace).filter(|namespace| !namespace.is_empty());
    let name = escape(&(namespace.map(|namespace| format!("{namespace} ")).unwrap_or_default() + &one.at.display_name));
    let name = if links { format!("<a href=\"?{}\">{name}</a>", of(&one.at.namespace, &one.at.name)) } else { name };
    let at = published(one.told_at, Some(one.here_since));
    format!("<tr><td>{name}</td><td>{}</td><td>{at}</td></tr>\n", newest(&one.version, &one.refs))
}

/// The query of the page of a package, markup.
fn of(namespace: &str, package: &str) -> String {
    let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
    let namespace = namespace.map(|namespace| format!("&amp;namespace={}", linked(namespace))).unwrap_or_default();
    format!("package={}{namespace}", linked(package))
}

/// A version with what points at it. A digest says less than that.
fn newest(version: &str, refs: &[String]) -> String {
    let refs = escape(&refs.join(", "));
    let short = match version.get(..SHORT).filter(|_| version.contains(':')) {
        Some(short) => format!("<code title=\"{}\">{}…</code>", escape(version), escape(short)),
        None => escape(version),
    };
    match (refs.is_empty(), version.contains(':')) {
        (true, _) => short,
        (false, true) => format!("{refs} <span class=\"about\">{short}</span>"),
        (false, false) => format!("{short} <span class=\"about\">({refs})</span>"),
    }
}

async fn versions(grant: &Grant<Read>, namespace: &str, package: &str, paging: &Paging) -> Result<Response, Problem> {
    if grant.instant().is_some() {
        return Err(Problem::bad_request("the versions of a package are listed as of now alone"));
    }
    let refused = || Problem::bad_request("this is not a cursor of ours").field("cursor", "not from a page of ours");
    let before = paging.after()?.map(|text| text.parse::<VersionId>().map_err(|_| refused())).transpose()?;
    let limit = paging.limit()?;
    let found = grant.versions(namespace, &package_name("package", package)?, before, limit + 1).await?;
    let title = found.first().map_or(package, |one| &one.version.at.display_name).to_owned();
    let page = Page::cut(found, limit, |one| one.version.id.to_string(), |one| version_row(&one));
    // Of what comes from elsewhere, what was fetched of it.
    let size = if grant.repo().kind == RepoKind::Local { "Size" } else { "Size here" };
    let columns = &["Version", "Tags and marks", "Published", size];
    let next = page.next_cursor.as_ref().map(|cursor| format!("{}&amp;cursor={cursor}", of(namespace, package)));
    let (key, rows) = (&grant.repo().key, page.items.concat());
    Ok(Frame { title: &title, up: ("./", key.as_str()), note: "", columns, rows: &rows, next }.page())
}

fn version_row(one: &Listed) -> String {
    let name = escape(&one.version.version);
    let name = if name.contains(':') { format!("<code>{name}</code>") } else { name };
    let mut beside = one.refs.clone();
    beside.extend(one.marks.iter().map(ToString::to_string));
    if one.version.state != VersionState::Published {
        beside.push(one.version.state.to_string());
    }
    let mut row = String::new();
    let _ = writeln!(
        row,
        "<tr><td>{name}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
        escape(&beside.join(", ")),
        published(one.told_at, one.version.published_at),
        size(one.size)
    );
    row
}
