//! The routes for operators and probes.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::{Metrics, Readiness, ReadyState, Report};

const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// `/health/live` and `/health/ready` for everyone: names and health, no detail.
pub fn health_routes(readiness: Arc<Readiness>) -> Router {
    let ready =
        get(
            |State(readiness): State<Arc<Readiness>>| async move { answer(&readiness.report().await.without_detail()) },
        );
    Router::new().route("/health/live", get(live)).route("/health/ready", ready).with_state(readiness)
}

/// The operations listener: `/metrics`, and health with all detail. Not for the public.
pub fn ops_routes(metrics: Metrics, readiness: Arc<Readiness>) -> Router {
    let ready = get(|State(readiness): State<Arc<Readiness>>| async move { answer(&*readiness.report().await) });
    let told = get(move || async move { ([(CONTENT_TYPE, OPEN_METRICS)], metrics.render()) });
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", ready)
        .with_state(readiness)
        .route("/metrics", told)
}

#[derive(Serialize)]
struct Live {
    status: &'static str,
}

async fn live() -> Response {
    json(StatusCode::OK, &Live { status: "ok" })
}

fn answer(report: &Report) -> Response {
    let gone = report.status == ReadyState::NotReady;
    json(if gone { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }, report)
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, serde_json::to_vec(value).unwrap_or_default()).into_response()
}
