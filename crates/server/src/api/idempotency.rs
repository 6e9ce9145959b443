//! `Idempotency-Key` on POSTs: the first answer is given again.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use registry::{Idempotent, Taken};
use tracing::Instrument as _;

use super::access;
use super::endpoint::Access;
use crate::app::{App, Asking};
use crate::edge::whole;
use crate::problem::Problem;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest body of a request or an answer that is remembered.
const LONGEST: usize = 1 << 20;
/// Its answer holds a secret, which is shown once and never kept.
const MINTS: &str = "/v1/auth/pats";

/// An endpoint whose answers may be kept, and who may have them.
#[derive(Clone)]
pub(super) struct Keeping {
    pub(super) app: App,
    pub(super) access: Access,
}

/// Honours the header where there is one.
pub(super) async fn honour(State(keeping): State<Keeping>, request: Request, next: Next) -> Response {
    let wanted = request.method() == Method::POST && request.uri().path() != MINTS;
    match request.headers().get(KEY).cloned() {
        Some(key) if wanted => keeping.once(&key, request, next).await.unwrap_or_else(IntoResponse::into_response),
        _ => next.run(request).await,
    }
}

impl Keeping {
    async fn once(&self, key: &HeaderValue, request: Request, next: Next) -> Result<Response, Problem> {
        let (mut parts, body) = request.into_parts();
        // An answer that is kept is for those who would get it now.
        access::enter(&mut parts, &self.app, self.access).await?;
        let Asking(call) = <Asking as FromRequestParts<App>>::from_request_parts(&mut parts, &self.app).await?;
        let body = whole(&parts, body, LONGEST).await?;
        let key = key.to_str().map_err(|_| Problem::bad_request("Idempotency-Key is not text"))?;
        let address = parts.uri.path_and_query().map_or("", |address| address.as_str());
        let taken = match call.take_key(key, &[address.as_bytes(), &body]).await? {
            Idempotent::Do(taken) => taken,
            Idempotent::Answer(status, body) => return Ok(again(status, body)),
        };
        // A task of its own: it is done and settled although the client goes away meanwhile.
        let work = async move {
            let response = taken.holding(next.run(Request::from_parts(parts, Body::from(body)))).await;
            settle(taken, response).await
        };
        tokio::spawn(work.in_current_span()).await.map_err(|error| {
            tracing::error!(%error, "a request with an Idempotency-Key ended without an answer");
            Problem::internal_error("something went wrong on our side; the correlation id leads to the log")
        })?
    }
}

/// Only a refusal says that nothing was changed. The answer is given also when it could not be kept: it is
/// what happened.
async fn settle(taken: Taken, response: Response) -> Result<Response, Problem> {
    let (response, settled) = if response.status().is_success() {
        let (parts, body) = response.into_parts();
        let body = read(body).await.map_err(|_| Problem::internal_error("an answer could not be kept"))?;
        let text = String::from_utf8_lossy(&body).into_owned();
        let settled = taken.keep(parts.status.as_u16(), text).await;
        (Response::from_parts(parts, Body::from(body)), settled)
    } else if response.status().is_client_error() {
        (response, taken.release().await)
    } else {
        (response, taken.leave_in_doubt().await)
    };
    if let Err(error) = settled {
        tracing::warn!(%error, "an Idempotency-Key could not be settled: it is free again in a minute");
    }
    Ok(response)
}

fn again(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (REPLAYED, HeaderValue::from_static("true")),
    ];
    (status, headers, body).into_response()
}

#[expect(clippy::disallowed_methods, reason = "bounded: a longer body is refused")]
async fn read(body: Body) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    Ok(Limited::new(body, LONGEST).collect().await?.to_bytes())
}
