//! What lies at `/repository/`: the repositories that the caller may read, as JSON for programs and HTML for people.

use std::fmt::Write as _;

use axum::Json as Answer;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, header};
use model::RepoKey;
use model::state::RepoKind;
use registry::{Call, Repository};
use serde::{Deserialize, Serialize};

use super::frame::{Frame, is_wanted};
use crate::api::page::{Page, Paging};
use crate::app::Asking;
use crate::edge::Query;
use crate::problem::Problem;
use crate::ui::escape;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RepositoriesQuery {
    format: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
    /// Whoever says so is asked for a token, though there is something that needs none.
    login: Option<String>,
}

/// A repository in the list, with the fields that children of folders have and its own.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RepositoryView {
    name: RepoKey,
    path: RepoKey,
    /// Always `repository`.
    kind: &'static str,
    format: String,
    repo_type: RepoKind,
    description: String,
}

fn view(repo: Repository) -> RepositoryView {
    RepositoryView {
        name: repo.key.clone(),
        path: repo.key,
        kind: "repository",
        format: repo.format,
        repo_type: repo.kind,
        description: repo.description,
    }
}

/// The list lies at the address with the slash; the way there is relative, as that to a repository.
pub(crate) async fn add_slash(parts: Parts) -> Result<Response, Problem> {
    super::found_at(format!("repository/{}", super::query_of(&parts)))
}

/// The repositories that the caller may read. Whoever has no token and may read none is asked for one.
pub(crate) async fn list(Asking(call): Asking, parts: Parts) -> Result<Response, Problem> {
    let query = Query::<RepositoriesQuery>::of(&parts.uri)?.0;
    let html = is_wanted(query.format.as_deref(), &parts)?;
    let paging = Paging::new(query.limit, query.cursor);
    let (limit, after) = (paging.limit()?, paging.after()?.unwrap_or_default());
    let readable = call.repositories(&after, limit + 1).await?;
    if query.login.is_some() || (readable.is_empty() && after.is_empty()) {
        call.identity()?;
    }
    let page = Page::cut(readable, limit, |repo| repo.key.to_string(), view);
    let mut response = if html { page_of(&call, &page) } else { Answer(&page).into_response() };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

fn page_of(call: &Call, page: &Page<RepositoryView>) -> Response {
    let mut rows = String::new();
    for RepositoryView { name, format, repo_type, description, .. } in &page.items {
        let _ = writeln!(
            rows,
            "<tr><td><a href=\"./{name}/\">{name}</a></td><td>{}</td><td>{repo_type}</td><td>{}</td></tr>",
            escape(format),
            escape(description)
        );
    }
    let note = match call.identity() {
        Ok(_) if page.items.is_empty() => "<p>There is no repository that your token may read.</p>\n",
        Ok(_) => "",
        Err(_) => "<p>These need no token. <a href=\"?login=yes\">Log in</a> to see those that yours may read.</p>\n",
    };
    let columns = &["Repository", "Format", "Kind", "Description"];
    let next = page.next_cursor.as_ref().map(|cursor| format!("cursor={cursor}"));
    Frame { title: "Repositories", up: ("../", "Artifortress"), note, columns, rows: &rows, next }.page()
}
