//! Files of uploads in order that stay open between chunks: what comes next goes on where they end, and is hashed once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use blobs::Writer;
use model::UploadId;

/// Open files at most. An upload whose file was closed goes on in another, and is put together at its end.
const FILES: usize = 64;
/// How often files that nothing was written to are closed: their upload may have ended elsewhere, and what is open
/// takes space although it was removed.
const REST: Duration = Duration::from_secs(300);

/// The files, the one used last at the end.
#[derive(Default)]
pub(crate) struct OpenFiles {
    files: Mutex<Vec<OpenFile>>,
    closing: AtomicBool,
}

struct OpenFile {
    upload: UploadId,
    /// How many bytes of the upload had come when it was put here.
    received: u64,
    writer: Writer,
    /// Whether it has been here for a while.
    idle: bool,
}

impl OpenFiles {
    /// The file whose end is byte number `received` of the upload. Nobody else has it then.
    pub(crate) fn take(&self, upload: UploadId, received: u64) -> Option<Writer> {
        self.remove(upload).filter(|file| file.received == received).map(|file| file.writer)
    }

    /// Keeps a file open, for ten minutes at most.
    pub(crate) fn put(self: &Arc<Self>, upload: UploadId, received: u64, writer: Writer) {
        let mut files = self.lock();
        files.retain(|file| file.upload != upload);
        if files.len() >= FILES {
            files.remove(0);
        }
        files.push(OpenFile { upload, received, writer, idle: false });
        if !self.closing.swap(true, Ordering::AcqRel) {
            let files = Arc::clone(self);
            tokio::spawn(async move { files.close_idle().await });
        }
    }

    async fn close_idle(self: Arc<Self>) {
        loop {
            tokio::time::sleep(REST).await;
            let mut files = self.lock();
            files.retain(|file| !file.idle);
            files.iter_mut().for_each(|file| file.idle = true);
            if files.is_empty() {
                self.closing.store(false, Ordering::Release);
                return;
            }
        }
    }

    /// How many there are.
    #[cfg(test)]
    fn count(&self) -> usize {
        self.lock().len()
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

#[cfg(test)]
mod tests {
    use blobs::{Blobs, Options};
    use model::Ambient;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn files_are_few_and_close_by_themselves() {
        let (blobs, ambient) = (Blobs::memory(Options::default()), Ambient::system());
        let files = Arc::new(OpenFiles::default());
        let uploads: Vec<UploadId> = (0..=FILES).map(|_| ambient.id()).collect();
        for upload in &uploads {
            files.put(*upload, 7, blobs.chunk_writer(&ambient));
        }
        assert_eq!(files.count(), FILES);
        assert!(files.take(uploads[0], 7).is_none(), "the oldest was closed");
        assert!(files.take(uploads[1], 8).is_none() && files.take(uploads[1], 7).is_none(), "more has come elsewhere");
        let kept = files.take(uploads[2], 7).expect("still open");
        files.close(uploads[3]);
        assert_eq!(files.count(), FILES - 3);
        tokio::time::sleep(REST + REST / 2).await;
        files.put(uploads[2], 7, kept);
        tokio::time::sleep(REST).await;
        assert_eq!(files.count(), 1, "the others were idle");
        tokio::time::sleep(2 * REST).await;
        assert_eq!(files.count(), 0);
    }
}
