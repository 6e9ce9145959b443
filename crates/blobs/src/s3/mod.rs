//! Copies as objects in an S3-compatible bucket.

mod bucket;
mod config;
mod direct;
mod source;
mod stage;

pub(crate) use bucket::Bucket;
pub use config::{S3Config, S3Credentials};
pub use direct::{Direct, Overrides, UploadedPart};
pub(crate) use source::ObjectSource;
pub(crate) use stage::ObjectStage;
