//! Bytes on their way out: checked blocks, and a look at the caller's rights while they flow.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http::request::Parts;
use registry::{Content, Found, Grant, Read, Share, Watch};

use crate::edge::{Connection, Context, Piece};
use crate::problem::Problem;

/// Files up to this length, in bytes, take no share: they are sent with their head.
const SHORT: u64 = 64 << 10;

/// A body of `range` of a file (`None`: all). A small one goes out in one piece with its head.
pub(super) async fn body(
    grant: &Grant<Read>,
    found: &Found,
    range: Option<Range<u64>>,
    parts: &Parts,
) -> Result<Body, Problem> {
    let client = parts.extensions.get::<Context>().map(|context| context.client).filter(|_| found.size() > SHORT);
    let reader = client.map(|client| Reader { client, connection: parts.extensions.get().cloned() });
    let share = match &reader {
        Some(reader) => Some(reader.share(grant).await?),
        None => None,
    };
    let mut content = found.open(range).await?;
    if content.is_in_memory() {
        let piece = content.next().await?;
        return Ok(piece.map_or_else(Body::empty, |piece| Body::from(held(piece, share))));
    }
    let download = Download { content, watch: grant.watch(), grant: grant.clone(), reader, share };
    Ok(Body::from_stream(pieces(download)))
}

/// A piece that gives its share back when it is sent.
fn held(piece: Bytes, share: Option<Arc<Share>>) -> Bytes {
    match share {
        Some(share) => Bytes::from_owner(Held { piece, _share: share }),
        None => piece,
    }
}

struct Held {
    piece: Bytes,
    _share: Arc<Share>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.piece
    }
}

/// Who takes the pieces.
struct Reader {
    client: IpAddr,
    connection: Option<Arc<Connection>>,
}

impl Reader {
    /// A share that the connection is known to hold.
    async fn share(&self, grant: &Grant<Read>) -> registry::Result<Arc<Share>> {
        let share = Arc::new(grant.share(self.client).await?);
        if let Some(connection) = &self.connection {
            connection.holds(&share);
        }
        Ok(share)
    }
}

impl Piece for Share {
    fn is_wanted(&self) -> bool {
        Share::is_wanted(self)
    }
}

struct Download {
    content: Content,
    watch: Watch<Read>,
    grant: Grant<Read>,
    reader: Option<Reader>,
    /// That of the next piece, when it was taken already.
    share: Option<Arc<Share>>,
}

impl Download {
    async fn next(&mut self) -> Result<Option<Bytes>, Cut> {
        if !self.watch.still_allowed().await {
            return Err(Cut::Revoked);
        }
        let share = match (self.share.take(), &self.reader) {
            (None, Some(reader)) => Some(reader.share(&self.grant).await.map_err(failed)?),
            (share, _) => share,
        };
        Ok(self.content.next().await.map_err(failed)?.map(|piece| held(piece, share)))
    }
}

/// The pieces. An error ends the body early: with the announced length the client notices.
fn pieces(download: Download) -> impl Stream<Item = Result<Bytes, Cut>> {
    stream::unfold(Some(download), async |download| {
        let mut download = download?;
        match download.next().await {
            Ok(piece) => piece.map(|piece| (Ok(piece), Some(download))),
            Err(cut) => Some((Err(cut), None)),
        }
    })
}

/// Why a body ends before its announced length.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cut {
    #[error("the right to read was withdrawn")]
    Revoked,
    #[error("{0}")]
    Failed(String),
}

pub(super) fn failed(error: registry::Error) -> Cut {
    Cut::Failed(error.to_string())
}
