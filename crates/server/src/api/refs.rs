//! Refs: names that move from version to version.

use axum::Json as Answer;
use http::StatusCode;
use model::{RefId, RefName, Role, Timestamp, VersionId};
use registry::{Expected, Read, Ref, Write};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::access::Repo;
use super::endpoint::{Access, Endpoint, delete, get, put};
use super::names::package_name;
use super::page::{Page, Paging};
use crate::edge::{Json, Query};
use crate::problem::Problem;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/repos/{repo}/refs", Access::Repo(Role::Read), list)
            .summary("The refs of a package")
            .query("package", "its name")
            .query("namespace", "its namespace, where the name is without it")
            .pages()
            .answers::<Page<RefView>>(StatusCode::OK),
        put("/v1/repos/{repo}/refs", Access::Repo(Role::Write), set)
            .summary("Point a ref at a published version, compared with where it points now")
            .takes::<RefBody>()
            .answers::<RefView>(StatusCode::OK),
        delete("/v1/repos/{repo}/refs", Access::Repo(Role::Write), end)
            .summary("Remove a ref, compared with where it points now; its history stays")
            .query("package", "its name")
            .query("namespace", "its namespace, where the name is without it")
            .query("name", "the ref's name")
            .query("expectedVersionId", "where it must point now; absent: wherever")
            .answers_nothing(StatusCode::NO_CONTENT),
        get("/v1/repos/{repo}/refs/history", Access::Repo(Role::Read), history)
            .summary("Where a ref pointed, youngest first")
            .query("package", "its name")
            .query("namespace", "its namespace, where the name is without it")
            .query("name", "the ref's name")
            .pages()
            .answers::<Page<RefView>>(StatusCode::OK),
    ]
}

/// A ref, or where it once pointed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefView {
    name: String,
    #[schema(value_type = String)]
    version_id: VersionId,
    version: String,
    by_subject: String,
    #[schema(value_type = String)]
    since_utc: Timestamp,
    /// Absent while it is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    until_utc: Option<Timestamp>,
}

impl RefView {
    pub(super) fn of(found: Ref) -> Self {
        Self {
            name: found.name,
            version_id: found.version,
            version: found.version_name,
            by_subject: found.by,
            since_utc: found.from,
            until_utc: found.to,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefsQuery {
    package: String,
    #[serde(default)]
    namespace: String,
    limit: Option<u32>,
    cursor: Option<String>,
}

async fn list(Repo(grant): Repo<Read>, Query(query): Query<RefsQuery>) -> Result<Answer<Page<RefView>>, Problem> {
    let paging = Paging::new(query.limit, query.cursor);
    let limit = paging.limit()?;
    let after = paging.after()?.unwrap_or_default();
    let (namespace, package) = grant.package_meant(query.namespace, package_name("package", &query.package)?)?;
    let found = grant.refs(&namespace, &package, &after, limit + 1).await?;
    Ok(Answer(Page::cut(found, limit, |found| found.name.clone(), RefView::of)))
}

/// A ref to be moved.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RefBody {
    name: String,
    #[schema(value_type = String)]
    version_id: VersionId,
    /// Where it must point now; null: it must not exist; absent: wherever.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    expected_version_id: Option<Option<VersionId>>,
}

/// Tells null from absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<VersionId>>, D::Error> {
    Option::<VersionId>::deserialize(deserializer).map(Some)
}

async fn set(Repo(grant): Repo<Write>, Json(body): Json<RefBody>) -> Result<Answer<RefView>, Problem> {
    let expected = match body.expected_version_id {
        None => Expected::Anything,
        Some(None) => Expected::Nothing,
        Some(Some(version)) => Expected::Version(version),
    };
    let found = grant.put_ref(ref_name(&body.name)?, body.version_id, expected).await?;
    Ok(Answer(RefView::of(found)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EndQuery {
    package: String,
    #[serde(default)]
    namespace: String,
    name: String,
    expected_version_id: Option<VersionId>,
}

async fn end(Repo(grant): Repo<Write>, Query(query): Query<EndQuery>) -> Result<StatusCode, Problem> {
    let (namespace, package) = grant.package_meant(query.namespace, package_name("package", &query.package)?)?;
    let name = ref_name(&query.name)?;
    grant.end_ref(&namespace, &package, name, query.expected_version_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn ref_name(text: &str) -> Result<RefName, Problem> {
    RefName::parse(text).map_err(|error| Problem::bad_request(error.to_string()).field("name", error.to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    package: String,
    #[serde(default)]
    namespace: String,
    name: String,
    limit: Option<u32>,
    cursor: Option<String>,
}

async fn history(Repo(grant): Repo<Read>, Query(query): Query<HistoryQuery>) -> Result<Answer<Page<RefView>>, Problem> {
    let paging = Paging::new(query.limit, query.cursor);
    let limit = paging.limit()?;
    let parse = |text: String| text.parse::<RefId>().map_err(|_| Problem::bad_request("this is not a cursor of ours"));
    let before = paging.after()?.map(parse).transpose()?;
    let (namespace, package) = grant.package_meant(query.namespace, package_name("package", &query.package)?)?;
    let name = ref_name(&query.name)?;
    let found = grant.ref_history(&namespace, &package, &name, before, limit + 1).await?;
    Ok(Answer(Page::cut(found, limit, |found| found.id.to_string(), RefView::of)))
}
