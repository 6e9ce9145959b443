//! Bytes by digest.

use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, StatusCode};
use model::{Role, Sha256Digest};
use registry::Read;

use super::access::Repo;
use super::endpoint::{Access, Endpoint, get};
use crate::edge::Path;
use crate::native;
use crate::problem::Problem;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/v1/repos/{repo}/blobs/{digest}", Access::Repo(Role::Read), read)
            .summary("Bytes by digest; HEAD, ranges and conditions work")
            .bytes(StatusCode::OK),
    ]
}

async fn read(
    Repo(grant): Repo<Read>,
    Path((_, digest)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let digest: Sha256Digest =
        digest.parse().map_err(|error: model::digest::DigestError| Problem::bad_request(error.to_string()))?;
    let found = grant.find_blob(digest).await?;
    let (parts, _) = request.into_parts();
    let kind = HeaderValue::from_static("application/octet-stream");
    let public = grant.repo().anonymous_read;
    let cache = if public { "public, max-age=31536000, immutable" } else { "private, max-age=31536000, immutable" };
    native::respond(&grant, &found, &parts, kind, HeaderValue::from_static(cache)).await
}
