//! Receiving: bytes in, a verified and durable copy out, or nothing.

use std::sync::Arc;

use bytes::Bytes;
use model::{Ambient, Timestamp};

use crate::batch::Batch;
use crate::blobs::{Blobs, Place};
use crate::copy::{Body, Expect, Received};
use crate::disk::Stage;
use crate::error::{Error, Result};
use crate::hashing::Hashing;
use crate::key::{Area, Key};
use crate::memory::MemoryStage;
use crate::s3::ObjectStage;
use crate::sums::Measured;

/// How many bytes are handed over to hashing and storing at once.
const PORTION: usize = 1 << 20;

/// Where a writer's bytes go.
pub(crate) enum Sink {
    Disk(Stage),
    S3(ObjectStage),
    Memory(MemoryStage),
}

impl Sink {
    async fn push(&mut self, portion: Arc<[Bytes]>) -> Result<()> {
        match self {
            Self::Disk(stage) => stage.push(portion).await,
            Self::S3(stage) => stage.push(&portion).await,
            Self::Memory(stage) => {
                stage.push(&portion);
                Ok(())
            }
        }
    }

    /// Takes the last bytes and makes everything durable, not yet under its key.
    async fn flush(&mut self, rest: Arc<[Bytes]>) -> Result<()> {
        match self {
            Self::Disk(stage) => stage.flush(rest).await,
            Self::S3(stage) => stage.flush(&rest).await,
            Self::Memory(stage) => {
                stage.push(&rest);
                Ok(())
            }
        }
    }

    /// Puts the whole under its key, durably.
    async fn publish(self) -> Result<()> {
        match self {
            Self::Disk(stage) => stage.publish().await,
            Self::S3(stage) => stage.publish().await,
            Self::Memory(stage) => stage.publish(),
        }
    }

    /// Gives up what was taken and waits until it is gone, where that takes more than dropping it.
    async fn abort(self) {
        if let Self::S3(stage) = self {
            stage.abort().await;
        }
    }
}

/// Receives one blob with constant memory. Dropping it leaves nothing behind.
pub struct Writer {
    blobs: Blobs,
    key: Key,
    now: Timestamp,
    limit: u64,
    /// Content up to this length is returned inline; `None` stores any content.
    inline: Option<usize>,
    batch: Batch,
    received: u64,
    hashing: Hashing,
    sink: Option<Sink>,
    broken: bool,
}

impl Writer {
    pub(crate) fn new(blobs: &Blobs, area: Area, ambient: &Ambient, inline: Option<usize>) -> Self {
        Self {
            blobs: blobs.clone(),
            key: Key::fresh(area, ambient),
            now: ambient.now(),
            limit: u64::MAX,
            inline,
            batch: Batch::default(),
            received: 0,
            hashing: Hashing::new(),
            sink: None,
            broken: false,
        }
    }

    /// Refuses more than `limit` bytes, with [`Error::TooLong`], as soon as they come.
    #[must_use]
    pub fn at_most(mut self, limit: u64) -> Self {
        self.limit = limit;
        self
    }

