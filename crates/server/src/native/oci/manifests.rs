//! Manifests: read, pushed, withdrawn.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::Response;
use formats::oci::{Push, Reference, location};
use formats::{Change, Named, What};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use registry::{Call, Found, Grant, Read, Write};

use super::super::documents::tell_age;
use super::super::fetch::{kind, need, respond_ourselves};
use super::super::{moment, receive, text};
use super::{About, Refused, Wanted, bare, malformed, not_possible, reference};
use crate::edge::conditional::without_times;
use crate::problem::Problem;

pub(super) async fn answer(call: &Call, request: &Wanted<'_>, text: &str, body: Body) -> Result<Response, Refused> {
    match request.parts.method {
        Method::GET | Method::HEAD => {
            let answer = read(call, request, text).await;
            request.answer_pushing(call, answer).await
        }
        Method::PUT => {
            let grant = request.open_to_change::<Write>(call).await?;
            push(&grant, request, text, body).await
        }
        Method::DELETE => {
            let grant = request.open_to_change::<Read>(call).await?;
            withdraw(&grant, request, known(request, text)?).await
        }
        _ => Err(not_possible("GET, HEAD, PUT, DELETE").into()),
    }
}

async fn read(call: &Call, request: &Wanted<'_>, text: &str) -> Result<Response, Refused> {
    let grant = request.open(call).await?;
    show(&grant, request, &known(request, text)?).await
}

/// The reference, where something can have it.
fn known(request: &Wanted<'_>, text: &str) -> Result<Reference, Refused> {
    reference(text)
        .ok_or_else(|| Problem::not_found(format!("{}:{} was not found", request.at, text.escape_debug())).into())
}

async fn show(grant: &Grant<Read>, request: &Wanted<'_>, wanted: &Reference) -> Result<Response, Refused> {
    let (named, stale_since) = match wanted {
        Reference::Tag(tag) => {
            let pointed = grant.points_at(&request.package(), tag).await?;
            (digest_of(&pointed.told)?, pointed.stale_since)
        }
        Reference::Digest(named) => (*named, None),
    };
    let path = location(request.at, &named).map_err(registry::Error::from)?;
    let unknown = |_| Problem::not_found(format!("{}@{named} was not found", request.at));
    let found = grant.reach_version(&request.package(), &named, &path, need(request.parts)).await;
    let found = found.map_err(|error| match error.code() {
        Some(model::Code::NotFound) => unknown(error),
        _ => error.into(),
    })?;
    let mut response = respond(grant, &found, request.parts, wanted, &named).await?;
    tell_age(&mut response, stale_since);
    Ok(response)
}

/// The digest that a manifest's version is named by.
pub(super) fn digest_of(version: &str) -> Result<Named, Problem> {
    version.parse().map_err(|_| Problem::internal_error("a manifest without a digest"))
}

/// Answers with a manifest that was found.
pub(super) async fn respond(
    grant: &Grant<Read>,
    found: &Found,
    parts: &Parts,
    wanted: &Reference,
    named: &Named,
) -> Result<Response, Refused> {
    let cache = match (wanted, grant.repo().anonymous_read) {
        (Reference::Tag(_), true) => "public, no-cache",
        (Reference::Tag(_), false) => "private, no-cache",
        (Reference::Digest(_), true) => "public, max-age=31536000, immutable",
        (Reference::Digest(_), false) => "private, max-age=31536000, immutable",
    };
    let cache = if grant.may_rest_on_waiver(found) { "private, no-cache" } else { cache };
    let cache = moment::kept(grant).unwrap_or(HeaderValue::from_static(cache));
    let parts = match wanted {
        // It may point to an older manifest than before.
        Reference::Tag(_) => without_times(parts),
        Reference::Digest(_) => Cow::Borrowed(parts),
    };
    let mut response = respond_ourselves(grant, found, &parts, kind(found), cache).await?;
    named_so(&mut response, named);
    Ok(response)
}

/// Says which content it is, by the name that the client used.
pub(super) fn named_so(response: &mut Response, named: &Named) {
    if let Ok(value) = HeaderValue::try_from(named.to_string()) {
        response.headers_mut().insert("docker-content-digest", value);
    }
}

async fn push(grant: &Grant<Write>, request: &Wanted<'_>, wanted: &str, body: Body) -> Result<Response, Refused> {
    let Some(reference) = reference(wanted) else {
        let about = if wanted.contains(':') { About::Digest } else { About::Push };
        let why = format!("{} is neither a tag nor a digest", wanted.escape_debug());
        return Err(Refused::about(about, Problem::bad_request(why)));
    };
    let tags = request.query.tags().map_err(malformed)?;
    let content_type = text(request.parts, &header::CONTENT_TYPE).unwrap_or_default();
    let body = match grant.repo().key == request.at.key {
        true => body,
        false => request.with_its_parts(grant, content_type, body).await?,
    };
    let push = Push::new(request.at.clone(), reference, tags, content_type);
    Ok(receive::receive(grant, Box::new(push), &request.parts.headers, body).await?)
}

/// A digest takes the manifest away, a tag only itself.
async fn withdraw(grant: &Grant<Read>, request: &Wanted<'_>, wanted: Reference) -> Result<Response, Refused> {
    let what = match wanted {
        Reference::Tag(name) => What::Drop { name },
        Reference::Digest(named) => What::Withdraw { version: named.to_string(), repeated: false },
    };
    grant.change(vec![Change { package: request.package(), what }]).await?;
    Ok(bare(StatusCode::ACCEPTED, Vec::new()))
}
