//! A word that a store is stamped with at first use, so that two environments never share one.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use object_store::{ObjectStoreExt as _, PutPayload};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::blobs::{Blobs, Place};
use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::s3::Bucket;

/// The name of the file or object that holds the word.
const NAME: &str = "environment";
/// The longest word that is read.
const LONGEST: u64 = 1024;

impl Blobs {
    /// Stamps the store with `word` when it has none. Returns what it is stamped with, which may be
    /// another word. In a bucket two first users race safely: the service lets one win.
    pub async fn stamp(&self, word: &str) -> Result<String> {
        match &self.place {
            Place::Disk(disk) => {
                let (path, word) = (disk.path.join(NAME), word.to_owned());
                tokio::task::spawn_blocking(move || stamp_file(&path, &word)).await?
            }
            Place::S3(bucket) => stamp_object(bucket, word).await,
            Place::Memory(_) => Ok(word.to_owned()),
        }
    }
}

impl Blobs {
    /// What the store is stamped with; `None` for a store that was never used, or that is not the
    /// one that is meant: an empty folder where a volume should be mounted, a wrong prefix.
    pub async fn stamped(&self) -> Result<Option<String>> {
        match &self.place {
            Place::Disk(disk) => {
                let disk = Arc::clone(disk);
                tokio::task::spawn_blocking(move || read_in(&disk)).await?
            }
            Place::S3(bucket) => match read_object(bucket).await {
                Ok(text) => Ok(Some(text)),
                Err(Error::Missing) => Ok(None),
                Err(error) => Err(error),
            },
            Place::Memory(_) => Ok(None),
        }
    }
}

/// What the blob store in a folder is stamped with, without opening or making it: see [`Blobs::stamped`].
pub fn stamp_in(folder: &Path) -> Result<Option<String>> {
    read(&folder.join(NAME))
}

/// The file appears whole or not at all: it is written under another name and linked.
fn stamp_file(path: &Path, word: &str) -> Result<String> {
    if let Some(found) = read(path)? {
        return Ok(found);
    }
    let fresh = path.with_extension("new");
    let mut file = std::fs::File::create(&fresh)?;
    file.write_all(word.as_bytes())?;
    file.sync_all()?;
    match std::fs::hard_link(&fresh, path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
        _ => std::fs::remove_file(&fresh)?,
    }
    std::fs::File::open(path.parent().unwrap_or(path))?.sync_all()?;
    Ok(read(path)?.unwrap_or_default())
}

/// Looks where copies are read: in the folder that was opened, whatever its path leads to by now.
fn read_in(disk: &Disk) -> Result<Option<String>> {
    let opened = rustix::fs::openat(&disk.root, NAME, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    match opened {
        Ok(file) => text(std::fs::File::from(file)).map(Some),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn read(path: &Path) -> Result<Option<String>> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    text(file).map(Some)
}

fn text(file: std::fs::File) -> Result<String> {
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

async fn stamp_object(bucket: &Bucket, word: &str) -> Result<String> {
    let path = bucket.path(NAME);
    match bucket.create_at(&path, PutPayload::from(word.to_owned())).await {
        Ok(()) | Err(Error::KeyTaken) => {}
        Err(error) => return Err(error),
    }
    read_object(bucket).await
}

async fn read_object(bucket: &Bucket) -> Result<String> {
    let path = bucket.path(NAME);
    let found = bucket.s3.get(&path).await?;
    if found.meta.size > LONGEST {
        return Err(Error::Config(format!("the object {path} is no stamp of ours")));
    }
    Ok(String::from_utf8_lossy(&found.bytes().await?).into_owned())
}
