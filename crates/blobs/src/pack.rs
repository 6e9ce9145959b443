//! Packs: many small blobs in one file or object, durable with one sync.

use bytes::Bytes;
use model::Ambient;

use crate::blobs::Blobs;
use crate::copy::{Body, Expect};
use crate::error::{Error, Result};
use crate::key::{Area, Key};
use crate::writer::Writer;

/// A pack that was written: read its items through copies with its key and their offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack<T> {
    /// The key of the pack.
    pub key: Key,
    /// Its length in bytes.
    pub length: u64,
    /// What the caller named each item, and where it starts.
    pub items: Vec<(T, u64)>,
}

impl Blobs {
    /// Writes `items` one after the other into a new pack. Durable when this returns.
    ///
    /// The items are taken as they are: verify them first ([`crate::check_inline`]).
    pub async fn write_pack<T>(&self, ambient: &Ambient, items: Vec<(T, Bytes)>) -> Result<Pack<T>> {
        let mut writer = Writer::new(self, Area::Packs, ambient, None);
        let mut offsets = Vec::with_capacity(items.len());
        for (name, bytes) in items {
            offsets.push((name, writer.received()));
            writer.write(bytes).await?;
        }
        let received = writer.finish(Expect::default()).await?;
        match received.body {
            Body::Stored { key } => Ok(Pack { key, length: received.length, items: offsets }),
            Body::Inline(_) => Err(Error::Broken),
        }
    }
}
