//! A package comes in: streamed through its format's decoder, looked at, published.

use axum::body::Body;
use axum::response::Response;
use formats::Intake;
use futures_util::StreamExt;
use http::HeaderMap;
use registry::{Grant, Write};

use super::body::pieces;
use super::declared::whole;
use super::documents::say;
use crate::problem::Problem;

/// Takes the body in and does what it asks for.
pub(super) async fn receive(
    grant: &Grant<Write>,
    intake: Box<dyn Intake>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let mut receiving = grant.take_in(intake);
    let mut pieces = pieces(body, whole(headers)?, grant);
    while let Some(piece) = pieces.next().await {
        receiving.write(piece?).await?;
    }
    Ok(say(receiving.end().await?.perform().await?))
}
