//! Blobs come in: at once, in chunks, or from another repository.

use axum::body::Body;
use axum::response::Response;
use formats::Named;
use formats::oci::ImageAt;
use futures_util::StreamExt;
use http::{HeaderValue, Method, StatusCode, header};
use model::{Code, UploadId};
use registry::{Call, Grant, IncomingBlob, IncomingChunk, Write};

use super::super::{claims, pieces, text};
use super::virtuals::source;
use super::{About, Refused, Wanted, bare, digest, not_possible, only};
use crate::problem::Problem;

/// POST: begins an upload, or takes the blob at once, or from where it is already.
pub(super) async fn begin(call: &Call, request: &Wanted<'_>, body: Body) -> Result<Response, Refused> {
    only(request.parts, &[Method::POST], "POST")?;
    let grant = request.open_to_change::<Write>(call).await?;
    if let Some(named) = mounted(&grant, request).await? {
        return Ok(created(request.at, &named));
    }
    if let (Some(text), None) = (&request.query.digest, &request.query.mount) {
        let named = digest(text)?;
        let incoming = grant.receive_blob(&named, length(request)?, None)?;
        whole(&grant, incoming, request, body).await?;
        return Ok(created(request.at, &named));
    }
    if let Some(algorithm) = request.query.digest_algorithm.as_deref().filter(|name| !Named::knows(name)) {
        let why = format!("digests by {} are not known here", algorithm.escape_debug());
        return Err(Refused::about(About::Digest, Problem::bad_request(why)));
    }
    let id = grant.begin_in_order().await?;
    Ok(bare(StatusCode::ACCEPTED, standing(request.at, id, 0)))
}

/// The blob that was found where the client may read it. A source that is none is a miss, not an error.
async fn mounted(grant: &Grant<Write>, request: &Wanted<'_>) -> Result<Option<Named>, Refused> {
    let Some(named) = request.query.mount.as_ref().and_then(|text| text.parse::<Named>().ok()) else {
        return Ok(None);
    };
    let from = match &request.query.from {
        None => None,
        Some(from) => match ImageAt::of(from) {
            Some(from) => match source(grant.call(), &from).await {
                Some(key) => Some(key),
                None => return Ok(None),
            },
            None => return Ok(None),
        },
    };
    Ok(grant.mount(&named, from.as_ref()).await?.then_some(named))
}

/// What can be done with an upload that was begun.
pub(super) async fn go_on(call: &Call, request: &Wanted<'_>, id: &str, body: Body) -> Result<Response, Refused> {
    let grant = request.open_to_change::<Write>(call).await?;
    let id: UploadId = id.parse().map_err(|_| Problem::not_found("the upload was not found"))?;
    match request.parts.method {
        Method::GET | Method::HEAD => {
            let received = grant.received(id).await?;
            Ok(bare(StatusCode::NO_CONTENT, standing(request.at, id, received)))
        }
        Method::PATCH => {
            let received = append(&grant, request, id, body).await?;
            Ok(bare(StatusCode::ACCEPTED, standing(request.at, id, received)))
        }
        Method::PUT => {
            let text = request.query.digest.as_deref().ok_or_else(no_digest)?;
            let named = digest(text)?;
            Box::pin(end(&grant, request, id, &named, body)).await?;
            Ok(created(request.at, &named))
        }
        Method::DELETE => {
            grant.give_up(id, "client_abort").await?;
            Ok(bare(StatusCode::NO_CONTENT, Vec::new()))
        }
        _ => Err(not_possible("GET, HEAD, PATCH, PUT, DELETE").into()),
    }
}

fn no_digest() -> Refused {
    Refused::about(About::Digest, Problem::bad_request("the upload is ended with ?digest="))
}

/// Takes a chunk. One that begins elsewhere than where the bytes end is told where that is.
async fn append(grant: &Grant<Write>, request: &Wanted<'_>, id: UploadId, body: Body) -> Result<u64, Refused> {
    let taken = chunk(grant, request, id, body).await;
    let Err(error) = &taken else { return taken };
    if error.problem_code() != Some(crate::problem::Code::InvalidRange) {
        return taken;
    }
    let received = grant.received(id).await?;
    let problem = Problem::invalid_range(format!("the next byte is number {received}"));
    let problem = standing(request.at, id, received).into_iter().fold(problem, |problem, (name, value)| {
        match HeaderValue::try_from(value) {
            Ok(value) => problem.header(header::HeaderName::from_static(name), value),
            Err(_) => problem,
        }
    });
    Err(problem.into())
}

