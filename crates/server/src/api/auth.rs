//! Who am I, and tokens.

use std::time::Duration;

use axum::Json as Answer;
use axum::extract::{FromRequest, Request, State};
use http::{HeaderMap, StatusCode};
use model::{Scope, Subject, Timestamp, TokenId};
use registry::{Minted, TenantAdmin, TokenInfo, TokenRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{Known, Tenant};
use super::endpoint::{Access, Endpoint, get, post, put};
use super::page::{Page, Paging};
use crate::app::{App, Asking};
use crate::edge::{Context, Json, NoBody, Query};
use crate::problem::Problem;

const ADMIN: Access = Access::Tenant(model::TenantRole::Admin);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/auth/whoami", Access::Token, whoami)
            .summary("Who the token belongs to")
            .answers::<Whoami>(StatusCode::OK),
        post("/v1/auth/pats", Access::Token, mint)
            .summary("Mint a token: for yourself, as tenant admin for others, or the first one with X-Bootstrap-Token")
            .takes::<MintBody>()
            .answers::<MintedView>(StatusCode::OK),
        get("/v1/auth/pats", Access::Token, own)
            .summary("Your tokens")
            .pages()
            .answers::<Page<TokenView>>(StatusCode::OK),
        post("/v1/auth/pats/revoke", Access::Token, revoke)
            .summary("Revoke a token and those minted from it")
            .takes::<RevokeBody>()
            .answers::<RevokedView>(StatusCode::OK),
        get("/v1/admin/auth/pats", ADMIN, all).summary("All tokens").pages().answers::<Page<TokenView>>(StatusCode::OK),
        post("/v1/admin/auth/pats/revoke-subject", ADMIN, revoke_subject)
            .summary("Revoke all tokens of a subject")
            .takes::<SubjectBody>()
            .answers::<RevokedAllView>(StatusCode::OK),
        post("/v1/admin/auth/pats/revoke-all", ADMIN, revoke_all)
            .summary("Revoke all tokens but the one used")
            .answers::<RevokedAllView>(StatusCode::OK),
        get("/v1/admin/auth/pat-policy", ADMIN, policy)
            .summary("The longest life of a token")
            .answers::<PolicyView>(StatusCode::OK),
        put("/v1/admin/auth/pat-policy", ADMIN, set_policy)
            .summary("Set the longest life of a token")
            .takes::<PolicyBody>()
            .answers::<PolicyView>(StatusCode::OK),
    ]
}

/// The caller.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Whoami {
    subject: String,
    #[schema(value_type = Vec<String>)]
    scopes: Vec<Scope>,
    auth_source: &'static str,
    #[schema(value_type = String)]
    token_id: TokenId,
    #[schema(value_type = String)]
    expires_at_utc: Timestamp,
}

async fn whoami(Known(call): Known) -> Result<Answer<Whoami>, Problem> {
    let identity = call.identity()?;
    Ok(Answer(Whoami {
        subject: identity.subject.to_string(),
        scopes: identity.scopes(),
        auth_source: "pat",
        token_id: identity.token,
        expires_at_utc: identity.expires_at,
    }))
}

/// A token to be minted.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MintBody {
    /// For whom; trimmed and lower-cased.
    subject: String,
    /// `repo:<key|*>:<role>` or `tenant:<role>`; empty: what the subject's bindings give.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    scopes: Vec<String>,
    /// 5 up to the policy's maximum; absent: the server's default.
    ttl_minutes: Option<u32>,
    /// What it is for.
    #[serde(default)]
    name: String,
}

/// A token just minted.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MintedView {
    #[schema(value_type = String)]
    token_id: TokenId,
    /// Shown now and never again.
    token: String,
    subject: String,
    #[schema(value_type = Vec<String>)]
    scopes: Vec<Scope>,
    #[schema(value_type = String)]
    expires_at_utc: Timestamp,
}

impl From<Minted> for MintedView {
    fn from(minted: Minted) -> Self {
        Self {
            token_id: minted.id,
            token: minted.secret.text().to_owned(),
            subject: minted.subject.to_string(),
            scopes: minted.scopes,
            expires_at_utc: minted.expires_at,
        }
    }
}

async fn mint(
    State(app): State<App>,
    context: Context,
    headers: HeaderMap,
    asking: Option<Asking>,
    request: Request,
) -> Result<Answer<MintedView>, Problem> {
    if let Some(presented) = headers.get("x-bootstrap-token") {
        app.spend_login(context.client)?;
        let presented = presented.to_str().map_err(|_| crate::app::challenged("the bootstrap token is not text"))?;
        let wanted = wanted_token(request).await?;
        let minted = app.registry.bootstrap(presented, wanted, context.correlation).await?;
        return Ok(Answer(minted.into()));
    }
    // Who asks comes first: nobody learns from us how a body must look.
    let Some(Asking(call)) = asking else { return Err(crate::app::challenged("this needs a token")) };
    Ok(Answer(call.mint_token(wanted_token(request).await?).await?.into()))
}

async fn wanted_token(request: Request) -> Result<TokenRequest, Problem> {
    let Json(body) = Json::<MintBody>::from_request(request, &()).await?;
    Ok(TokenRequest {
        subject: subject(&body.subject)?,
        scopes: scopes(&body.scopes)?,
        life: body.ttl_minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60)),
        name: body.name,
    })
}

