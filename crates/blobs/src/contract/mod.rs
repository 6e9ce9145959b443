//! One contract for every place that copies can live in. Each test here runs on disk, in memory and against S3.

mod direct;
mod durable;
mod faults;
mod keys;
mod load;
mod packs;
mod parts;
mod read;
mod service;
mod subject;
mod write;

use bytes::Bytes;
use model::{Ambient, Sha256Digest};
use sha2::{Digest, Sha256};

pub(crate) use subject::Subject;

use crate::{BlobCopy, Blobs, Expect, Reader, Received, Result};

/// Makes a test of each function for each place.
macro_rules! contract {
    ($($name:ident),+ $(,)?) => {
        $crate::contract::contract!(@each disk: $($name),+);
        $crate::contract::contract!(@each memory: $($name),+);
        $crate::contract::contract!(@each s3: $($name),+);
    };
    (@each $place:ident: $($name:ident),+) => {
        mod $place {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&$crate::contract::Subject::$place().await).await;
            })+
        }
    };
}
pub(crate) use contract;

pub(crate) const MIB: usize = 1 << 20;

/// `length` bytes in which every block differs.
pub(crate) fn content(length: usize) -> Bytes {
    let mut state = length as u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(state >> 11).to_le_bytes()[..6]);
    }
    bytes.truncate(length);
    bytes.into()
}

pub(crate) fn digest(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest(Sha256::digest(bytes).into())
}

/// Writes `bytes` in uneven pieces.
pub(crate) async fn receive(blobs: &Blobs, bytes: &Bytes, expect: Expect) -> Result<Received> {
    let mut writer = blobs.writer(&Ambient::system());
    let mut rest = bytes.clone();
    for size in [1, 100, 20_000, 70_000, 1_500_000].into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        writer.write(rest.split_to(size.min(rest.len()))).await?;
    }
    writer.finish(expect).await
}

/// Stores `bytes` under a key of their own, whatever their length.
pub(crate) async fn store(blobs: &Blobs, bytes: &Bytes) -> BlobCopy {
    let mut writer = blobs.part_writer(&Ambient::system());
    writer.write(bytes.clone()).await.expect("written");
    writer.finish(Expect::default()).await.expect("stored").copy().expect("not inline")
}

/// Everything that a reader hands out, and how it ended.
pub(crate) async fn drain(mut reader: Reader) -> (Vec<u8>, Result<()>) {
    let mut all = Vec::new();
    loop {
        match reader.next_block().await {
            Ok(Some(bytes)) => all.extend_from_slice(&bytes),
            Ok(None) => return (all, Ok(())),
            Err(error) => return (all, Err(error)),
        }
    }
}

/// The whole copy, or the first error.
pub(crate) async fn fetch(blobs: &Blobs, copy: &BlobCopy) -> Result<Vec<u8>> {
    let (bytes, outcome) = drain(blobs.open(copy, None).await?).await;
    outcome.map(|()| bytes)
}
