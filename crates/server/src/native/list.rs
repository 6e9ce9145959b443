//! Folder listings, as JSON for programs and HTML for people.

use std::fmt::Write as _;

use axum::Json as Answer;
use axum::response::{IntoResponse, Response};
use formats::Format;
use http::header;
use http::request::Parts;
use model::{EntryPath, Sha256Digest, Timestamp};
use registry::{Child, ChildKind, Grant, Read};
use serde::{Deserialize, Serialize};

use super::frame::{Frame, is_for_program, is_wanted, linked, published, size};
use crate::api::page::{Page, Paging};
use crate::edge::Query;
use crate::problem::Problem;
use crate::ui::escape;

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
    /// When it was published where it comes from.
    #[serde(skip)]
    told_at: Option<Timestamp>,
}

/// Answers with what is in `folder`.
pub(super) async fn list(
    grant: &Grant<Read>,
    format: &dyn Format,
    folder: Option<EntryPath>,
    parts: &Parts,
) -> Result<Response, Problem> {
    let query = Query::<ListQuery>::of(&parts.uri)?.0;
    let html = is_wanted(query.format.as_deref(), parts)?
        || query.format.is_none() && format.lists_pages() && !is_for_program(parts);
    // Clients that read pages do not turn them.
    let usual = (html && format.lists_pages()).then_some(Paging::MAX);
    let paging = Paging::new(query.limit.or(usual), query.cursor.clone());
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
        told_at: child.told_at,
    }
}

fn page_of_folder(grant: &Grant<Read>, folder: Option<&EntryPath>, page: &Page<ChildView>) -> Response {
    let title = format!("{}/{}", grant.repo().key, folder.map(|folder| format!("{folder}/")).unwrap_or_default());
    let mut rows = String::new();
    for child in &page.items {
        let slash = if child.kind == "folder" { "/" } else { "" };
        let (link, name) = (linked(&child.name), escape(&child.name));
        let size = child.size.map(size).unwrap_or_default();
        let at = published(child.told_at, child.modified_at);
        let _ =
            writeln!(rows, "<tr><td><a href=\"{link}{slash}\">{name}{slash}</a></td><td>{size}</td><td>{at}</td></tr>");
    }
    let up = ("../", if folder.is_some() { "The folder above" } else { "Repositories" });
    let next = page.next_cursor.as_ref().map(|cursor| format!("cursor={cursor}"));
    Frame { title: &title, up, note: "", columns: &["Name", "Size", "Published"], rows: &rows, next }.page()
}
