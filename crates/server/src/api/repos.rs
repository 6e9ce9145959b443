//! Repositories and their rules.

use axum::Json as Answer;
use futures_util::future::try_join_all;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use model::state::RepoKind;
use model::{RepoKey, Role, TenantRole, Timestamp};
use registry::{
    Admin, Call, NewRepository, Read, RepoChange, RepoSettings, Repository, SettingsChange, ShownAuth, TenantAdmin,
    UpstreamAuth, UpstreamUrl,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::access::{Known, Repo, Tenant};
use super::endpoint::{Access, Endpoint, delete, get, patch, post, put};
use super::page::{Page, Paging};
use super::repo_settings::{AuthBody, SettingsBody};
use crate::app::Asking;
use crate::edge::{Json, Query};
use crate::problem::Problem;

const READ: Access = Access::Repo(Role::Read);
const ADMIN: Access = Access::Repo(Role::Admin);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post("/v1/repos", Access::Tenant(TenantRole::Admin), create)
            .summary("Make a repository")
            .takes::<RepoBody>()
            .answers::<RepoView>(StatusCode::CREATED),
        get("/v1/repos", Access::Token, list)
            .summary("The repositories that you may read")
            .pages()
            .answers::<Page<RepoView>>(StatusCode::OK),
        get("/v1/repos/{repo}", READ, read).summary("One repository").answers::<RepoView>(StatusCode::OK),
        patch("/v1/repos/{repo}", ADMIN, change)
            .summary("Change a repository; If-Match guards against lost updates")
            .takes::<ChangeBody>()
            .answers::<RepoView>(StatusCode::OK),
        delete("/v1/repos/{repo}", ADMIN, retire)
            .summary("Retire an empty repository; its key is never given away again")
            .query("mode", "tombstone: withdraw what is in it first")
            .answers::<RetiredView>(StatusCode::OK),
        get("/v1/repos/{repo}/rules", ADMIN, rules)
            .summary("The ordered rule list")
            .answers::<RulesView>(StatusCode::OK),
        put("/v1/repos/{repo}/rules", ADMIN, set_rules)
            .summary("Replace the ordered rule list")
            .takes::<RulesBody>()
            .answers::<RulesView>(StatusCode::OK),
    ]
}

/// A repository to be made.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RepoBody {
    /// 1 to 100 of `a-z 0-9 . _ -`; never used before.
    repo_key: String,
    /// Default `raw`.
    #[serde(default = "raw")]
    format: String,
    /// `local` (hosted here, the default), `remote` (read from another server as it is asked for) or `virtual` (made of
    /// others).
    #[serde(default = "local")]
    #[schema(value_type = String)]
    repo_type: RepoKind,
    /// For `remote`, and needed there: `http` or `https`, a host, perhaps a port and a path; no credentials, no query.
    #[schema(value_type = Option<String>)]
    upstream_url: Option<UpstreamUrl>,
    /// For `remote`: who we are to the upstream.
    #[schema(value_type = Option<AuthBody>)]
    upstream_auth: Option<UpstreamAuth>,
    /// For `virtual`, and needed there: 1 to 100 keys of repositories of the same format, in the order in which they are
    /// asked.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    member_repos: Vec<RepoKey>,
    #[serde(default)]
    anonymous_read: bool,
    #[serde(default)]
    description: String,
    #[serde(default)]
    #[schema(value_type = SettingsBody)]
    settings: RepoSettings,
}

fn raw() -> String {
    "raw".to_owned()
}

fn local() -> RepoKind {
    RepoKind::Local
}

/// A repository.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RepoView {
    #[schema(value_type = String)]
    repo_key: RepoKey,
    format: String,
    #[schema(value_type = String)]
    repo_type: RepoKind,
    upstream_url: Option<String>,
    /// To those who may change it, where there are any: `kind`, `user` and `realm`, never what is secret; or
    /// `problem`, where they cannot be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    upstream_auth: Option<ShownAuth>,
    /// For `virtual`: those that you may read; all for those who may change the list.
    #[schema(value_type = Vec<String>)]
    member_repos: Vec<RepoKey>,
    anonymous_read: bool,
    description: String,
    #[schema(value_type = SettingsBody)]
    settings: RepoSettings,
    created_by_subject: String,
    #[schema(value_type = String)]
    created_at_utc: Timestamp,
    #[schema(value_type = String)]
    updated_at_utc: Timestamp,
}

