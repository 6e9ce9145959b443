//! Names that stand for another file after every build.

use axum::body::Body;
use axum::response::Response;
use formats::{Format, PackageAt, View, Wanting};
use http::StatusCode;
use http::request::Parts;
use registry::{Grant, Read};

use super::documents::Place;
use super::{fetch, perform};
use crate::app::App;
use crate::edge::conditional::without_times;
use crate::problem::Problem;

/// Answers with the file that is meant now by the index of a part of a package.
pub(super) async fn answer(
    app: &App,
    readable: &Grant<Read>,
    format: &dyn Format,
    meant: (&PackageAt, &str, View),
    parts: &Parts,
    rest: &str,
) -> Result<Response, Problem> {
    let parts = &*without_times(parts);
    let mut there = address(readable, format, meant, parts, rest).await?;
    loop {
        let answer = perform(app, readable, format, parts, &there, Body::empty()).await;
        let is_gone = |problem: &Problem| matches!(problem.status(), StatusCode::GONE | StatusCode::NOT_FOUND);
        if answer.as_ref().is_err_and(is_gone) {
            // It may have been withdrawn since the look: then another one is meant by now.
            let now = address(readable, format, meant, parts, rest).await?;
            if now != there {
                there = now;
                continue;
            }
        }
        let mut answer = answer?;
        fetch::let_be_confirmed(&mut answer, readable);
        return Ok(answer);
    }
}

/// Its address, below the repository.
async fn address(
    readable: &Grant<Read>,
    format: &dyn Format,
    (package, part, view): (&PackageAt, &str, View),
    parts: &Parts,
    rest: &str,
) -> Result<String, Problem> {
    let place = Place::of(readable, parts)?;
    let site = place.site();
    let index = if readable.is_virtual() {
        let (members, wanted) = (readable.members().await?, Wanting::Part(part));
        readable.index_of_members(&members, |_| Some(package.clone()), view, wanted, &site).await?
    } else {
        readable.part(package, part, view, &site).await?
    };
    let there = format.newest(rest, index.body());
    there.ok_or_else(|| Problem::not_found(format!("no build of {} {part} has such a file", package.name)))
}
