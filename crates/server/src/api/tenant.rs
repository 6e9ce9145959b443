//! Service accounts, roles on the tenant, allowances.

use axum::Json as Answer;
use http::StatusCode;
use model::{PrincipalId, TenantRole, Timestamp};
use registry::{Limits, TenantAdmin};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::Tenant;
use super::auth::subject;
use super::endpoint::{Access, Endpoint, delete, get, patch, post, put};
use super::page::{Page, Paging};
use crate::edge::{Json, Path, Query};
use crate::problem::Problem;

const ADMIN: Access = Access::Tenant(TenantRole::Admin);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/admin/service-accounts", ADMIN, accounts)
            .summary("Service accounts")
            .pages()
            .answers::<Page<AccountView>>(StatusCode::OK),
        post("/v1/admin/service-accounts", ADMIN, create_account)
            .summary("Make a service account")
            .takes::<AccountBody>()
            .answers::<CreatedAccount>(StatusCode::CREATED),
        patch("/v1/admin/service-accounts/{subject}", ADMIN, change_account)
            .summary("Disable a service account, whose tokens then do not work, or enable it again")
            .takes::<ChangeAccountBody>()
            .answers::<AccountView>(StatusCode::OK),
        delete("/v1/admin/service-accounts/{subject}", ADMIN, delete_account)
            .summary("Delete a service account and its tokens for good; its name is never given away again")
            .answers::<Deleted>(StatusCode::OK),
        get("/v1/admin/tenant-role-bindings", ADMIN, bindings)
            .summary("Who holds which roles on the tenant")
            .pages()
            .answers::<Page<TenantBindingView>>(StatusCode::OK),
        put("/v1/admin/tenant-role-bindings/{subject}", ADMIN, bind)
            .summary("Replace the roles of a subject on the tenant")
            .takes::<TenantRolesBody>()
            .answers::<TenantBindingView>(StatusCode::OK),
        delete("/v1/admin/tenant-role-bindings/{subject}", ADMIN, unbind)
            .summary("Remove the roles of a subject on the tenant")
            .answers::<Deleted>(StatusCode::OK),
        get("/v1/admin/tenant-admission-policy", ADMIN, admission)
            .summary("Allowances and what is used of them")
            .answers::<AdmissionView>(StatusCode::OK),
        put("/v1/admin/tenant-admission-policy", ADMIN, set_admission)
            .summary("Set the allowances")
            .takes::<AdmissionBody>()
            .answers::<AdmissionView>(StatusCode::OK),
    ]
}

/// A service account.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AccountView {
    #[schema(value_type = String)]
    id: PrincipalId,
    subject: String,
    description: String,
    #[schema(value_type = String)]
    created_at_utc: Timestamp,
    #[schema(value_type = Option<String>)]
    disabled_at_utc: Option<Timestamp>,
    /// Since when that is for good.
    #[schema(value_type = Option<String>)]
    deleted_at_utc: Option<Timestamp>,
}

fn account_view(account: registry::ServiceAccount) -> AccountView {
    AccountView {
        id: account.id,
        subject: account.subject,
        description: account.description,
        created_at_utc: account.created_at,
        disabled_at_utc: account.disabled_at,
        deleted_at_utc: account.deleted_at,
    }
}

async fn accounts(
    Tenant(grant): Tenant<TenantAdmin>,
    Query(paging): Query<Paging>,
) -> Result<Answer<Page<AccountView>>, Problem> {
    let limit = paging.limit()?;
    let found = grant.service_accounts(&paging.after()?.unwrap_or_default(), limit + 1).await?;
    Ok(Answer(Page::cut(found, limit, |account| account.subject.clone(), account_view)))
}

/// A service account to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AccountBody {
    subject: String,
    #[serde(default)]
    description: String,
}

/// A service account was made.
#[derive(Serialize, ToSchema)]
struct CreatedAccount {
    subject: String,
    description: String,
}

async fn create_account(
    Tenant(grant): Tenant<TenantAdmin>,
    Json(body): Json<AccountBody>,
) -> Result<(StatusCode, Answer<CreatedAccount>), Problem> {
    let subject = subject(&body.subject)?;
    grant.create_service_account(subject.clone(), body.description.clone()).await?;
    let view = CreatedAccount { subject: subject.to_string(), description: body.description };
    Ok((StatusCode::CREATED, Answer(view)))
}

/// Something was removed.
#[derive(Serialize, ToSchema)]
pub(super) struct Deleted {
    pub(super) subject: String,
    /// Always `deleted`.
    pub(super) status: &'static str,
}

/// What shall be different about a service account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeAccountBody {
    /// Whether its tokens are refused.
    disabled: bool,
}

