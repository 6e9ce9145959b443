//! Small routes that show what the edge does.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::{StreamExt, stream};
use http::header::CONTENT_SECURITY_POLICY;
use http_body_util::BodyExt;
use serde::Deserialize;
use server::edge::{Context, Json, Path, Query, RouteTemplate, body_problem};
use server::problem::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    limit: Option<u32>,
}

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/items/{id}", get(|Path(id): Path<u32>| async move { id.to_string() }))
        .route("/panic", get(panics))
        .route("/echo", post(count))
        .route("/ignore", post(|| async { Problem::forbidden("not you") }))
        .route("/json", post(|Json(form): Json<Form>| async move { form.name }))
        .route("/page", get(|Query(page): Query<Page>| async move { page.limit.unwrap_or(50).to_string() }))
        .route("/stream", get(|| async { pieces(3) }))
        .route("/who", get(|context: Context| async move { format!("{} {}", context.client, context.base_url()) }))
        .route("/later", get(later))
        .route("/page.html", get(|| async { ([(CONTENT_SECURITY_POLICY, "default-src 'self'")], "<p>") }))
        .route("/named/{*rest}", get(named))
}

async fn panics() -> Response {
    panic!("the handler's own fault")
}

/// Tells how many bytes arrived.
async fn count(request: Request) -> Result<String, Problem> {
    let mut body = request.into_body();
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame.map_err(|error| body_problem(&error))?.data_ref().map_or(0, Bytes::len);
    }
    Ok(bytes.to_string())
}

/// Answers after a while: what a drain has to wait for.
async fn later() -> &'static str {
    tokio::time::sleep(Duration::from_millis(300)).await;
    "at last"
}

/// Small pieces with a moment between them, so that each is a write of its own.
fn pieces(count: usize) -> Body {
    Body::from_stream(stream::iter(0..count).then(|_| async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok::<_, Infallible>(Bytes::from_static(b"piece"))
    }))
}

async fn named(context: Context) -> Response {
    context.asked_by("ann");
    let mut response = "named".into_response();
    response.extensions_mut().insert(RouteTemplate("/named/file"));
    response
}
