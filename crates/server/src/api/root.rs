//! The root, and health for everybody.

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::endpoint::{Access, Endpoint, get};
use crate::app::App;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![get("/", Access::Open, root).summary("What this is").answers::<Root>(StatusCode::OK)]
}

/// What this is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Root {
    /// Always `artifortress`.
    service: &'static str,
    /// The program's version.
    version: &'static str,
    /// The configured environment.
    environment: String,
    /// The server's time.
    #[schema(value_type = String)]
    timestamp_utc: Timestamp,
}

async fn root(State(app): State<App>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("text/html") {
        return crate::ui::welcome();
    }
    let root = Root {
        service: "artifortress",
        version: env!("CARGO_PKG_VERSION"),
        environment: app.environment.as_ref().to_owned(),
        timestamp_utc: app.registry.ambient().now(),
    };
    Answer(root).into_response()
}
