//! A body as it comes, whether it may still come, and at its end whether it is what its headers say: the same for every
//! format.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use registry::{Claims, Grant, Write};

use crate::edge::body_problem;
use crate::problem::Problem;

/// The pieces of a body. One is an error where the right to send it was withdrawn, the last one where a claim is not
/// true.
pub(crate) fn pieces(
    body: Body,
    claims: Claims,
    grant: &Grant<Write>,
) -> impl Stream<Item = Result<Bytes, Problem>> + Send + Unpin {
    let state = (body.into_data_stream(), claims.check(), grant.watch());
    Box::pin(stream::try_unfold(state, async |(mut pieces, mut checking, mut watch)| {
        let piece = pieces.next().await.transpose().map_err(|error| body_problem(&error))?;
        watch.expect().await?;
        match piece {
            Some(piece) => {
                checking.update(&piece);
                Ok(Some((piece, (pieces, checking, watch))))
            }
            None => {
                checking.finish()?;
                Ok(None)
            }
        }
    }))
}
