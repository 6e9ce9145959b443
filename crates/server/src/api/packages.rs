//! Packages and versions by name, and search.

use axum::Json as Answer;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use model::state::MarkKind;
use model::{RepoKey, Role, Timestamp, VersionId, VersionName};
use registry::{Listed, Package, Read, SearchCursor, SearchQuery};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::Repo;
use super::endpoint::{Access, Endpoint, get};
use super::names::package_name;
use super::page::{Page, Paging};
use super::versions::VersionView;
use crate::app::Asking;
use crate::edge::Query;
use crate::problem::Problem;

const READ: Access = Access::Repo(Role::Read);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/repos/{repo}/packages", READ, packages)
            .summary("Packages in the order of their names")
            .query("q", "how the name begins")
            .query("prefix", "how the name begins")
            .pages()
            .answers::<Page<PackageView>>(StatusCode::OK),
        get("/v1/repos/{repo}/packages/versions", READ, versions)
            .summary("Versions of a package, youngest first")
            .query("package", "its name, `group:artifact` where names have a namespace")
            .query("namespace", "its namespace, where the name is without it")
            .pages()
            .answers::<Page<ListedView>>(StatusCode::OK),
        get("/v1/repos/{repo}/packages/versions/resolve", READ, resolve)
            .summary("The version with exactly this name")
            .query("name", "the package's name, `group:artifact` where names have a namespace")
            .query("namespace", "its namespace, where the name is without it")
            .query("version", "the version's name")
            .answers::<VersionView>(StatusCode::OK),
        get("/v1/repos/{repo}/search/packages", READ, search_here)
            .summary("Packages of a repository whose name begins with q")
            .query("q", "how the name begins")
            .pages()
            .answers::<Page<PackageView>>(StatusCode::OK),
        get("/v1/search", Access::Token, search)
            .summary("Packages of all repositories that you may read whose name begins with q")
            .query("q", "how the name begins")
            .query("repo", "only in this repository")
            .query("format", "only packages of this format")
            .pages()
            .answers::<Page<FoundView>>(StatusCode::OK),
    ]
}

/// A package.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PackageView {
    package_type: String,
    package_namespace: Option<String>,
    package_name: String,
    #[schema(value_type = String)]
    created_at_utc: Timestamp,
    /// The youngest published version.
    latest_version: Option<String>,
    #[schema(value_type = Option<String>)]
    latest_version_id: Option<VersionId>,
    #[schema(value_type = Option<String>)]
    latest_published_at_utc: Option<Timestamp>,
}

fn package_view(package: Package) -> PackageView {
    let latest = package.latest;
    PackageView {
        package_type: package.at.kind,
        package_namespace: Some(package.at.namespace).filter(|namespace| !namespace.is_empty()),
        package_name: package.at.display_name,
        created_at_utc: package.created_at,
        latest_version_id: latest.as_ref().map(|latest| latest.id),
        latest_published_at_utc: latest.as_ref().map(|latest| latest.published_at),
        latest_version: latest.map(|latest| latest.version),
    }
}

/// Name prefix and paging.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PackagesQuery {
    q: Option<String>,
    prefix: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

async fn packages(
    Repo(grant): Repo<Read>,
    Query(query): Query<PackagesQuery>,
) -> Result<Answer<Page<PackageView>>, Problem> {
    let prefix = match (query.q, query.prefix) {
        (Some(_), Some(_)) => return Err(Problem::bad_request("q and prefix mean the same: give one")),
        (one, other) => one.or(other).unwrap_or_default(),
    };
    let paging = Paging::new(query.limit, query.cursor);
    let limit = paging.limit()?;
    let after: (String, String) = pair(&paging)?;
    let found = grant.packages(&prefix, (&after.0, &after.1), limit + 1).await?;
    Ok(Answer(Page::cut(found, limit, |package| written(&(&package.at.name, &package.at.namespace)), package_view)))
}

/// The name and namespace that a list of packages goes on after.
pub(crate) fn pair(paging: &Paging) -> Result<(String, String), Problem> {
    let Some(text) = paging.after()? else { return Ok(Default::default()) };
    serde_json::from_str(&text)
        .map_err(|_| Problem::bad_request("this is not a cursor of ours").field("cursor", "not from nextCursor"))
}

