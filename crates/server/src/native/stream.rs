//! Bytes on their way out: checked blocks, and a look at the caller's rights while they flow.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use registry::{Content, Grant, Read, Watch};

use crate::problem::Problem;

/// A body of `content`. A small one goes out in one piece with its head.
pub(super) async fn body(grant: &Grant<Read>, mut content: Content) -> Result<Body, Problem> {
    if content.is_in_memory() {
        let piece = content.next().await?;
        return Ok(piece.map_or_else(Body::empty, Body::from));
    }
    Ok(Body::from_stream(pieces(content, grant.watch())))
}

/// The pieces. An error ends the body early: with the announced length the client notices.
fn pieces(content: Content, watch: Watch) -> impl Stream<Item = Result<Bytes, Cut>> {
    stream::unfold(Some((content, watch)), async |state| {
        let (mut content, mut watch) = state?;
        if !watch.still_allowed().await {
            return Some((Err(Cut::Revoked), None));
        }
        match content.next().await {
            Ok(Some(piece)) => Some((Ok(piece), Some((content, watch)))),
            Ok(None) => None,
            Err(error) => Some((Err(Cut::Failed(error.to_string())), None)),
        }
    })
}

/// Why a body ends before its announced length.
#[derive(Debug, thiserror::Error)]
enum Cut {
    #[error("the right to read was withdrawn")]
    Revoked,
    #[error("{0}")]
    Failed(String),
}
