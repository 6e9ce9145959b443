//! Tags, images, referrers.

use axum::response::Response;
use formats::oci::{self, Query};
use http::Method;
use model::VersionId;
use registry::Call;

use super::super::documents::{say, tell_age};
use super::{About, Refused, Wanted, digest, only};
use crate::problem::Problem;

/// Tags in a list at most.
const TAGS: u64 = 10_000;
/// Images in a list at most.
const IMAGES: u64 = 1000;
/// Referrers in a list at most.
const REFERRERS: u32 = 500;

pub(super) async fn tags(call: &Call, request: &Wanted<'_>) -> Result<Response, Refused> {
    only(request.parts, &[Method::GET, Method::HEAD], "GET, HEAD")?;
    let grant = request.open(call).await?;
    let n = request.query.n.unwrap_or(TAGS).min(TAGS);
    let limit = u32::try_from(n).unwrap_or(u32::MAX) + 1;
    let mut names = grant.names_of_refs(&request.package(), &request.query.last, limit).await?;
    let more = cut(&mut names.told, n);
    let mut response = say(oci::tags(request.at, &names.told, more));
    tell_age(&mut response, names.stale_since);
    Ok(response)
}

/// Cuts a list that has one more than was wanted. Returns the number to go on with, if it was longer.
fn cut(names: &mut Vec<String>, n: u64) -> Option<u64> {
    let wanted = usize::try_from(n).unwrap_or(usize::MAX);
    let more = names.len() > wanted && n > 0;
    names.truncate(wanted);
    more.then_some(n)
}

pub(super) async fn catalogue(call: &Call, query: &Query) -> Result<Response, Refused> {
    let n = query.n.unwrap_or(IMAGES).min(IMAGES);
    let limit = usize::try_from(n).unwrap_or(usize::MAX) + 1;
    let mut names = call.packages_of("oci", &query.last, limit).await?;
    let more = cut(&mut names, n);
    Ok(say(oci::catalogue(&names, more)))
}

pub(super) async fn referrers(call: &Call, request: &Wanted<'_>, text: &str) -> Result<Response, Refused> {
    only(request.parts, &[Method::GET, Method::HEAD], "GET, HEAD")?;
    let grant = request.find(call).await?;
    let subject = digest(text)?.to_string();
    let Some(grant) = grant else {
        return Ok(say(oci::referrers(request.at, &subject, &[], &request.query.artifact_types, None)));
    };
    if let Some(told) = grant.belonging_there(&request.package(), &subject).await? {
        let wanted = &request.query.artifact_types;
        let mut response = say(oci::referrers(request.at, &subject, &told.told, wanted, None));
        tell_age(&mut response, told.stale_since);
        return Ok(response);
    }
    let after = request.query.after.as_deref().map(str::parse::<VersionId>).transpose();
    let after = after.map_err(|_| Refused::about(About::Name, Problem::bad_request("after is not one of ours")))?;
    let found = grant.belonging(&request.package(), &subject, after, REFERRERS).await?;
    let next = found.last().filter(|_| found.len() == REFERRERS as usize).map(|last| last.id.to_string());
    let all: Vec<_> = found.into_iter().map(|one| (one.version, one.manifest)).collect();
    Ok(say(oci::referrers(request.at, &subject, &all, &request.query.artifact_types, next.as_deref())))
}
