//! HTTP: the edge that every request crosses, the control plane, the native protocols, the
//! operations listener, and the shape of errors.

pub mod api;
pub mod app;
pub mod edge;
mod native;
pub mod ops;
pub mod problem;
mod ui;

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get};

pub use app::App;
pub use problem::{Code, Explain, FieldError, Problem};

/// A set of routes, for those who serve it and need not know the framework.
pub type Routes = Router;

/// Every route of the public listener. Put [`edge::layers`] around it.
pub fn routes(app: App) -> Router {
    let health = ops::health_routes(Arc::clone(&app.readiness));
    api::router(&app)
        .route("/assets/{name}", get(ui::asset))
        .route("/login/{repository}/{until}/{code}", get(ui::login::ask).post(ui::login::confirm))
        .route("/repository", get(native::repositories::add_slash))
        .route("/repository/", get(native::repositories::list))
        .route("/repository/{*path}", any(native::serve))
        .route("/v2", any(native::oci::serve))
        .route("/v2/", any(native::oci::serve))
        .route("/v2/{*path}", any(native::oci::serve))
        .with_state(app)
        .merge(health)
        .fallback(async || Problem::not_found("there is nothing at this address"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed("this method is not possible here"))
}