    /// How many bytes were taken so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Takes the next bytes. Waits while hashing and storing are behind. After an error nothing is kept.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        if self.broken {
            return Err(Error::Broken);
        }
        // Set first: a caller that drops this future half-way loses a portion and must not be able to finish.
        self.broken = true;
        let outcome = self.take(bytes).await;
        match outcome {
            Ok(()) => self.broken = false,
            Err(_) => self.discard().await,
        }
        outcome
    }

    async fn discard(&mut self) {
        self.batch = Batch::default();
        if let Some(sink) = self.sink.take() {
            sink.abort().await;
        }
    }

    async fn take(&mut self, bytes: Bytes) -> Result<()> {
        self.received += bytes.len() as u64;
        if self.received > self.limit {
            return Err(Error::TooLong { limit: self.limit });
        }
        self.batch.push(bytes);
        if self.batch.len() < PORTION.max(self.inline.unwrap_or(0) + 1) {
            return Ok(());
        }
        let portion = self.batch.take();
        self.hashing.feed(Arc::clone(&portion)).await?;
        let (blobs, key, now) = (&self.blobs, &self.key, self.now);
        self.sink.get_or_insert_with(|| blobs.sink(key.clone(), now)).push(portion).await
    }

    /// Ends the content, compares it with what was announced and makes it durable.
    ///
    /// Durable when this returns `Ok`, unless the content is short and comes back inline. On any error nothing is kept.
    pub async fn finish(self, expect: Expect) -> Result<Received> {
        if self.broken {
            return Err(Error::Broken);
        }
        match self.inline {
            Some(limit) if self.sink.is_none() && self.batch.len() <= limit => self.finish_inline(expect).await,
            _ => self.finish_stored(expect).await,
        }
    }

    /// Ends a chunk of `length` bytes, where that is known: everything so far is durable under its key when this
    /// returns. Where the store can, a writer comes back that goes on with it; dropped, or after an error, it
    /// leaves what was there when it came back.
    pub async fn pause(mut self, length: Option<u64>) -> Result<(Received, Option<Self>)> {
        if self.broken || self.inline.is_some() || !matches!(self.blobs.place, Place::Disk(_)) {
            return Ok((self.finish(Expect { sha256: None, length }).await?, None));
        }
        check_length(length, self.received)?;
        // From here to the end a caller that drops this future loses the writer and with it what came.
        let sink = self.sink.take().unwrap_or_else(|| self.blobs.sink(self.key.clone(), self.now));
        let Sink::Disk(mut stage) = sink else { return Err(Error::Broken) };
        let rest = self.batch.take();
        let (fed, flushed) = tokio::join!(self.hashing.feed(Arc::clone(&rest)), stage.flush(rest));
        fed?;
        flushed?;
        let measured = self.hashing.so_far().await?;
        stage.keep().await?;
        self.sink = Some(Sink::Disk(stage));
        (self.received, self.limit) = (0, u64::MAX);
        Ok((Received::new(measured, Body::Stored { key: self.key.clone() }), Some(self)))
    }

    /// Takes back what came since the file had `length` bytes.
    pub async fn take_back_to(mut self, length: u64) -> Result<()> {
        match self.sink.take() {
            Some(Sink::Disk(stage)) => stage.take_back_to(length).await,
            _ => Ok(()),
        }
    }

    async fn finish_inline(self, expect: Expect) -> Result<Received> {
        let bytes = self.batch.into_bytes();
        let measured = self.hashing.end_with(Arc::new([bytes.clone()])).await?;
        expect.check(&measured)?;
        Ok(Received::new(measured, Body::Inline(bytes)))
    }

    async fn finish_stored(mut self, expect: Expect) -> Result<Received> {
        let mut sink = self.sink.take().unwrap_or_else(|| self.blobs.sink(self.key.clone(), self.now));
        let rest = self.batch.take();
        match Self::settle(&mut sink, self.hashing, rest, expect, self.received).await {
            Ok(measured) => {
                sink.publish().await?;
                Ok(Received::new(measured, Body::Stored { key: self.key }))
            }
            Err(error) => {
                sink.abort().await;
                Err(error)
            }
        }
    }

    /// Hashes and stores the rest side by side; a wrong length is refused before either.
    async fn settle(
        sink: &mut Sink,
        hashing: Hashing,
        rest: Arc<[Bytes]>,
        expect: Expect,
        received: u64,
    ) -> Result<Measured> {
        check_length(expect.length, received)?;
        let (measured, flushed) = tokio::join!(hashing.end_with(Arc::clone(&rest)), sink.flush(rest));
        let measured = measured?;
        flushed?;
        expect.check(&measured)?;
        Ok(measured)
    }
}

fn check_length(expected: Option<u64>, actual: u64) -> Result<()> {
    match expected.filter(|expected| *expected != actual) {
        Some(expected) => Err(Error::Length { expected, actual }),
        None => Ok(()),
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Writer({}, {} bytes)", self.key, self.received)
    }
}
