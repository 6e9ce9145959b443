//! Reading a staged file at any place, blocking: for those who look into packages off the async workers.

use std::io::{self, Read, Seek, SeekFrom};

use blobs::{BlobCopy, Blobs, Body, Received};
use bytes::Bytes;
use formats::ReadSeek;
use tokio::runtime::Handle;

/// Bytes read at once.
const BLOCK: u64 = 1 << 20;

/// The bytes of a staged file.
pub(super) fn reading(blobs: &Blobs, received: &Received) -> Box<dyn ReadSeek> {
    match &received.body {
        Body::Inline(bytes) => Box::new(io::Cursor::new(bytes.clone())),
        Body::Stored { key } => {
            let sums = received.sums.clone().into();
            let copy = BlobCopy { key: key.clone(), offset: 0, length: received.length, sums };
            Box::new(StoredBytes {
                blobs: blobs.clone(),
                handle: Handle::current(),
                copy,
                at: 0,
                held: (0, Bytes::new()),
            })
        }
    }
}

/// A stored file, a checked block at a time.
struct StoredBytes {
    blobs: Blobs,
    handle: Handle,
    copy: BlobCopy,
    at: u64,
    /// A block and where it begins.
    held: (u64, Bytes),
}

impl StoredBytes {
    /// The bytes from here to the end of the block.
    fn here(&mut self) -> io::Result<Bytes> {
        let start = self.at - self.at % BLOCK;
        if self.held.1.is_empty() || self.held.0 != start {
            let range = start..(start + BLOCK).min(self.copy.length);
            let (blobs, copy) = (&self.blobs, &self.copy);
            let read = async {
                let mut reader = blobs.open(copy, Some(range)).await?;
                reader.next_block().await
            };
            let block = self.handle.block_on(read).map_err(io::Error::other)?;
            self.held = (start, block.unwrap_or_default());
        }
        let from = usize::try_from(self.at - start).unwrap_or(usize::MAX).min(self.held.1.len());
        Ok(self.held.1.slice(from..))
    }
}

impl Read for StoredBytes {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.copy.length {
            return Ok(0);
        }
        let count = self.here()?.as_ref().read(into)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for StoredBytes {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.copy.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = to.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
