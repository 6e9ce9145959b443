//! Files of uploads in order that stay open between chunks: what comes next goes on where they end, and is hashed once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use blobs::Writer;
use model::UploadId;

/// Open files at most. An upload whose file was closed goes on in another, and is put together at its end.
const FILES: usize = 64;

/// The files, the one used last at the end.
#[derive(Default)]
pub(crate) struct OpenFiles {
    files: Mutex<Vec<OpenFile>>,
}

struct OpenFile {
    upload: UploadId,
    /// How many bytes of the upload had come when it was put here.
    received: u64,
    writer: Writer,
}

impl OpenFiles {
    /// The file whose end is byte number `received` of the upload. Nobody else has it then.
    pub(crate) fn take(&self, upload: UploadId, received: u64) -> Option<Writer> {
        self.remove(upload).filter(|file| file.received == received).map(|file| file.writer)
    }

    pub(crate) fn put(&self, upload: UploadId, received: u64, writer: Writer) {
        let mut files = self.lock();
        files.retain(|file| file.upload != upload);
        if files.len() >= FILES {
            files.remove(0);
        }
        files.push(OpenFile { upload, received, writer });
    }

    /// Closes what is open of an upload that is over.
    pub(crate) fn close(&self, upload: UploadId) {
        drop(self.remove(upload));
    }

    fn remove(&self, upload: UploadId) -> Option<OpenFile> {
        let mut files = self.lock();
        let found = files.iter().position(|file| file.upload == upload)?;
        Some(files.remove(found))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<OpenFile>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
