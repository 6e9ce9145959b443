//! Bodies read from a stretch of a file.

use std::io;
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use outbound::Source;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::super::progress::Progress;

/// Bytes read at once.
const PIECE: usize = 256 * 1024;

/// `length` bytes of the file at `path` from `offset` on. A file that became shorter is an error.
pub(super) fn stretch(path: PathBuf, offset: u64, length: u64, progress: &Progress) -> Source {
    let progress = progress.clone();
    Source::new(length, move || pieces(path.clone(), offset, length, progress.clone()))
}

struct Reading {
    path: PathBuf,
    file: Option<File>,
    offset: u64,
    left: u64,
}

fn pieces(path: PathBuf, offset: u64, length: u64, progress: Progress) -> BoxStream<'static, io::Result<Bytes>> {
    let start = Reading { path, file: None, offset, left: length };
    let pieces = stream::try_unfold(start, |mut reading| async move {
        let piece = reading.piece().await?;
        Ok((!piece.is_empty()).then_some((piece, reading)))
    });
    pieces
        .inspect(move |piece| {
            if let Ok(piece) = piece {
                progress.done(piece.len() as u64);
            }
        })
        .boxed()
}

impl Reading {
    /// The next piece; empty at the end.
    async fn piece(&mut self) -> io::Result<Bytes> {
        if self.left == 0 {
            return Ok(Bytes::new());
        }
        let mut piece = BytesMut::with_capacity(PIECE);
        let limit = self.left.min(PIECE as u64);
        let file = match self.file.take() {
            Some(file) => file,
            None => open(&self.path, self.offset).await?,
        };
        let mut limited = file.take(limit);
        while (piece.len() as u64) < limit && limited.read_buf(&mut piece).await? > 0 {}
        self.file = Some(limited.into_inner());
        if piece.is_empty() {
            return Err(io::Error::other(format!("'{}' became shorter while it was sent", self.path.display())));
        }
        self.left -= piece.len() as u64;
        Ok(piece.freeze())
    }
}

async fn open(path: &PathBuf, offset: u64) -> io::Result<File> {
    let mut file = File::open(path).await?;
    file.seek(io::SeekFrom::Start(offset)).await?;
    Ok(file)
}
