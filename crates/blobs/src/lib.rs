//! Copies of bytes under keys that are never reused: on disk, in S3, in memory.
//!
//! This crate knows neither repositories nor SQL: which digest has which copies is written down elsewhere. It promises
//! that what [`Writer::finish`] returned is durable and has the digest it names, and that what [`Reader::next_block`]
//! returned was checked, a whole 1 MiB block at a time, before it was handed out.

mod adopt;
mod batch;
mod blobs;
mod compose;
#[cfg(test)]
mod contract;
mod copy;
mod disk;
mod error;
mod hashing;
mod key;
mod memory;
mod pack;
mod pool;
mod queue;
mod reader;
mod s3;
mod stamp;
mod sums;
mod writer;

pub use blobs::{Blobs, Health, Options};
pub use copy::{BlobCopy, Body, Expect, Received, Stored};
pub use error::{Error, Result};
pub use key::{Area, Key, KeyError};
pub use pack::Pack;
pub use queue::{Place, Queue};
pub use reader::Reader;
pub use s3::{Direct, Overrides, S3Config, S3Credentials, UploadedPart};
pub use stamp::stamp_in;
pub use sums::{BLOCK, blocks, check_inline};
pub use writer::Writer;
