//! Reading a file: at once where the bytes are in memory already, on a blocking thread and ahead where they are not.

use std::io::IoSliceMut;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, ReadWriteFlags};
use tokio::task::{JoinHandle, spawn_blocking};

use super::folders::Disk;
use crate::copy::BlobCopy;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::pool::{Buffer, Pool};
use crate::reader::Span;

/// Whatever lies at the place is not waited for: a pipe would have to be written to first.
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// A file being read.
pub(crate) struct DiskSource {
    file: Arc<OwnedFd>,
    pool: Arc<Pool>,
    /// Whether the medium had to be waited for.
    cold: bool,
    /// The block after the one handed out last, being read.
    ahead: Option<JoinHandle<Result<Buffer>>>,
}

impl DiskSource {
    pub(crate) async fn open(disk: &Arc<Disk>, copy: &BlobCopy, pool: &Arc<Pool>) -> Result<Self> {
        let file = match open_cached(disk, &copy.key) {
            Some(file) => file?,
            None => open_slowly(disk, &copy.key).await?,
        };
        let found = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
            return Err(Error::of_reading(Errno::ISDIR));
        }
        copy.check_fits(u64::try_from(found.st_size).unwrap_or(0))?;
        Ok(Self { file: Arc::new(file), pool: Arc::clone(pool), cold: false, ahead: None })
    }

    pub(crate) async fn block(&mut self, span: Span, after: Option<Span>) -> Result<Bytes> {
        let buffer = match self.ahead.take() {
            Some(work) => work.await??,
            None => self.read(span).await?,
        };
        // Cached bytes are read where they are sent from, while they are still in that core's cache: handing them from
        // thread to thread costs more than reading ahead gains.
        self.ahead = after.filter(|_| self.cold).and_then(|after| self.read_ahead(after));
        Ok(Bytes::from_owner(buffer))
    }

    async fn read(&mut self, span: Span) -> Result<Buffer> {
        let mut buffer = self.pool.get(span.length).await?;
        if read_cached(&self.file, &mut buffer, span)? {
            span.check(buffer.as_ref())?;
            return Ok(buffer);
        }
        self.cold = true;
        let file = Arc::clone(&self.file);
        spawn_blocking(move || read_rest(&file, buffer, span)).await?
    }

    /// Starts on the next block while this one is being sent, if there is memory to spare.
    fn read_ahead(&self, span: Span) -> Option<JoinHandle<Result<Buffer>>> {
        let buffer = self.pool.spare(span.length)?;
        let file = Arc::clone(&self.file);
        Some(spawn_blocking(move || read_rest(&file, buffer, span)))
    }
}

/// Opens without waiting for the medium; `None` if that would be needed or cannot be asked for.
fn open_cached(disk: &Disk, key: &Key) -> Option<Result<OwnedFd>> {
    let resolve = ResolveFlags::CACHED | ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match rustix::fs::openat2(&disk.root, key.as_str(), FLAGS, Mode::empty(), resolve) {
        Ok(file) => Some(Ok(file)),
        Err(Errno::NOENT) => Some(Err(Error::Missing)),
        Err(_) => None,
    }
}

async fn open_slowly(disk: &Arc<Disk>, key: &Key) -> Result<OwnedFd> {
    let (disk, key) = (Arc::clone(disk), key.clone());
    let open = move || rustix::fs::openat(&disk.root, key.as_str(), FLAGS, Mode::empty());
    spawn_blocking(open).await?.map_err(Error::of_reading)
}

/// Reads what the page cache holds of the span. Whether that was all of it.
fn read_cached(file: &OwnedFd, buffer: &mut Buffer, span: Span) -> Result<bool> {
    while !buffer.rest().is_empty() {
        let at = span.start + buffer.filled() as u64;
        let into = &mut [IoSliceMut::new(buffer.rest())];
        match rustix::io::preadv2(file, into, at, ReadWriteFlags::NOWAIT) {
            Ok(0) => return Err(span.damaged()),
            Ok(count) => buffer.fill(count),
            Err(Errno::INTR) => {}
            // Not cached, or a file system that cannot say: the blocking read will tell.
            Err(_) => return Ok(false),
        }
    }
    Ok(true)
}

fn read_rest(file: &OwnedFd, mut buffer: Buffer, span: Span) -> Result<Buffer> {
    while !buffer.rest().is_empty() {
        let at = span.start + buffer.filled() as u64;
        match rustix::io::pread(file, buffer.rest(), at) {
            Ok(0) => return Err(span.damaged()),
            Ok(count) => buffer.fill(count),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::of_reading(errno)),
        }
    }
    span.check(buffer.as_ref())?;
    Ok(buffer)
}
