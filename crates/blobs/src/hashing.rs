//! Hashing beside receiving: the meter works on a blocking thread while the next bytes arrive.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::error::Result;
use crate::sums::{Measured, Meter};

/// Up to this length hashing is cheaper than handing it over.
const AT_ONCE: usize = 64 << 10;

/// A meter that is either here or at work.
pub(crate) struct Hashing {
    idle: Meter,
    busy: Option<JoinHandle<Meter>>,
}

impl Hashing {
    pub(crate) fn new() -> Self {
        Self { idle: Meter::new(), busy: None }
    }

    /// Waits for the portion before and starts on this one.
    pub(crate) async fn feed(&mut self, portion: Arc<[Bytes]>) -> Result<()> {
        let mut meter = self.rest().await?;
        self.busy = Some(spawn_blocking(move || {
            meter.feed_all(&portion);
            meter
        }));
        Ok(())
    }

    /// Waits for the portion before; what was measured over everything.
    pub(crate) async fn end(mut self) -> Result<Measured> {
        Ok(self.rest().await?.end())
    }

    /// Measures `bytes` here, or on a blocking thread if they are many.
    pub(crate) async fn end_with(mut self, bytes: Arc<[Bytes]>) -> Result<Measured> {
        if bytes.iter().map(Bytes::len).sum::<usize>() > AT_ONCE {
            self.feed(bytes).await?;
            return self.end().await;
        }
        let mut meter = self.rest().await?;
        meter.feed_all(&bytes);
        Ok(meter.end())
    }

    /// Waits for the portion before; what was measured until now.
    pub(crate) async fn so_far(&mut self) -> Result<Measured> {
        self.idle = self.rest().await?;
        Ok(self.idle.so_far())
    }

    async fn rest(&mut self) -> Result<Meter> {
        match self.busy.take() {
            Some(work) => Ok(work.await?),
            None => Ok(std::mem::replace(&mut self.idle, Meter::new())),
        }
    }
}
