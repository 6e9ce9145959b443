//! Bytes that did not come through a writer, or came long ago: read once more, whole.

use std::sync::Arc;

use model::Sha256Digest;

use crate::blobs::Blobs;
use crate::copy::{BlobCopy, Body, Expect, Received};
use crate::error::{Error, Result};
use crate::hashing::Hashing;
use crate::key::Key;
use crate::reader::Span;
use crate::sums::{Measured, blocks};

impl Blobs {
    /// Makes a copy of what lies under `key`, written by somebody else (a presigned upload): reads all of it once,
    /// compares it with what was announced and computes its block sums. What does not match is removed.
    pub async fn adopt(&self, key: &Key, expect: Expect) -> Result<Received> {
        let length = self.exists(key).await?.ok_or(Error::Missing)?;
        let outcome = match expect.length.filter(|expected| *expected != length) {
            Some(expected) => Err(Error::Length { expected, actual: length }),
            None => self.measure_checked(key, length, expect).await,
        };
        if let Err(Error::Length { .. } | Error::Digest { .. }) = outcome {
            self.remove(key).await?;
        }
        Ok(Received::new(outcome?, Body::Stored { key: key.clone() }))
    }

    async fn measure_checked(&self, key: &Key, length: u64, expect: Expect) -> Result<Measured> {
        let unknown = BlobCopy { key: key.clone(), offset: 0, length, sums: Arc::default() };
        let measured = self.measure(&unknown).await?;
        expect.check(&measured)?;
        Ok(measured)
    }

    /// Recomputes the SHA-256 of a copy, its block sums checked on the way. Damage is an error, never a digest.
    pub async fn digest(&self, copy: &BlobCopy) -> Result<Sha256Digest> {
        if copy.sums.len() as u64 != blocks(copy.length) {
            return Err(Error::Damaged { block: copy.sums.len() as u64 });
        }
        Ok(self.measure(copy).await?.digest)
    }

    /// Reads the whole copy; blocks without a sum are taken as they are.
    async fn measure(&self, copy: &BlobCopy) -> Result<Measured> {
        let count = blocks(copy.length);
        let mut source = self.source(copy, 0..count).await?;
        let mut hashing = Hashing::new();
        for block in 0..count {
            let after = Some(block + 1).filter(|after| *after < count).map(|after| Span::of(copy, after));
            let bytes = source.block(Span::of(copy, block), after).await?;
            hashing.feed(Arc::new([bytes])).await?;
        }
        hashing.end().await
    }
}
