//! The control plane: one table of endpoints. A route that is not in it does not exist; the router,
//! the OpenAPI document and the permission test all come from it.

pub mod access;
mod audit;
mod auth;
mod endpoint;
mod openapi;
mod ops;
pub mod page;
mod repos;
mod root;
mod tenant;

use axum::Router;

use crate::app::App;
pub use endpoint::{Access, Endpoint};

/// Every endpoint, in the order of the documentation.
pub fn endpoints() -> Vec<Endpoint> {
    let nouns = [
        root::endpoints(),
        auth::endpoints(),
        tenant::endpoints(),
        repos::endpoints(),
        audit::endpoints(),
        ops::endpoints(),
        openapi::endpoints(),
    ];
    nouns.into_iter().flatten().collect()
}

/// The routes of the control plane.
pub fn router() -> Router<App> {
    endpoints().into_iter().fold(Router::new(), |router, endpoint| router.route(endpoint.path, endpoint.handler))
}
