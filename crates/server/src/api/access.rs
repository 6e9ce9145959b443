//! Extractors that open doors: a handler that asks for one runs only for those who may.

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use model::{RepoKey, Role, TenantRole};
use registry::{Admin, Auditor, Call, Grant, Operator, Promote, Read, TenantAdmin, TenantGrant, Write};

use super::endpoint::Access;
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

/// Opens the door of an endpoint as its handler would, for what looks at a request before the handler does.
pub(super) async fn enter(parts: &mut Parts, app: &App, access: Access) -> Result<(), Problem> {
    match access {
        Access::Open => Ok(()),
        Access::Token => pass::<Known>(parts, app).await,
        Access::Tenant(TenantRole::Auditor) => pass::<Tenant<Auditor>>(parts, app).await,
        Access::Tenant(TenantRole::Operator) => pass::<Tenant<Operator>>(parts, app).await,
        Access::Tenant(TenantRole::Admin) => pass::<Tenant<TenantAdmin>>(parts, app).await,
        Access::Repo(Role::Read) => pass::<Repo<Read>>(parts, app).await,
        Access::Repo(Role::Write) => pass::<Repo<Write>>(parts, app).await,
        Access::Repo(Role::Promote) => pass::<Repo<Promote>>(parts, app).await,
        Access::Repo(Role::Admin) => pass::<Repo<Admin>>(parts, app).await,
    }
}

async fn pass<T: FromRequestParts<App, Rejection = Problem>>(parts: &mut Parts, app: &App) -> Result<(), Problem> {
    T::from_request_parts(parts, app).await.map(drop)
}