async fn change_account(
    Tenant(grant): Tenant<TenantAdmin>,
    Path(name): Path<String>,
    Json(body): Json<ChangeAccountBody>,
) -> Result<Answer<AccountView>, Problem> {
    Ok(Answer(account_view(grant.disable_service_account(subject(&name)?, body.disabled).await?)))
}

async fn delete_account(
    Tenant(grant): Tenant<TenantAdmin>,
    Path(name): Path<String>,
) -> Result<Answer<Deleted>, Problem> {
    let subject = subject(&name)?;
    grant.delete_service_account(subject.clone()).await?;
    Ok(Answer(Deleted { subject: subject.to_string(), status: "deleted" }))
}

/// Roles of a subject on the tenant.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TenantBindingView {
    subject: String,
    #[schema(value_type = Vec<String>)]
    roles: Vec<TenantRole>,
    #[schema(value_type = String)]
    updated_at_utc: Timestamp,
}

fn binding_view(binding: registry::TenantBinding) -> TenantBindingView {
    TenantBindingView { subject: binding.subject, roles: binding.roles, updated_at_utc: binding.updated_at }
}

async fn bindings(
    Tenant(grant): Tenant<TenantAdmin>,
    Query(paging): Query<Paging>,
) -> Result<Answer<Page<TenantBindingView>>, Problem> {
    Page::within(grant.tenant_bindings().await?, &paging, |binding| binding.subject.clone(), binding_view).map(Answer)
}

/// Roles on the tenant: at least one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TenantRolesBody {
    #[schema(value_type = Vec<String>)]
    roles: Vec<TenantRole>,
}

async fn bind(
    Tenant(grant): Tenant<TenantAdmin>,
    Path(name): Path<String>,
    Json(body): Json<TenantRolesBody>,
) -> Result<Answer<TenantBindingView>, Problem> {
    let subject = subject(&name)?;
    grant.bind_tenant(subject.clone(), body.roles).await?;
    let found = grant.tenant_bindings().await?.into_iter().find(|binding| binding.subject == subject.as_str());
    let found = found.ok_or_else(|| Problem::conflict("the binding was removed at the same time"))?;
    Ok(Answer(binding_view(found)))
}

async fn unbind(Tenant(grant): Tenant<TenantAdmin>, Path(name): Path<String>) -> Result<Answer<Deleted>, Problem> {
    let subject = subject(&name)?;
    grant.unbind_tenant(subject.clone()).await?;
    Ok(Answer(Deleted { subject: subject.to_string(), status: "deleted" }))
}

/// Allowances of the tenant.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AdmissionBody {
    /// 10 MiB to 1 EiB.
    max_logical_storage_bytes: u64,
    /// 1 to 1000.
    max_concurrent_upload_sessions: u64,
    /// 1 to 50000.
    max_pending_search_jobs: u64,
}

/// Allowances and what is used of them.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AdmissionView {
    max_logical_storage_bytes: u64,
    max_concurrent_upload_sessions: u64,
    max_pending_search_jobs: u64,
    updated_by_subject: Option<String>,
    #[schema(value_type = Option<String>)]
    updated_at_utc: Option<Timestamp>,
    usage: UsageView,
}

/// What is used.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UsageView {
    logical_storage_bytes: u64,
    active_upload_sessions: u64,
    pending_search_jobs: u64,
}

async fn admission(Tenant(grant): Tenant<TenantAdmin>) -> Result<Answer<AdmissionView>, Problem> {
    let found = grant.admission().await?;
    let (by, at) = found.policy.map_or((None, None), |policy| (Some(policy.updated_by), Some(policy.updated_at)));
    Ok(Answer(AdmissionView {
        max_logical_storage_bytes: found.limits.storage_bytes,
        max_concurrent_upload_sessions: found.limits.upload_sessions,
        max_pending_search_jobs: found.limits.pending_jobs,
        updated_by_subject: by,
        updated_at_utc: at,
        usage: UsageView {
            logical_storage_bytes: found.usage.storage_bytes,
            active_upload_sessions: found.usage.upload_sessions,
            pending_search_jobs: found.usage.pending_jobs,
        },
    }))
}

async fn set_admission(
    grant: Tenant<TenantAdmin>,
    Json(body): Json<AdmissionBody>,
) -> Result<Answer<AdmissionView>, Problem> {
    let limits = Limits {
        storage_bytes: body.max_logical_storage_bytes,
        upload_sessions: body.max_concurrent_upload_sessions,
        pending_jobs: body.max_pending_search_jobs,
    };
    grant.0.set_admission(limits).await?;
    admission(grant).await
}
