//! Blobs: read, let go of.

use axum::response::Response;
use http::{HeaderValue, Method, StatusCode};
use registry::{Call, Promote, Read};

use super::super::fetch::respond;
use super::manifests::named_so;
use super::{Refused, Wanted, bare, digest, not_possible};

const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

pub(super) async fn answer(call: &Call, request: &Wanted<'_>, text: &str) -> Result<Response, Refused> {
    match request.parts.method {
        Method::GET | Method::HEAD => {
            let grant = request.open::<Read>(call).await?;
            let named = digest(text)?;
            let found = grant.find_named(&named).await?;
            let public = grant.repo().anonymous_read;
            let cache = if public { "public, max-age=31536000" } else { "private, max-age=31536000" };
            let cache = HeaderValue::from_static(cache);
            let mut response = respond(&grant, &found, request.parts, BYTES, cache).await?;
            named_so(&mut response, &named);
            Ok(response)
        }
        Method::DELETE => {
            let grant = request.open::<Promote>(call).await?;
            grant.let_go_of(&digest(text)?).await?;
            Ok(bare(StatusCode::ACCEPTED, Vec::new()))
        }
        _ => Err(not_possible("GET, HEAD, DELETE").into()),
    }
}
