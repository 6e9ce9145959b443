//! Who holds which role on a repository.

use axum::Json as Answer;
use http::StatusCode;
use model::{RepoKey, Role, Timestamp};
use registry::{Admin, Binding};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::Repo;
use super::auth::subject;
use super::endpoint::{Access, Endpoint, delete, get, put};
use super::page::{Page, Paging};
use super::tenant::Deleted;
use crate::edge::{Json, Path, Query};
use crate::problem::Problem;

const ADMIN: Access = Access::Repo(Role::Admin);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/repos/{repo}/bindings", ADMIN, bindings)
            .summary("Who holds which roles")
            .pages()
            .answers::<Page<BindingView>>(StatusCode::OK),
        get("/v1/repos/{repo}/bindings/{subject}", ADMIN, binding)
            .summary("The roles of a subject")
            .answers::<BindingView>(StatusCode::OK),
        put("/v1/repos/{repo}/bindings/{subject}", ADMIN, bind)
            .summary("Replace the roles of a subject")
            .takes::<RolesBody>()
            .answers::<BindingView>(StatusCode::OK),
        delete("/v1/repos/{repo}/bindings/{subject}", ADMIN, unbind)
            .summary("Remove the roles of a subject")
            .answers::<Deleted>(StatusCode::OK),
    ]
}

/// Roles of a subject on the repository.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BindingView {
    #[schema(value_type = String)]
    repo_key: RepoKey,
    subject: String,
    #[schema(value_type = Vec<String>)]
    roles: Vec<Role>,
    #[schema(value_type = String)]
    updated_at_utc: Timestamp,
}

fn binding_view(key: &RepoKey, binding: Binding) -> BindingView {
    BindingView {
        repo_key: key.clone(),
        subject: binding.subject,
        roles: binding.roles,
        updated_at_utc: binding.updated_at,
    }
}

async fn bindings(
    Repo(grant): Repo<Admin>,
    Query(paging): Query<Paging>,
) -> Result<Answer<Page<BindingView>>, Problem> {
    let view = |binding| binding_view(&grant.repo().key, binding);
    Page::within(grant.bindings().await?, &paging, |binding| binding.subject.clone(), view).map(Answer)
}

async fn binding(
    Repo(grant): Repo<Admin>,
    Path((_, name)): Path<(String, String)>,
) -> Result<Answer<BindingView>, Problem> {
    let subject = subject(&name)?;
    let found = grant.bindings().await?.into_iter().find(|binding| binding.subject == subject.as_str());
    let found = found.ok_or_else(|| Problem::not_found(format!("a binding of {subject} was not found")))?;
    Ok(Answer(binding_view(&grant.repo().key, found)))
}

/// Roles on a repository: at least one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RolesBody {
    #[schema(value_type = Vec<String>)]
    roles: Vec<Role>,
}

async fn bind(
    Repo(grant): Repo<Admin>,
    Path((repo, name)): Path<(String, String)>,
    Json(body): Json<RolesBody>,
) -> Result<Answer<BindingView>, Problem> {
    grant.bind(subject(&name)?, body.roles).await?;
    binding(Repo(grant), Path((repo, name))).await
}

async fn unbind(Repo(grant): Repo<Admin>, Path((_, name)): Path<(String, String)>) -> Result<Answer<Deleted>, Problem> {
    let subject = subject(&name)?;
    grant.unbind(subject.clone()).await?;
    Ok(Answer(Deleted { subject: subject.to_string(), status: "deleted" }))
}
