//! The store of copies: one of three places behind one face.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::state::CopyKind;
use model::{Ambient, Timestamp};

use crate::copy::{BlobCopy, Stored};
use crate::disk::{Disk, DiskSource, Stage};
use crate::error::{Error, Result};
use crate::key::{Area, Key};
use crate::memory::{Memory, MemorySource, MemoryStage};
use crate::pool::Pool;
use crate::queue::Queue;
use crate::reader::Source;
use crate::s3::{Bucket, ObjectSource, ObjectStage, S3Config};
use crate::sums::BLOCK;
use crate::writer::{Sink, Writer};

/// What may be chosen about a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Content up to this many bytes stays in memory and is returned inline. Default 64 KiB.
    pub inline_limit: usize,
    /// All memory that readers may use at once, in bytes; at least one block. Default 256 MiB.
    pub read_memory: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { inline_limit: 64 << 10, read_memory: 256 << 20 }
    }
}

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// Bytes that can still be stored, where the store can tell.
    pub free: Option<u64>,
}

#[derive(Clone)]
pub(crate) enum Place {
    Disk(Arc<Disk>),
    S3(Arc<Bucket>),
    Memory(Arc<Memory>),
}

/// Copies of bytes under keys that are never reused. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    pub(crate) place: Place,
    pub(crate) pool: Arc<Pool>,
    pub(crate) options: Options,
}

impl Blobs {
    fn new(place: Place, options: Options) -> Self {
        Self { place, pool: Pool::new(options.read_memory), options }
    }

    /// Copies as files in `folder`, which is made if it is missing. Blocks briefly.
    pub fn disk(folder: &Path, options: Options) -> Result<Self> {
        Ok(Self::new(Place::Disk(Arc::new(Disk::open(folder)?)), options))
    }

    /// Copies as objects in a bucket. Nothing is asked of the bucket yet: see [`Blobs::health`].
    pub fn s3(config: &S3Config, options: Options) -> Result<Self> {
        Ok(Self::new(Place::S3(Arc::new(Bucket::open(config)?)), options))
    }

    /// Copies in memory, gone with the last clone: for tests.
    pub fn memory(options: Options) -> Self {
        Self::new(Place::Memory(Arc::default()), options)
    }

    /// The kind of the copies that are stored here under a key of their own.
    pub fn kind(&self) -> CopyKind {
        match &self.place {
            Place::Disk(_) | Place::Memory(_) => CopyKind::File,
            Place::S3(_) => CopyKind::Object,
        }
    }

    /// Those who wait for memory to read into.
    pub fn readers_waiting(&self) -> Queue {
        self.pool.queue.clone()
    }

    /// The options in force.
    pub fn options(&self) -> Options {
        self.options
    }

    /// Whether a sync to disk has failed since the start. What was acknowledged before may be lost: stop acknowledging.
    pub fn poisoned(&self) -> bool {
        match &self.place {
            Place::Disk(disk) => disk.poisoned(),
            Place::S3(_) | Place::Memory(_) => false,
        }
    }

    /// Has `alarm` called, with the reason, at the first failed sync to disk: so that whoever acknowledges can stop.
    /// Only the first alarm that is set counts.
    pub fn on_poison(&self, alarm: impl Fn(&str) + Send + Sync + 'static) {
        if let Place::Disk(disk) = &self.place {
            disk.on_poison(Box::new(alarm));
        }
    }

    /// A writer for content of any length. Short content comes back inline.
    pub fn writer(&self, ambient: &Ambient) -> Writer {
        Writer::new(self, Area::Blobs, ambient, Some(self.options.inline_limit))
    }

    pub(crate) fn sink(&self, key: Key, now: Timestamp) -> Sink {
        match &self.place {
            Place::Disk(disk) => Sink::Disk(Stage::new(Arc::clone(disk), key)),
            Place::S3(bucket) => Sink::S3(ObjectStage::new(Arc::clone(bucket), key)),
            Place::Memory(memory) => Sink::Memory(MemoryStage::new(Arc::clone(memory), key, now)),
        }
    }

    /// The blocks of a copy, from number `blocks.start` to before `blocks.end`.
    ///
    /// A file or object that is too short to hold the copy is damaged, whichever blocks are wanted.
    pub(crate) async fn source(&self, copy: &BlobCopy, blocks: Range<u64>) -> Result<Source> {
        match &self.place {
            Place::Disk(disk) => Ok(Source::Disk(DiskSource::open(disk, copy, &self.pool).await?)),
            Place::S3(bucket) => {
                let (start, end) = (blocks.start * BLOCK, (blocks.end * BLOCK).min(copy.length));
                let wanted = copy.offset + start..copy.offset + end;
                Ok(Source::S3(ObjectSource::open(bucket, copy, wanted, &self.pool).await?))
            }
            Place::Memory(memory) => Ok(Source::Memory(MemorySource::open(memory, copy)?)),
        }
    }

    /// Deletes a copy for good; durable when this returns. A missing one is fine.
    pub async fn remove(&self, key: &Key) -> Result<()> {
        match &self.place {
            Place::Disk(disk) => disk.remove(key.clone()).await,
            Place::S3(bucket) => bucket.remove(key).await,
            Place::Memory(memory) => {
                memory.remove(key);
                Ok(())
            }
        }
    }

    /// The length of what is stored under `key`, or `None`. Nothing is read or checked.
    pub async fn exists(&self, key: &Key) -> Result<Option<u64>> {
        let found = match &self.place {
            Place::Disk(disk) => disk.length(key.clone()).await,
            Place::S3(bucket) => bucket.length(key).await,
            Place::Memory(memory) => memory.length(key),
        };
        match found {
            Ok(length) => Ok(Some(length)),
            Err(Error::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Up to `limit` keys of `area` in the order of their text, starting after `after`.
    pub async fn list(&self, area: Area, after: Option<&Key>, limit: usize) -> Result<Vec<Stored>> {
        match &self.place {
            Place::Disk(disk) => disk.list(area, after.cloned(), limit).await,
            Place::S3(bucket) => bucket.list(area, after, limit).await,
            Place::Memory(memory) => Ok(memory.list(area, after, limit)),
        }
    }

    /// Removes files that a crash left half-received and that were last written before `before`. How many.
    ///
    /// Choose a moment before this process started, or longer ago than any upload may take. In a bucket the service
    /// itself must do this: give it a rule that aborts incomplete multipart uploads.
    pub async fn sweep_staging(&self, before: Timestamp) -> Result<u64> {
        match &self.place {
            Place::Disk(disk) => disk.sweep_staging(before).await,
            Place::S3(_) | Place::Memory(_) => Ok(0),
        }
    }

    /// Writes, syncs and removes a few bytes, within `patience`.
    pub async fn health(&self, ambient: &Ambient, patience: Duration) -> Result<Health> {
        let probe = async {
            match &self.place {
                Place::Disk(disk) => disk.probe(Key::fresh(Area::Blobs, ambient)).await,
                Place::S3(bucket) => {
                    bucket.probe(&Key::fresh(Area::Blobs, ambient)).await.map(|()| Health { free: None })
                }
                Place::Memory(_) => Ok(Health { free: None }),
            }
        };
        match tokio::time::timeout(patience, probe).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Unavailable(format!("no answer within {patience:?}"))),
        }
    }
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.place {
            Place::Disk(_) => "Blobs::disk",
            Place::S3(_) => "Blobs::s3",
            Place::Memory(_) => "Blobs::memory",
        })
    }
}