impl RepoView {
    /// What `call` may see of it.
    async fn of(call: &Call, repo: &Repository) -> Result<Self, Problem> {
        let (settings, upstream_auth) = call.settings_of(repo).await?;
        Ok(Self {
            repo_key: repo.key.clone(),
            format: repo.format.clone(),
            repo_type: repo.kind,
            upstream_url: repo.upstream_url.clone(),
            upstream_auth,
            member_repos: call.members_of(repo).await?,
            anonymous_read: repo.anonymous_read,
            description: repo.description.clone(),
            settings,
            created_by_subject: repo.created_by.clone(),
            created_at_utc: repo.created_at,
            updated_at_utc: repo.updated_at,
        })
    }
}

type Tagged<T> = ([(header::HeaderName, HeaderValue); 1], Answer<T>);

fn tagged<T>(revision: u64, view: T) -> Tagged<T> {
    let etag = HeaderValue::from_str(&format!("\"r{revision}\"")).unwrap_or(HeaderValue::from_static("\"\""));
    ([(header::ETAG, etag)], Answer(view))
}

/// The revision in `If-Match`; `None` without the header or for `*`.
fn expected_revision(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let revision =
        text.strip_prefix("\"r").and_then(|rest| rest.strip_suffix('"')).and_then(|digits| digits.parse().ok());
    match revision {
        Some(revision) => Ok(Some(revision)),
        None => Err(Problem::precondition_failed("If-Match names no state of this repository")),
    }
}

async fn create(
    Tenant(grant): Tenant<TenantAdmin>,
    Json(body): Json<RepoBody>,
) -> Result<(StatusCode, Tagged<RepoView>), Problem> {
    let key = RepoKey::parse(body.repo_key.trim().to_lowercase().as_str())
        .map_err(|error| Problem::bad_request(error.to_string()).field("repoKey", error.to_string()))?;
    check_description(&body.description)?;
    let new = NewRepository {
        key,
        format: body.format,
        kind: body.repo_type,
        description: body.description,
        anonymous_read: body.anonymous_read,
        settings: body.settings,
        upstream_url: body.upstream_url,
        upstream_auth: body.upstream_auth,
        members: body.member_repos,
    };
    let repo = grant.create_repository(new).await?;
    Ok((StatusCode::CREATED, tagged(repo.revision, RepoView::of(grant.call(), &repo).await?)))
}

fn check_description(text: &str) -> Result<(), Problem> {
    if text.len() <= 2000 {
        return Ok(());
    }
    Err(Problem::bad_request("description must have at most 2000 bytes").field("description", "too long"))
}

async fn list(Known(call): Known, Query(paging): Query<Paging>) -> Result<Answer<Page<RepoView>>, Problem> {
    let limit = paging.limit()?;
    let repos = call.repositories(&paging.after()?.unwrap_or_default(), limit + 1).await?;
    let page = Page::cut(repos, limit, |repo| repo.key.to_string(), |repo| repo);
    let views = try_join_all(page.items.iter().map(|repo| RepoView::of(&call, repo)));
    Ok(Answer(Page { items: views.await?, next_cursor: page.next_cursor }))
}

async fn read(Repo(grant): Repo<Read>) -> Result<Tagged<RepoView>, Problem> {
    Ok(tagged(grant.repo().revision, RepoView::of(grant.call(), grant.repo()).await?))
}