/// What [`pair`] reads.
pub(crate) fn written(cursor: &impl Serialize) -> String {
    serde_json::to_string(cursor).unwrap_or_default()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchHereQuery {
    q: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

async fn search_here(
    grant: Repo<Read>,
    Query(query): Query<SearchHereQuery>,
) -> Result<Answer<Page<PackageView>>, Problem> {
    let SearchHereQuery { q, limit, cursor } = query;
    packages(grant, Query(PackagesQuery { q, prefix: None, limit, cursor })).await
}

/// A package by name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionsQuery {
    package: String,
    #[serde(default)]
    namespace: String,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// A version in a list.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ListedView {
    #[serde(flatten)]
    version: VersionView,
    /// The refs that point at it, such as the tags of an image: the first 20.
    ref_names: Vec<String>,
    /// The marks in force: `yanked`, `deprecated`, `unlisted`.
    #[schema(value_type = Vec<String>)]
    mark_kinds: Vec<MarkKind>,
}

impl ListedView {
    fn of(listed: Listed) -> Self {
        let version = VersionView::lying_in(listed.repo, listed.version);
        Self { version, ref_names: listed.refs, mark_kinds: listed.marks }
    }
}

async fn versions(
    Repo(grant): Repo<Read>,
    Query(query): Query<VersionsQuery>,
) -> Result<Answer<Page<ListedView>>, Problem> {
    let paging = Paging::new(query.limit, query.cursor);
    let limit = paging.limit()?;
    let parse =
        |text: String| text.parse::<VersionId>().map_err(|_| Problem::bad_request("this is not a cursor of ours"));
    let before = paging.after()?.map(parse).transpose()?;
    let (namespace, name) = grant.package_meant(query.namespace, package_name("package", &query.package)?)?;
    let found = grant.versions(&namespace, &name, before, limit + 1).await?;
    Ok(Answer(Page::cut(found, limit, |listed| listed.version.id.to_string(), ListedView::of)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResolveQuery {
    name: String,
    #[serde(default)]
    namespace: String,
    version: String,
}

async fn resolve(Repo(grant): Repo<Read>, Query(query): Query<ResolveQuery>) -> Result<Answer<VersionView>, Problem> {
    let version = VersionName::parse(&query.version)
        .map_err(|error| Problem::bad_request(error.to_string()).field("version", error.to_string()))?;
    let (namespace, name) = grant.package_meant(query.namespace, package_name("name", &query.name)?)?;
    let (repo, found) = grant.resolve(&namespace, &name, &version).await?;
    Ok(Answer(VersionView::lying_in(repo, found)))
}

/// A package and where it is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct FoundView {
    #[schema(value_type = String)]
    repo_key: RepoKey,
    #[serde(flatten)]
    package: PackageView,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchQueryView {
    q: Option<String>,
    repo: Option<String>,
    format: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

async fn search(
    Asking(call): Asking,
    Query(query): Query<SearchQueryView>,
) -> Result<Answer<Page<FoundView>>, Problem> {
    call.identity()?;
    let paging = Paging::new(query.limit, query.cursor);
    let repos = match query.repo {
        None => Vec::new(),
        Some(text) => vec![
            RepoKey::parse(&text)
                .map_err(|error| Problem::bad_request(error.to_string()).field("repo", error.to_string()))?,
        ],
    };
    let wanted =
        SearchQuery { prefix: query.q.unwrap_or_default(), repos, format: query.format, limit: paging.limit()? };
    let cursor: Option<SearchCursor> = match paging.after()? {
        None => None,
        Some(text) => {
            Some(serde_json::from_str(&text).map_err(|_| Problem::bad_request("this is not a cursor of ours"))?)
        }
    };
    let (found, next) = call.search(&wanted, cursor.as_ref()).await?;
    let items = found
        .into_iter()
        .map(|found| FoundView { repo_key: found.repo, package: package_view(found.package) })
        .collect();
    Ok(Answer(Page { items, next_cursor: next.map(|next| URL_SAFE_NO_PAD.encode(written(&next))) }))
}
