//! SHA-256 of files, streamed, off the async workers.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use model::Sha256Digest;
use sha2::{Digest, Sha256};

/// A hash under way.
#[derive(Clone, Default)]
pub(super) struct Hasher(Sha256);

impl Hasher {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn digest(self) -> Sha256Digest {
        Sha256Digest(self.0.finalize().into())
    }
}

/// What a file holds: its hash so far, and its length.
pub(super) struct Held {
    pub(super) hasher: Hasher,
    pub(super) length: u64,
}

/// Reads the file at `path` to its end.
pub(super) async fn hash_file(path: PathBuf) -> io::Result<Held> {
    tokio::task::spawn_blocking(move || hash(&mut File::open(path)?)).await.map_err(io::Error::other)?
}

/// Reads `file` to its end.
pub(super) fn hash(file: &mut File) -> io::Result<Held> {
    let mut held = Held { hasher: Hasher::default(), length: 0 };
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(held);
        }
        held.hasher.take(&buffer[..read]);
        held.length += read as u64;
    }
}