pub(super) fn subject(text: &str) -> Result<Subject, Problem> {
    Subject::normalise(text)
        .map_err(|error| Problem::bad_request(error.to_string()).field("subject", error.to_string()))
}

fn scopes(texts: &[String]) -> Result<Vec<Scope>, Problem> {
    let parse = |(index, text): (usize, &String)| {
        text.trim().to_lowercase().parse::<Scope>().map_err(|error| {
            Problem::bad_request(error.to_string()).field(format!("scopes[{index}]"), error.to_string())
        })
    };
    texts.iter().enumerate().map(parse).collect()
}

/// A token without its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TokenView {
    #[schema(value_type = String)]
    token_id: TokenId,
    subject: String,
    name: String,
    #[schema(value_type = Vec<String>)]
    scopes: Vec<Scope>,
    created_by_subject: String,
    #[schema(value_type = String)]
    created_at_utc: Timestamp,
    #[schema(value_type = String)]
    expires_at_utc: Timestamp,
    #[schema(value_type = Option<String>)]
    revoked_at_utc: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    last_used_at_utc: Option<Timestamp>,
}

fn token_view(token: TokenInfo) -> TokenView {
    TokenView {
        token_id: token.id,
        subject: token.subject,
        name: token.name,
        scopes: token.scopes.into_iter().map(|held| held.scope).collect(),
        created_by_subject: token.created_by,
        created_at_utc: token.created_at,
        expires_at_utc: token.expires_at,
        revoked_at_utc: token.revoked_at,
        last_used_at_utc: token.last_used_at,
    }
}

fn after(paging: &Paging) -> Result<Option<TokenId>, Problem> {
    let parse = |text: String| text.parse().map_err(|_| Problem::bad_request("this is not a cursor of ours"));
    paging.after()?.map(parse).transpose()
}

async fn own(Known(call): Known, Query(paging): Query<Paging>) -> Result<Answer<Page<TokenView>>, Problem> {
    let limit = paging.limit()?;
    let tokens = call.own_tokens(after(&paging)?, limit + 1).await?;
    Ok(Answer(Page::cut(tokens, limit, |token| token.id.to_string(), token_view)))
}

async fn all(
    Tenant(grant): Tenant<TenantAdmin>,
    Query(paging): Query<Paging>,
) -> Result<Answer<Page<TokenView>>, Problem> {
    let limit = paging.limit()?;
    let tokens = grant.tokens(after(&paging)?, limit + 1).await?;
    Ok(Answer(Page::cut(tokens, limit, |token| token.id.to_string(), token_view)))
}

/// Which token to revoke.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RevokeBody {
    #[schema(value_type = String)]
    token_id: TokenId,
}

/// A token is dead.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RevokedView {
    #[schema(value_type = String)]
    token_id: TokenId,
    /// Always `revoked`.
    status: &'static str,
    /// The token and those minted from it.
    #[schema(value_type = Vec<String>)]
    token_ids: Vec<TokenId>,
}

async fn revoke(Known(call): Known, Json(body): Json<RevokeBody>) -> Result<Answer<RevokedView>, Problem> {
    let token_ids = call.revoke_token(body.token_id).await?;
    Ok(Answer(RevokedView { token_id: body.token_id, status: "revoked", token_ids }))
}

/// Whose tokens to revoke.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SubjectBody {
    subject: String,
}

/// Tokens are dead.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RevokedAllView {
    revoked_count: usize,
    #[schema(value_type = Vec<String>)]
    token_ids: Vec<TokenId>,
}

fn revoked(token_ids: Vec<TokenId>) -> Answer<RevokedAllView> {
    Answer(RevokedAllView { revoked_count: token_ids.len(), token_ids })
}

async fn revoke_subject(
    Tenant(grant): Tenant<TenantAdmin>,
    Json(body): Json<SubjectBody>,
) -> Result<Answer<RevokedAllView>, Problem> {
    Ok(revoked(grant.revoke_subject(subject(&body.subject)?).await?))
}

async fn revoke_all(Tenant(grant): Tenant<TenantAdmin>, _: NoBody) -> Result<Answer<RevokedAllView>, Problem> {
    Ok(revoked(grant.revoke_all().await?))
}

/// The longest life of a token.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PolicyBody {
    /// 5 to 10080.
    max_ttl_minutes: u32,
}

/// The longest life of a token, and who set it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PolicyView {
    max_ttl_minutes: u32,
    updated_by_subject: Option<String>,
    #[schema(value_type = Option<String>)]
    updated_at_utc: Option<Timestamp>,
}

async fn policy(Tenant(grant): Tenant<TenantAdmin>) -> Result<Answer<PolicyView>, Problem> {
    let policy = grant.pat_policy().await?;
    let (by, at) = policy.updated.map_or((None, None), |(by, at)| (Some(by), Some(at)));
    Ok(Answer(PolicyView { max_ttl_minutes: policy.max_ttl_minutes, updated_by_subject: by, updated_at_utc: at }))
}

async fn set_policy(grant: Tenant<TenantAdmin>, Json(body): Json<PolicyBody>) -> Result<Answer<PolicyView>, Problem> {
    grant.0.set_pat_policy(body.max_ttl_minutes).await?;
    policy(grant).await
}
