//! Why something is kept out of a repository, and letting it in for a while.

use axum::Json as Answer;
use http::StatusCode;
use model::{EntryPath, Role, Timestamp, VersionName, WaiverId};
use registry::{Admin, Explanation, Judged, NewWaiver, Question, Read, Rule, Waiver};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::Repo;
use super::endpoint::{Access, Endpoint, delete, get, post};
use super::names::package_name;
use super::page::{Page, Paging};
use crate::edge::{Json, Path, Query};
use crate::problem::Problem;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/repos/{repo}/explain", Access::Repo(Role::Read), explain)
            .summary("What the rules say of a package, a version or a file, and who can waive it")
            .query("name", "a package's name, `group:artifact` where names have a namespace")
            .query("version", "one version of it; absent: all of them")
            .query("path", "or the path of a file in the repository, perhaps after a slash")
            .answers::<ExplainView>(StatusCode::OK),
        get("/v1/repos/{repo}/waivers", Access::Repo(Role::Admin), list)
            .summary("Waivers, youngest first, those that have ended too")
            .pages()
            .answers::<Page<WaiverView>>(StatusCode::OK),
        post("/v1/repos/{repo}/waivers", Access::Repo(Role::Admin), waive)
            .summary("Let in for a while what rules block or find too young; claims stay")
            .takes::<WaiverBody>()
            .answers::<WaiverView>(StatusCode::CREATED),
        delete("/v1/repos/{repo}/waivers/{waiver}", Access::Repo(Role::Admin), end)
            .summary("End a waiver before its time")
            .answers_nothing(StatusCode::NO_CONTENT),
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExplainQuery {
    name: Option<String>,
    version: Option<String>,
    path: Option<String>,
}

/// What the rules say.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ExplainView {
    name: String,
    version: Option<String>,
    /// When the upstream says that it was published; of an image, since when it is known here.
    #[schema(value_type = Option<String>)]
    published_at_utc: Option<Timestamp>,
    /// `allow`, `deny` (also of what was withdrawn), or `hide`: as if the upstream had no such thing.
    verdict: &'static str,
    detail: String,
    /// When the verdict may become another one by itself.
    #[schema(value_type = Option<String>)]
    until_utc: Option<Timestamp>,
    /// Who can waive what keeps it out, or restore what was withdrawn; null: nothing does, it is claimed, or nobody can.
    lifted_by: Option<String>,
    /// Every rule in its order, and what it says by itself.
    rules: Vec<JudgedView>,
    /// Waivers in force for the package.
    waivers: Vec<WaiverView>,
    /// Where no version was asked for: those that are kept out.
    kept_out: Vec<KeptOutView>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct JudgedView {
    #[schema(value_type = Object)]
    rule: Rule,
    /// `allow`, `deny` or `hide`; null: it does not match.
    says: Option<&'static str>,
    /// Whether it decides.
    decides: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeptOutView {
    version: String,
    detail: String,
}

impl ExplainView {
    fn of(found: Explanation) -> Self {
        let judged = |Judged { rule, says, decides }| JudgedView { rule, says, decides };
        let kept_out = |(version, detail)| KeptOutView { version, detail };
        Self {
            name: found.name,
            version: found.version,
            published_at_utc: found.published_at,
            verdict: found.verdict,
            detail: found.detail,
            until_utc: found.until,
            lifted_by: found.lifted_by,
            rules: found.rules.into_iter().map(judged).collect(),
            waivers: found.waivers.into_iter().map(WaiverView::of).collect(),
            kept_out: found.kept_out.into_iter().map(kept_out).collect(),
        }
    }
}

async fn explain(Repo(grant): Repo<Read>, Query(query): Query<ExplainQuery>) -> Result<Answer<ExplainView>, Problem> {
    let question = match (query.name, query.path) {
        (Some(name), None) => Question::Package(package_name("name", &name)?, query.version),
        (None, Some(path)) if query.version.is_none() => {
            let path = EntryPath::parse(path.strip_prefix('/').unwrap_or(&path));
            Question::Path(
                path.map_err(|error| Problem::bad_request(error.to_string()).field("path", error.to_string()))?,
            )
        }
        _ => return Err(Problem::bad_request("either name, perhaps with version, or path must be given")),
    };
    Ok(Answer(ExplainView::of(grant.explain(question).await?)))
}

/// A waiver to be given.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WaiverBody {
    /// The package's name, `group:artifact` where names have a namespace.
    package: String,
    /// One version; absent: all of them.
    version: Option<String>,
    /// Why: for those who read the journal.
    reason: String,
    /// When it ends, at most 90 days from now.
    #[schema(value_type = String)]
    until: Timestamp,
}

/// A waiver.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WaiverView {
    #[schema(value_type = String)]
    waiver_id: WaiverId,
    package: String,
    version: Option<String>,
    reason: String,
    by_subject: String,
    #[schema(value_type = String)]
    created_at_utc: Timestamp,
    #[schema(value_type = String)]
    until_utc: Timestamp,
    /// When it was ended before that.
    #[schema(value_type = Option<String>)]
    ended_at_utc: Option<Timestamp>,
}

impl WaiverView {
    fn of(waiver: Waiver) -> Self {
        Self {
            waiver_id: waiver.id,
            package: waiver.package,
            version: waiver.version,
            reason: waiver.reason,
            by_subject: waiver.by,
            created_at_utc: waiver.created_at,
            until_utc: waiver.until,
            ended_at_utc: waiver.ended_at,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    limit: Option<u32>,
    cursor: Option<String>,
}

async fn list(Repo(grant): Repo<Admin>, Query(query): Query<ListQuery>) -> Result<Answer<Page<WaiverView>>, Problem> {
    let paging = Paging::new(query.limit, query.cursor);
    let limit = paging.limit()?;
    let parse =
        |text: String| text.parse::<WaiverId>().map_err(|_| Problem::bad_request("this is not a cursor of ours"));
    let before = paging.after()?.map(parse).transpose()?;
    let found = grant.waivers(before, limit + 1).await?;
    Ok(Answer(Page::cut(found, limit, |found| found.id.to_string(), WaiverView::of)))
}

async fn waive(
    Repo(grant): Repo<Admin>,
    Json(body): Json<WaiverBody>,
) -> Result<(StatusCode, Answer<WaiverView>), Problem> {
    let version = body.version.as_deref().map(VersionName::parse).transpose();
    let version =
        version.map_err(|error| Problem::bad_request(error.to_string()).field("version", error.to_string()))?;
    let new =
        NewWaiver { package: package_name("package", &body.package)?, version, reason: body.reason, until: body.until };
    Ok((StatusCode::CREATED, Answer(WaiverView::of(grant.waive(new).await?))))
}

async fn end(Repo(grant): Repo<Admin>, Path((_, id)): Path<(String, WaiverId)>) -> Result<StatusCode, Problem> {
    grant.end_waiver(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
