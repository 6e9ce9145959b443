//! Resumable uploads: parts are stored one by one and composed into one copy at the end.

use bytes::Bytes;
use model::Ambient;

use crate::blobs::Blobs;
use crate::copy::{BlobCopy, Expect, Received};
use crate::error::Result;
use crate::key::Area;
use crate::writer::Writer;

impl Blobs {
    /// A writer for one part of an upload: always stored, never inline, under a key in [`Area::Parts`].
    pub fn part_writer(&self, ambient: &Ambient) -> Writer {
        Writer::new(self, Area::Parts, ambient, None)
    }

    /// A writer for a piece of an upload that may become the whole: stored like a blob, never inline.
    pub fn chunk_writer(&self, ambient: &Ambient) -> Writer {
        Writer::new(self, Area::Blobs, ambient, None)
    }

    /// Streams the parts, each checked block by block, into one new copy. The parts stay as they are.
    ///
    /// A damaged or missing part is its error, and nothing is kept.
    pub async fn compose(&self, ambient: &Ambient, parts: &[BlobCopy], expect: Expect) -> Result<Received> {
        let mut writer = self.writer(ambient);
        for part in parts {
            let mut reader = self.open(part, None).await?;
            while let Some(bytes) = reader.next_block().await? {
                // A copy: a writer that kept lent memory while its reader waits for more could wait for ever.
                writer.write(Bytes::copy_from_slice(&bytes)).await?;
            }
        }
        writer.finish(expect).await
    }
}
