//! Extractors that open doors: a handler that asks for one runs only for those who may.

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use model::RepoKey;
use registry::{Call, Grant, TenantGrant};

use crate::app::{App, Asking};
use crate::problem::Problem;

/// The call of somebody with a valid token.
pub struct Known(pub Call);

impl FromRequestParts<App> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Asking(call) = <Asking as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        call.identity()?;
        Ok(Self(call))
    }
}

/// The repository named `{repo}` in the path, opened for `A`.
pub struct Repo<A>(pub Grant<A>);

/// Proof of a role on the tenant.
pub struct Tenant<A>(pub TenantGrant<A>);

impl<A: registry::Access> FromRequestParts<App> for Repo<A> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Asking(call) = <Asking as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        let params = RawPathParams::from_request_parts(parts, app).await;
        let params = params.map_err(|_| Problem::bad_request("the path is not UTF-8"))?;
        let key = params.iter().find(|(name, _)| *name == "repo").map_or("", |(_, value)| value);
        match RepoKey::parse(key) {
            Ok(key) => Ok(Self(call.authorize(&key).await?)),
            Err(_) => {
                call.identity()?;
                Err(Problem::not_found(format!("the repository {} was not found", key.escape_debug())))
            }
        }
    }
}

impl<A: registry::TenantAccess> FromRequestParts<App> for Tenant<A> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Asking(call) = <Asking as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        Ok(Self(call.authorize_tenant()?))
    }
}
