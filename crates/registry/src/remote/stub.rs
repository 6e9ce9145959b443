#![allow(missing_docs, unused, clippy::all)]
use bytes::Bytes;
use model::Timestamp;
#[derive(Clone)]
pub struct Upstream;
pub struct Question<'a> {
    pub target: &'a str,
    pub accept: &'a str,
    pub etag: Option<&'a str>,
    pub modified: Option<Timestamp>,
    pub compressed: bool,
    pub most: u64,
    pub head: bool,
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct Failure;
pub enum Heard {
    Missing,
    Same,
    New(Reply),
}
pub struct Reply;
impl Reply {
    pub fn media_type(&self) -> &str {
        ""
    }
    pub fn address(&self) -> &str {
        ""
    }
    pub fn etag(&self) -> Option<&str> {
        None
    }
    pub fn changed_at(&self) -> Option<Timestamp> {
        None
    }
    pub fn length(&self) -> Option<u64> {
        None
    }
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        Err(Failure)
    }
    pub async fn whole(self) -> Result<Bytes, Failure> {
        Err(Failure)
    }
}
impl Upstream {
    pub async fn ask(&self, q: Question<'_>) -> Result<Heard, Failure> {
        Err(Failure)
    }
}
impl crate::Registry {
    pub(crate) fn reached(&self, of: &crate::UpstreamOf) -> crate::error::Result<Upstream> {
        Ok(Upstream)
    }
}
