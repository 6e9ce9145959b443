//! The bucket: keys to object names, and the verbs that need no stream.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use model::Timestamp;
use object_store::aws::AmazonS3;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{MultipartId, ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use super::S3Config;
use super::config::{ASSEMBLY, LONGEST, SLOWEST};
use crate::copy::Stored;
use crate::error::{Error, Result};
use crate::key::{Area, Key};

/// The bucket.
pub(crate) struct Bucket {
    pub(crate) s3: AmazonS3,
    /// The same for what takes its time in silence; see [`Bucket::send`] and [`Bucket::assemble`].
    writing: AmazonS3,
    pub(super) patience: Duration,
    prefix: String,
}

impl Bucket {
    pub(crate) fn open(config: &S3Config) -> Result<Self> {
        let prefix = config.prefix.trim_matches('/');
        if Path::from(prefix).as_ref() != prefix {
            return Err(Error::Config(format!("the prefix {prefix:?} has characters that object names may not have")));
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let (s3, writing) = (config.build(config.patience)?, config.build(LONGEST)?);
        Ok(Self { s3, writing, patience: config.patience, prefix })
    }

    /// The object's full name.
    pub(crate) fn path(&self, key: &str) -> Path {
        Path::from(format!("{}{key}", self.prefix))
    }

    pub(super) fn path_of(&self, key: &Key) -> Path {
        self.path(key.as_str())
    }

    /// Creates the object, or fails with [`Error::KeyTaken`]; the service decides, in one step.
    ///
    /// If the service created it but its answer was lost, the repeated request is refused: the new object stays
    /// behind for reconciliation, which is safe, where taking it for ours would not be.
    pub(super) async fn create(&self, key: &Key, payload: PutPayload) -> Result<()> {
        self.create_at(&self.path_of(key), payload).await
    }

    /// The same for an object that is no copy.
    pub(crate) async fn create_at(&self, path: &Path, payload: PutPayload) -> Result<()> {
        let length = payload.content_length();
        let create = async {
            match self.writing.put_opts(path, payload, PutMode::Create.into()).await {
                Ok(_) => Ok(()),
                Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                    Err(Error::KeyTaken)
                }
                Err(error) => Err(error.into()),
            }
        };
        within(self.time_for(length), create).await
    }

    /// Sends one part of an upload.
    pub(super) async fn send(&self, key: &Key, id: &MultipartId, index: usize, part: PutPayload) -> Result<PartId> {
        let (path, time) = (self.path_of(key), self.time_for(part.content_length()));
        within(time, async { Ok(self.writing.put_part(&path, id, index, part).await?) }).await
    }

    /// Puts the parts of an upload together.
    pub(super) async fn assemble(&self, key: &Key, id: &MultipartId, parts: Vec<PartId>) -> Result<()> {
        let path = self.path_of(key);
        within(ASSEMBLY, async { Ok(self.writing.complete_multipart(&path, id, parts).await.map(drop)?) }).await
    }

    /// How long a body of so many bytes may take: a service that hangs is noticed soon, a slow line is waited for.
    fn time_for(&self, length: usize) -> Duration {
        self.patience + Duration::from_secs(u64::try_from(length).unwrap_or(u64::MAX) / SLOWEST)
    }

    pub(crate) async fn length(&self, key: &Key) -> Result<u64> {
        Ok(self.s3.head(&self.path_of(key)).await?.size)
    }

    pub(crate) async fn remove(&self, key: &Key) -> Result<()> {
        match self.s3.delete(&self.path_of(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn list(&self, area: Area, after: Option<&Key>, limit: usize) -> Result<Vec<Stored>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let folder = self.path(area.word());
        let found = match after {
            Some(after) => self.s3.list_with_offset(Some(&folder), &self.path_of(after)),
            None => self.s3.list(Some(&folder)),
        };
        let stored = found.map_err(Error::from).try_filter_map(|object| async move {
            let key = object.location.as_ref().strip_prefix(self.prefix.as_str()).and_then(|key| Key::parse(key).ok());
            let modified = Timestamp(object.last_modified.timestamp_micros());
            Ok(key.map(|key| Stored { key, length: object.size, modified }))
        });
        stored.boxed().take(limit).try_collect().await
    }

    /// Writes and removes a small object.
    pub(crate) async fn probe(&self, name: &Key) -> Result<()> {
        let path = self.path(&format!("probe/{}", name.name()));
        self.s3.put(&path, PutPayload::from_static(b"probe")).await?;
        Ok(self.s3.delete(&path).await?)
    }
}

/// What the work gives, if it ends in time.
pub(super) async fn within<T>(time: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(time, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::Unavailable(format!("no answer within {time:?}"))),
    }
}

impl From<object_store::Error> for Error {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Missing,
            other => Self::Unavailable(other.to_string()),
        }
    }
}
