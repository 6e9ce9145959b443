//! The control plane: one table of endpoints. A route that is not in it does not exist; the router,
//! the OpenAPI document and the permission test all come from it.

pub mod access;
mod audit;
mod auth;
mod bindings;
mod blobs;
mod drafts;
mod endpoint;
mod idempotency;
pub(crate) mod names;
mod openapi;
mod ops;
pub(crate) mod packages;
pub mod page;
mod parameters;
mod refs;
mod repo_settings;
mod repos;
mod root;
mod tag;
mod tenant;
mod uploads;
mod upstreams;
mod versions;
mod waivers;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::MethodRouter;

use crate::app::App;
pub use endpoint::{Access, Endpoint};

/// Every endpoint, in the order of the documentation.
pub fn endpoints() -> Vec<Endpoint> {
    let nouns = [
        root::endpoints(),
        auth::endpoints(),
        tenant::endpoints(),
        repos::endpoints(),
        bindings::endpoints(),
        waivers::endpoints(),
        upstreams::endpoints(),
        uploads::endpoints(),
        blobs::endpoints(),
        drafts::endpoints(),
        versions::endpoints(),
        packages::endpoints(),
        refs::endpoints(),
        audit::endpoints(),
        ops::endpoints(),
        openapi::endpoints(),
    ];
    nouns.into_iter().flatten().collect()
}

/// The routes of the control plane.
pub fn router(app: &App) -> Router<App> {
    endpoints()
        .into_iter()
        .fold(Router::new(), |router, endpoint| router.route(endpoint.path, guarded(endpoint, app)))
        .route_layer(from_fn(tag::answer))
}

/// The endpoint's handler behind what looks at a request before it.
fn guarded(endpoint: Endpoint, app: &App) -> MethodRouter<App> {
    let keeping = idempotency::Keeping { app: app.clone(), access: endpoint.access };
    parameters::checked(endpoint, app).route_layer(from_fn_with_state(keeping, idempotency::honour))
}
