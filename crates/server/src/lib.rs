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

use axum::routing::get;

pub use app::App;
pub use edge::Routes;
pub use problem::{Code, Explain, FieldError, Problem};

/// Every route of the public listener. Put [`edge::layers`] around it.
pub fn routes(app: App) -> Routes {
    let health = ops::health_routes(Arc::clone(&app.readiness));
    let (native, images) = (app.clone(), app.clone());
    let router = api::router(&app)
        .route("/assets/{name}", get(ui::asset))
        .route("/login/{repository}/{until}/{code}", get(ui::login::ask).post(ui::login::confirm))
        .route("/repository", get(native::repositories::add_slash))
        .route("/repository/", get(native::repositories::list))
        .with_state(app)
        .merge(health)
        .fallback(async || Problem::not_found("there is nothing at this address"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed("this method is not possible here"));
    Routes::from(router)
        .straight("/repository/{*path}", native::leads_here, move |request| native::serve(native.clone(), request))
        .straight("/v2/{*path}", native::oci::leads_here, move |request| native::oci::serve(images.clone(), request))
}
