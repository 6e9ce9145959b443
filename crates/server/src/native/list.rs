//! Folder listings, as JSON for programs and HTML for people.

use std::fmt::Write as _;

use axum::Json as Answer;
use axum::response::{IntoResponse, Response};
use http::header;
use http::request::Parts;
use model::{EntryPath, Sha256Digest, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use registry::{Child, ChildKind, Grant, Read};
use serde::{Deserialize, Serialize};

use crate::api::page::{Page, Paging};
use crate::edge::Query;
use crate::problem::Problem;
use crate::ui::escape;

/// Everything but what URLs may hold plainly in a segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    format: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChildView {
    name: String,
    path: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<Sha256Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified_at: Option<Timestamp>,
}

/// Answers with what is in `folder`.
pub(super) async fn list(grant: &Grant<Read>, folder: Option<EntryPath>, parts: &Parts) -> Result<Response, Problem> {
    let query = Query::<ListQuery>::of(&parts.uri)?.0;
    let html = match query.format.as_deref() {
        Some("json") => false,
        Some("html") => true,
        Some(_) => return Err(Problem::bad_request("format is json or html").field("format", "json or html")),
        None => super::text(parts, &header::ACCEPT).is_some_and(|accept| accept.contains("text/html")),
    };
    let paging = Paging::new(query.limit, query.cursor.clone());
    let limit = paging.limit()?;
    let (folder, after) = (folder.as_ref(), paging.after()?);
    let children = grant.children(folder, after.as_deref(), limit + 1).await?;
    let page = Page::cut(children, limit, |child| child.cursor(), view);
    let mut response = if html { page_of_folder(grant, folder, &page) } else { Answer(&page).into_response() };
    let cache = super::moment::kept(grant).unwrap_or(http::HeaderValue::from_static("no-cache"));
    response.headers_mut().insert(header::CACHE_CONTROL, cache);
    response.headers_mut().insert(header::VARY, http::HeaderValue::from_static("Accept"));
    Ok(response)
}

fn view(child: Child) -> ChildView {
    ChildView {
        kind: match child.kind {
            ChildKind::File => "file",
            ChildKind::Folder => "folder",
        },
        name: child.name,
        path: child.path,
        size: child.size,
        sha256: child.sha256,
        modified_at: child.modified_at,
    }
}

fn page_of_folder(grant: &Grant<Read>, folder: Option<&EntryPath>, page: &Page<ChildView>) -> Response {
    let title = format!("{}/{}", grant.repo().key, folder.map(|folder| format!("{folder}/")).unwrap_or_default());
    let mut rows = String::new();
    if folder.is_some() {
        rows.push_str("<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
    }
    for child in &page.items {
        let slash = if child.kind == "folder" { "/" } else { "" };
        let link = utf8_percent_encode(&child.name, SEGMENT);
        let size = child.size.map(|size| size.to_string()).unwrap_or_default();
        let at = child.modified_at.map(|at| at.to_string()).unwrap_or_default();
        let name = escape(&child.name);
        let _ = writeln!(
            rows,
            "<tr><td><a href=\"./{link}{slash}\">{name}{slash}</a></td><td>{size}</td><td>{at}</td></tr>"
        );
    }
    framed(&title, ["Name", "Bytes", "Published"], &rows, page.next_cursor.as_deref(), "")
}

/// A page with a table and the way to the rest of it. `title` is text; `rows` and `note` are markup.
pub(super) fn framed(title: &str, columns: [&str; 3], rows: &str, next: Option<&str>, note: &str) -> Response {
    let more = next.map(|cursor| format!("<p><a href=\"?cursor={cursor}\">more</a></p>\n")).unwrap_or_default();
    let head = columns.map(|column| format!("<th>{column}</th>")).concat();
    let title = escape(title);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title>\
         <link rel=\"stylesheet\" href=\"/assets/page.css\">\
         <link rel=\"icon\" type=\"image/svg+xml\" href=\"/assets/icon.svg\"></head>\n<body><main>\n<h1>{title}</h1>\n\
         {note}<table>\n<tr>{head}</tr>\n{rows}</table>\n{more}</main></body>\n</html>\n"
    );
    crate::ui::page(html)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(escape("<script>\"x'&"), "&lt;script&gt;&quot;x&#39;&amp;");
        assert_eq!(utf8_percent_encode("a b\"<>#?/", SEGMENT).to_string(), "a%20b%22%3C%3E%23%3F%2F");
    }
}
