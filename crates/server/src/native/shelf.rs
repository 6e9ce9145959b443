//! What a person sees who opens a repository with a browser: its packages. Only where the format itself has nothing.

use std::fmt::Write as _;

use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, header};
use registry::{Grant, Package, Read};
use serde::Deserialize;

use super::frame::{Frame, time};
use crate::api::packages::{pair, written};
use crate::api::page::{Page, Paging};
use crate::edge::Query;
use crate::problem::Problem;
use crate::ui::escape;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShelfQuery {
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Whether a browser asks for the repository itself.
pub(super) fn is_asked_for(parts: &Parts, rest: &str) -> bool {
    let reads = matches!(parts.method, http::Method::GET | http::Method::HEAD);
    reads && rest.is_empty() && super::text(parts, &header::ACCEPT).is_some_and(|accept| accept.contains("text/html"))
}

/// The packages with their youngest versions.
pub(super) async fn show(grant: &Grant<Read>, parts: &Parts) -> Result<Response, Problem> {
    let query = Query::<ShelfQuery>::of(&parts.uri)?.0;
    let paging = Paging::new(query.limit, query.cursor);
    let limit = paging.limit()?;
    let after = pair(&paging)?;
    let found = grant.packages("", (&after.0, &after.1), limit + 1).await?;
    let page = Page::cut(found, limit, |package| written(&(&package.at.name, &package.at.namespace)), row);
    let repo = grant.repo();
    let note = format!(
        "<p>A repository of the format {}: <code>artifortress client-config {}</code> prints what its clients must be told.</p>\n",
        escape(&repo.format),
        escape(repo.key.as_str())
    );
    let columns = &["Package", "Latest version", "Published"];
    let (title, rows) = (format!("{}/", repo.key), page.items.concat());
    let next = page.next_cursor.as_ref().map(|cursor| format!("cursor={cursor}"));
    let up = ("../", "Repositories");
    let mut response = Frame { title: &title, up, note: &note, columns, rows: &rows, next }.page();
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

fn row(package: Package) -> String {
    let mut row = String::new();
    let (version, at) = match &package.latest {
        Some(latest) => (latest.version.as_str(), time(latest.published_at)),
        None => ("", String::new()),
    };
    let namespace = Some(&package.at.namespace).filter(|namespace| !namespace.is_empty());
    let name = namespace.map(|namespace| format!("{namespace} ")).unwrap_or_default() + &package.at.display_name;
    let _ = writeln!(row, "<tr><td>{}</td><td>{}</td><td>{at}</td></tr>", escape(&name), escape(version));
    row
}
