//! Blobs: read, let go of.

use axum::response::Response;
use formats::Named;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use model::Code;
use registry::{Call, Error, Found, Grant, Promote, Reached, Read};

use super::super::fetch::{need, respond};
use super::super::{coming, moment};
use super::manifests::named_so;
use super::{Refused, Wanted, bare, digest, not_possible};

const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

pub(super) async fn answer(call: &Call, request: &Wanted<'_>, text: &str) -> Result<Response, Refused> {
    match request.parts.method {
        Method::GET | Method::HEAD => {
            let answer = read(call, request, text).await;
            request.answer_pushing(call, answer).await
        }
        Method::DELETE => {
            let grant = request.open_to_change::<Promote>(call).await?;
            grant.let_go_of(&digest(text)?).await?;
            Ok(bare(StatusCode::ACCEPTED, Vec::new()))
        }
        _ => Err(not_possible("GET, HEAD, DELETE").into()),
    }
}

async fn read(call: &Call, request: &Wanted<'_>, text: &str) -> Result<Response, Refused> {
    if let Some((grant, found, named)) = request.uploaded(call, text).await {
        return show(&grant, &found, request.parts, &named).await;
    }
    let grant = request.open(call).await?;
    reach(&grant, request, &digest(text)?).await
}

/// Answers with a blob that is here, or while it comes.
async fn reach(grant: &Grant<Read>, request: &Wanted<'_>, named: &Named) -> Result<Response, Refused> {
    match grant.reach_blob(&request.package(), named, need(request.parts)).await? {
        Reached::Here(found) => show(grant, &found, request.parts, named).await,
        Reached::Coming(coming) if coming::waits(&coming, request.parts) => {
            show(grant, &coming.whole().await?, request.parts, named).await
        }
        Reached::Coming(coming) => {
            let mut response = coming::stream(grant, *coming, request.parts);
            named_so(&mut response, named);
            Ok(response)
        }
    }
}

/// Answers with a blob that was found.
pub(super) async fn show(
    grant: &Grant<Read>,
    found: &Found,
    parts: &Parts,
    named: &Named,
) -> Result<Response, Refused> {
    let public = grant.repo().anonymous_read;
    let cache = if public { "public, max-age=31536000" } else { "private, max-age=31536000" };
    let cache = if grant.may_rest_on_waiver(found) { "private, no-cache" } else { cache };
    let cache = moment::kept(grant).unwrap_or(HeaderValue::from_static(cache));
    // Who pushes asks first, and sends the bytes where they are not here.
    if parts.method == Method::HEAD && !found.is_there().await? {
        let why = format!("the bytes of {named} are lost here: push them again");
        return Err(Error::refuse(Code::NotFound, why).into());
    }
    let mut response = respond(grant, found, parts, BYTES, cache).await?;
    named_so(&mut response, named);
    Ok(response)
}
