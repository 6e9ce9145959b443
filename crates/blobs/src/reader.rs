//! Reading: whole blocks are read and checked, and only then the wanted part is handed out.

use std::ops::Range;

use bytes::Bytes;

use crate::blobs::Blobs;
use crate::copy::BlobCopy;
use crate::disk::DiskSource;
use crate::error::{Error, Result};
use crate::memory::MemorySource;
use crate::s3::ObjectSource;
use crate::sums::{BLOCK, block_sum, blocks};

/// One block to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) block: u64,
    /// Where the block starts in the file or object.
    pub(crate) start: u64,
    pub(crate) length: usize,
    /// What it must have; `None` only where a pass over it is still to find that out.
    pub(crate) sum: Option<u64>,
}

impl Span {
    /// Block number `block` of `copy`.
    pub(crate) fn of(copy: &BlobCopy, block: u64) -> Self {
        let length = (copy.length - block * BLOCK).min(BLOCK) as usize;
        Self { block, start: copy.offset + block * BLOCK, length, sum: copy.sums.get(block as usize).copied() }
    }

    /// The one place that decides whether a block is as it was written.
    pub(crate) fn check(&self, bytes: &[u8]) -> Result<()> {
        let whole = bytes.len() == self.length;
        if whole && self.sum.is_none_or(|sum| sum == block_sum(bytes)) { Ok(()) } else { Err(self.damaged()) }
    }

    pub(crate) fn damaged(&self) -> Error {
        Error::Damaged { block: self.block }
    }
}

/// Where a reader's blocks come from. Each source checks the spans that it returns.
pub(crate) enum Source {
    Disk(DiskSource),
    S3(ObjectSource),
    Memory(MemorySource),
}

impl Source {
    /// The bytes of `span`, checked. `after` is the span that will be asked for next.
    pub(crate) async fn block(&mut self, span: Span, after: Option<Span>) -> Result<Bytes> {
        match self {
            Self::Disk(source) => source.block(span, after).await,
            Self::S3(source) => source.block(span).await,
            Self::Memory(source) => source.block(span),
        }
    }
}

/// Hands out a range of one copy, block by checked block.
pub struct Reader {
    copy: BlobCopy,
    range: Range<u64>,
    source: Source,
    /// The next block to read.
    next: u64,
    /// The first block after the range.
    end: u64,
    first: Option<Bytes>,
}

impl Blobs {
    /// Opens a copy, or a range of it, and reads and checks the first block, so that damage there is known at once.
    pub async fn open(&self, copy: &BlobCopy, range: Option<Range<u64>>) -> Result<Reader> {
        let range = range.unwrap_or(0..copy.length);
        if range.start > range.end || range.end > copy.length {
            return Err(Error::Range { range, length: copy.length });
        }
        if copy.sums.len() as u64 != blocks(copy.length) {
            // What cannot be checked is not served.
            return Err(Error::Damaged { block: blocks(copy.length).min(copy.sums.len() as u64) });
        }
        let (next, end) = if range.is_empty() { (0, 0) } else { (range.start / BLOCK, (range.end - 1) / BLOCK + 1) };
        let source = self.source(copy, next..end).await?;
        let mut reader = Reader { copy: copy.clone(), range, source, next, end, first: None };
        reader.first = reader.read_next().await?;
        Ok(reader)
    }
}

impl Reader {
    /// How many bytes this reader hands out altogether.
    pub fn length(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Whether nothing is left to read: what comes next, if anything, is the last piece and is here.
    pub fn is_read(&self) -> bool {
        self.next >= self.end
    }

    /// The next bytes of the range, at most 1 MiB, all of them checked; `None` at the end.
    pub async fn next_block(&mut self) -> Result<Option<Bytes>> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => self.read_next().await,
        }
    }

    async fn read_next(&mut self) -> Result<Option<Bytes>> {
        if self.next >= self.end {
            return Ok(None);
        }
        let span = Span::of(&self.copy, self.next);
        let after = Some(self.next + 1).filter(|after| *after < self.end).map(|after| Span::of(&self.copy, after));
        let bytes = self.source.block(span, after).await?;
        self.next += 1;
        Ok(Some(self.wanted(span.block, bytes)))
    }

    /// The part of a block that lies in the range.
    fn wanted(&self, block: u64, bytes: Bytes) -> Bytes {
        let start = block * BLOCK;
        let from = self.range.start.saturating_sub(start).min(bytes.len() as u64) as usize;
        let to = (self.range.end - start).min(bytes.len() as u64) as usize;
        bytes.slice(from..to)
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader({}, {:?}, next block {})", self.copy.key, self.range, self.next)
    }
}
