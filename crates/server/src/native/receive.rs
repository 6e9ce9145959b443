//! A package comes in: streamed through its format's decoder, looked at, published.

use axum::body::Body;
use axum::response::Response;
use formats::Intake;
use futures_util::StreamExt;
use registry::{Grant, Write};

use super::documents::say;
use crate::edge::body_problem;
use crate::problem::Problem;

/// Takes the body in and does what it asks for.
pub(super) async fn receive(grant: &Grant<Write>, intake: Box<dyn Intake>, body: Body) -> Result<Response, Problem> {
    let mut receiving = grant.take_in(intake);
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        receiving.write(piece.map_err(|error| body_problem(&error))?).await?;
    }
    Ok(say(receiving.end().await?.perform().await?))
}