/// Changes to a repository: what is absent stays as it is, also among the settings.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChangeBody {
    description: Option<String>,
    anonymous_read: Option<bool>,
    /// Also within `upstream`, where null is the default.
    #[schema(value_type = Option<SettingsBody>)]
    settings: Option<SettingsChange>,
    /// For `remote`. To another origin it goes only together with `upstreamAuth`, where credentials are stored; the
    /// same holds for `settings.upstream.proxy` and `settings.upstream.extraCa`: 409 otherwise.
    #[schema(value_type = Option<String>)]
    upstream_url: Option<UpstreamUrl>,
    /// For `remote`: replaces the stored credentials; null removes them.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<AuthBody>)]
    upstream_auth: Option<Option<UpstreamAuth>>,
    /// For `virtual`: all members, in the order in which they are asked. New ones are repositories that you may read.
    #[schema(value_type = Option<Vec<String>>)]
    member_repos: Option<Vec<RepoKey>>,
}

/// Tells null from absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<UpstreamAuth>>, D::Error> {
    Option::<UpstreamAuth>::deserialize(deserializer).map(Some)
}

async fn change(
    Asking(call): Asking,
    Repo(grant): Repo<Admin>,
    headers: HeaderMap,
    Json(body): Json<ChangeBody>,
) -> Result<Tagged<RepoView>, Problem> {
    check_description(body.description.as_deref().unwrap_or_default())?;
    let change = RepoChange {
        expected_revision: expected_revision(&headers)?,
        description: body.description,
        anonymous_read: body.anonymous_read,
        settings: body.settings,
        rules: None,
        upstream_url: body.upstream_url,
        upstream_auth: body.upstream_auth,
        members: body.member_repos,
    };
    grant.update_repository(change).await?;
    let repo = call.repository_now(&grant.repo().key).await?;
    Ok(tagged(repo.revision, RepoView::of(&call, &repo).await?))
}

/// A repository was retired.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RetiredView {
    #[schema(value_type = String)]
    repo_key: RepoKey,
    /// Always `deleted`.
    status: &'static str,
}

/// How to treat what is in the repository.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RetireQuery {
    mode: Option<String>,
}

async fn retire(Repo(grant): Repo<Admin>, Query(query): Query<RetireQuery>) -> Result<Answer<RetiredView>, Problem> {
    match query.mode.as_deref() {
        None => grant.retire_repository().await?,
        Some("tombstone") => grant.retire_with_contents().await?,
        Some(_) => return Err(Problem::bad_request("mode can only be tombstone").field("mode", "tombstone")),
    }
    Ok(Answer(RetiredView { repo_key: grant.repo().key.clone(), status: "deleted" }))
}

/// The ordered rule list, kept as it was given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RulesBody {
    /// Each with `kind`: `claim` (`pattern`), `allow` and `block` (`pattern`, `versions`; `reason`), `minimumAge`
    /// (`hours`) or `freeze` (`notAfter`). The first that matches decides.
    #[schema(value_type = Vec<Object>)]
    #[serde(deserialize_with = "model::json::each_an_object")]
    rules: Vec<registry::Rule>,
}

/// The ordered rule list.
#[derive(Serialize, ToSchema)]
struct RulesView {
    #[schema(value_type = Vec<Object>)]
    rules: Box<RawValue>,
}

fn rules_view(repo: &Repository) -> Result<RulesView, Problem> {
    let rules = RawValue::from_string(repo.rules.clone());
    Ok(RulesView { rules: rules.map_err(|_| Problem::internal_error("the stored rules are not JSON"))? })
}

async fn rules(Repo(grant): Repo<Admin>) -> Result<Tagged<RulesView>, Problem> {
    Ok(tagged(grant.repo().revision, rules_view(grant.repo())?))
}

async fn set_rules(
    Asking(call): Asking,
    Repo(grant): Repo<Admin>,
    headers: HeaderMap,
    Json(body): Json<RulesBody>,
) -> Result<Tagged<RulesView>, Problem> {
    grant.set_rules(expected_revision(&headers)?, &body.rules).await?;
    let repo = call.repository_now(&grant.repo().key).await?;
    Ok(tagged(repo.revision, rules_view(&repo)?))
}
