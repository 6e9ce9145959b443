//! Answers of upstreams that are passed on as they come.

use std::sync::Arc;

use axum::response::Response;
use formats::{Format, PackageAt, Relay};
use http::StatusCode;
use http::request::Parts;
use model::RepoKey;
use model::state::RepoKind;
use registry::{Grant, Member, Read, Shown};

use super::{asked, documents, parse};
use crate::problem::Problem;

/// `None`: the address is none of those, or there is no upstream that has an answer of its own to it.
pub(super) async fn answer(
    readable: &Grant<Read>,
    format: &dyn Format,
    parts: &Parts,
    rest: &str,
) -> Result<Option<Response>, Problem> {
    let kind = readable.repo().kind;
    let relay = || format.upstream()?.relay(&asked(parts, rest)?);
    let Some(relay) = (kind != RepoKind::Local).then(relay).flatten() else { return Ok(None) };
    let shown = match kind {
        RepoKind::Virtual => {
            // Where its packages are ours, a format may know them by another name.
            let ours = || format.package_of(&parse(format, RepoKind::Local, parts, rest).ok()?);
            of_members(readable, &relay, ours().as_ref()).await?
        }
        _ => Some(readable.relayed(&relay).await?),
    };
    match shown {
        Some(shown) => documents::show(&shown, readable, parts).await.map(Some),
        None => Ok(None),
    }
}

/// That of the member that owns the package, else of the first that has it. A failure is never passed over.
async fn of_members(
    readable: &Grant<Read>,
    relay: &Relay,
    ours: Option<&PackageAt>,
) -> Result<Option<Arc<Shown>>, Problem> {
    let members = readable.members().await?;
    let of = |member: &Member| ours.filter(|_| !member.is_remote()).or(relay.package.as_ref()).cloned();
    let asked = match &relay.package {
        Some(at) => {
            let owner = members.owner(of).await?;
            let hosted = owner.filter(|owner| !owner.is_remote()).map(Member::key);
            if !relay.advice.is_empty() && (hosted.is_some() || members.keep(of)) {
                return Err(of_ours(at, hosted, relay.advice));
            }
            Vec::from_iter(owner)
        }
        None => members.all.iter().collect(),
    };
    for grant in asked.into_iter().filter(|member| member.is_remote()).filter_map(Member::grant) {
        match grant.relayed(relay).await.map_err(Problem::from) {
            Err(problem) if problem.status() == StatusCode::NOT_FOUND => {}
            answered => return answered.map(Some),
        }
    }
    Ok(None)
}

/// Why no upstream is asked for what a client wants to know of a package of ours.
fn of_ours(at: &PackageAt, hosted: Option<&RepoKey>, advice: &str) -> Problem {
    match hosted {
        Some(key) => Problem::not_found(format!("{} is hosted in {key}, and {advice}", at.name)),
        None => Problem::not_found(format!("{} is claimed here, and {advice}", at.name)),
    }
}
