//! Bodies to send: streams of known length that can be opened again for another attempt.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;

type Open = dyn Fn() -> BoxStream<'static, io::Result<Bytes>> + Send + Sync;

/// A body of known length. It is opened once for each attempt.
#[derive(Clone)]
pub struct Source {
    pub(crate) length: u64,
    pub(crate) open: Arc<Open>,
}

impl Source {
    /// A body of exactly `length` bytes; `open` starts it from its beginning each time.
    pub fn new(length: u64, open: impl Fn() -> BoxStream<'static, io::Result<Bytes>> + Send + Sync + 'static) -> Self {
        Self { length, open: Arc::new(open) }
    }

    /// A body held in memory.
    pub fn bytes(bytes: Bytes) -> Self {
        let length = bytes.len() as u64;
        Self::new(length, move || {
            let bytes = bytes.clone();
            Box::pin(futures_util::stream::once(async move { Ok(bytes) }))
        })
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({} bytes)", self.length)
    }
}
