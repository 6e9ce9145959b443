//! A body as it comes, and at its end whether it is what its headers say: the same for every format.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use registry::Claims;

use crate::edge::body_problem;
use crate::problem::Problem;

/// The pieces of a body. The last one is an error where a claim is not true.
pub(crate) fn pieces(body: Body, claims: Claims) -> impl Stream<Item = Result<Bytes, Problem>> + Send + Unpin {
    let state = (body.into_data_stream(), claims.check());
    Box::pin(stream::try_unfold(state, async |(mut pieces, mut checking)| match pieces.next().await {
        Some(piece) => {
            let piece = piece.map_err(|error| body_problem(&error))?;
            checking.update(&piece);
            Ok(Some((piece, (pieces, checking))))
        }
        None => {
            checking.finish()?;
            Ok(None)
        }
    }))
}