async fn chunk(grant: &Grant<Write>, request: &Wanted<'_>, id: UploadId, body: Body) -> Result<u64, Refused> {
    let range = range(request)?;
    let mut length = length(request)?;
    if let Some((from, to)) = range {
        let said = (to + 1).saturating_sub(from);
        if to < from || length.is_some_and(|length| length != said) {
            return Err(Problem::bad_request("Content-Range and Content-Length do not agree").into());
        }
        length = Some(said);
    }
    let mut incoming: IncomingChunk = grant.receive_chunk(id, range.map(|(from, _)| from), length).await?;
    let mut pieces = pieces(body, claims(&request.parts.headers)?, grant);
    while let Some(piece) = pieces.next().await {
        incoming.write(piece?).await?;
    }
    Ok(incoming.finish().await?)
}

/// PUT: the last bytes, if there are any, and the digest of all.
async fn end(
    grant: &Grant<Write>,
    request: &Wanted<'_>,
    id: UploadId,
    named: &Named,
    body: Body,
) -> Result<(), Refused> {
    let before = grant.received(id).await?;
    if before == 0 && range(request)?.is_none_or(|(from, _)| from == 0) {
        let taken = whole(grant, grant.receive_blob(named, length(request)?, Some(id))?, request, body).await;
        if let Err(refused) = &taken
            && refused.problem_code() == Some(crate::problem::Code::UploadVerificationFailed)
        {
            grant.give_up(id, "verification_failed").await?;
        }
        return taken;
    }
    if length(request)? != Some(0) {
        append(grant, request, id, body).await?;
    }
    Ok(grant.end_in_order(id, named).await?)
}

async fn whole(
    grant: &Grant<Write>,
    mut incoming: IncomingBlob,
    request: &Wanted<'_>,
    body: Body,
) -> Result<(), Refused> {
    let mut pieces = pieces(body, claims(&request.parts.headers)?, grant);
    while let Some(piece) = pieces.next().await {
        incoming.write(piece?).await?;
    }
    incoming.finish().await.map_err(|error| match error.code() {
        // A length that is not the announced one is the client's mistake in the digest's company.
        Some(Code::BadRequest) => Refused::about(About::Bytes, error.into()),
        _ => error.into(),
    })
}

/// `Content-Range: from-to`, as the specification has it: digits alone, without a unit or a whole length.
fn range(request: &Wanted<'_>) -> Result<Option<(u64, u64)>, Refused> {
    let Some(said) = request.parts.headers.get(header::CONTENT_RANGE) else { return Ok(None) };
    let refused = || Refused::from(Problem::bad_request("Content-Range is from-to, both of them digits"));
    let (from, to) = said.to_str().ok().and_then(|said| said.split_once('-')).ok_or_else(refused)?;
    let digits = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = |text| Some(text).filter(digits)?.parse::<u64>().ok().filter(|number| *number < u64::MAX);
    Ok(Some(number(from).zip(number(to)).ok_or_else(refused)?))
}

fn length(request: &Wanted<'_>) -> Result<Option<u64>, Refused> {
    let Some(said) = text(request.parts, &header::CONTENT_LENGTH) else { return Ok(None) };
    Ok(Some(said.parse().map_err(|_| Problem::bad_request("Content-Length is not a number"))?))
}

/// Where an upload stands.
fn standing(at: &ImageAt, id: UploadId, received: u64) -> Vec<(&'static str, String)> {
    vec![
        ("location", format!("/v2/{at}/blobs/uploads/{id}")),
        ("range", format!("0-{}", received.saturating_sub(1))),
        ("docker-upload-uuid", id.to_string()),
    ]
}

fn created(at: &ImageAt, named: &Named) -> Response {
    let headers = vec![("location", format!("/v2/{at}/blobs/{named}")), ("docker-content-digest", named.to_string())];
    bare(StatusCode::CREATED, headers)
}
