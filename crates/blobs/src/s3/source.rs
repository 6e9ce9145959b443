//! Reading an object: one ranged request, cut into blocks, begun again where it breaks.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use tokio::time::Instant;

use super::bucket::{Bucket, within};
use crate::copy::BlobCopy;
use crate::error::{Error, Result};
use crate::pool::{Buffer, Pool};
use crate::reader::Span;

/// How often one block is asked for again after the stream broke.
const ATTEMPTS: usize = 3;

/// An object being read.
pub(crate) struct ObjectSource {
    bucket: Arc<Bucket>,
    pool: Arc<Pool>,
    copy: BlobCopy,
    /// Where the last wanted block ends, inside the object.
    end: u64,
    stream: Option<BoxStream<'static, object_store::Result<Bytes>>>,
    /// Bytes of the stream that belong to the next block.
    left: Bytes,
}

impl ObjectSource {
    /// Opens the copy for `wanted`, a range of the object that begins and ends with a block.
    pub(crate) async fn open(
        bucket: &Arc<Bucket>,
        copy: &BlobCopy,
        wanted: Range<u64>,
        pool: &Arc<Pool>,
    ) -> Result<Self> {
        let mut source = Self {
            bucket: Arc::clone(bucket),
            pool: Arc::clone(pool),
            copy: copy.clone(),
            end: wanted.end,
            stream: None,
            left: Bytes::new(),
        };
        if wanted.is_empty() {
            copy.check_fits(bucket.length(&copy.key).await?)?;
        } else {
            source.ask(wanted.start).await?;
        }
        Ok(source)
    }

    /// Begins a stream at `start`. An object too short to hold the copy is damaged.
    async fn ask(&mut self, start: u64) -> Result<()> {
        within(self.bucket.patience, self.ask_now(start)).await
    }

    async fn ask_now(&mut self, start: u64) -> Result<()> {
        let path = self.bucket.path_of(&self.copy.key);
        let options = GetOptions { range: Some(GetRange::Bounded(start..self.end)), ..GetOptions::default() };
        self.left = Bytes::new();
        match self.bucket.s3.get_opts(&path, options).await {
            Ok(answer) => {
                self.copy.check_fits(answer.meta.size)?;
                self.stream = Some(answer.into_stream());
                Ok(())
            }
            Err(object_store::Error::NotFound { .. }) => Err(Error::Missing),
            Err(error) => {
                // A range beyond the end is an error of its own: find out whether it was that.
                self.copy.check_fits(self.bucket.s3.head(&path).await?.size)?;
                Err(error.into())
            }
        }
    }

    pub(crate) async fn block(&mut self, span: Span) -> Result<Bytes> {
        let (mut failures, begun) = (0, Instant::now());
        loop {
            let mut buffer = self.pool.get(span.length).await?;
            match self.fill(&mut buffer, span).await {
                Ok(()) => {
                    span.check(buffer.as_ref())?;
                    return Ok(Bytes::from_owner(buffer));
                }
                Err(Error::Unavailable(_)) if failures < ATTEMPTS && begun.elapsed() < self.bucket.patience => {
                    failures += 1;
                }
                Err(error) => return Err(error),
            }
            self.stream = None;
        }
    }

    async fn fill(&mut self, buffer: &mut Buffer, span: Span) -> Result<()> {
        if self.stream.is_none() {
            self.ask(span.start).await?;
        }
        loop {
            let count = self.left.len().min(buffer.rest().len());
            self.left.copy_to_slice(&mut buffer.rest()[..count]);
            buffer.fill(count);
            if buffer.rest().is_empty() {
                return Ok(());
            }
            self.left = match self.stream.as_mut().ok_or(Error::Broken)?.next().await {
                Some(bytes) => bytes?,
                None => return Err(Error::Unavailable("the object ended early".to_owned())),
            };
        }
    }
}
