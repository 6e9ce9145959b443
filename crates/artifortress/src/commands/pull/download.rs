//! One download: resumed, hashed while it streams, verified, made durable, named.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use model::Sha256Digest;
use outbound::{Answer, Client, Error};

use super::super::failure::Failure;
use super::super::files::sync_folder;
use super::super::hashing::{Hasher, hash, hash_file};
use super::super::progress::Progress;
use super::super::push::named_digest;
use super::target::Target;

/// Attempts in a row that may end without a single further byte.
const FRUITLESS: u32 = 3;

/// One file to fetch.
pub(super) struct Download<'a> {
    pub(super) client: &'a Client,
    pub(super) from: String,
    pub(super) target: Target,
    /// What it must be, if that is known before the server is asked.
    pub(super) digest: Option<Sha256Digest>,
    pub(super) size: Option<u64>,
    pub(super) progress: &'a Progress,
}

/// A file that is here now and is what the server said it is.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) path: PathBuf,
    pub(super) digest: Sha256Digest,
    pub(super) size: u64,
    pub(super) state: &'static str,
}

/// What has arrived.
struct Partial {
    path: PathBuf,
    file: File,
    hasher: Hasher,
    length: u64,
}

impl Download<'_> {
    pub(super) async fn run(&self) -> Result<Fetched, Failure> {
        let (digest, etag) = match self.digest {
            Some(digest) => (digest, format!("\"{digest}\"")),
            None => self.ask().await?,
        };
        if let Some(size) = unchanged(&self.target.path, digest).await {
            self.progress.done(size);
            return Ok(self.fetched(digest, size, "unchanged"));
        }
        let mut partial = self.open(digest).await?;
        self.progress.done(partial.length);
        self.receive(&mut partial, digest, &etag).await?;
        let size = partial.length;
        self.name(partial, digest).await?;
        Ok(self.fetched(digest, size, "fetched"))
    }

    fn fetched(&self, digest: Sha256Digest, size: u64, state: &'static str) -> Fetched {
        Fetched { path: self.target.path.clone(), digest, size, state }
    }

    /// Asks the server what the file is. Without a digest nothing can be verified.
    async fn ask(&self) -> Result<(Sha256Digest, String), Failure> {
        let answer = self.client.head(&self.from).send().await?;
        if self.size.is_none() {
            self.progress.expect(answer.length().unwrap_or(0));
        }
        let named = named_digest(&answer);
        let digest = named.ok_or_else(|| Failure::new("the server names no SHA-256, so nothing can be verified"))?;
        Ok((digest, answer.header("etag").map_or_else(|| format!("\"{digest}\""), str::to_owned)))
    }

    /// What an earlier attempt left, hashed; only one process may go on with it.
    async fn open(&self, digest: Sha256Digest) -> Result<Partial, Failure> {
        let path = self.target.partial(digest);
        let cannot = |error: io::Error| Failure::new(format!("cannot write '{}': {error}", path.display()));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(cannot)?;
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(cannot(io::Error::other("another pull is at work on it"))),
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        let hashed = tokio::task::spawn_blocking(move || {
            let mut file = file;
            hash(&mut file).map(|held| (file, held))
        });
        let (file, held) = hashed.await.map_err(io::Error::other).and_then(|read| read).map_err(cannot)?;
        Ok(Partial { path, file, hasher: held.hasher, length: held.length })
    }

    /// Fetches what is missing, in as many attempts as bring something.
    async fn receive(&self, partial: &mut Partial, digest: Sha256Digest, etag: &str) -> Result<(), Failure> {
        let mut fruitless = 0;
        while !partial.is_whole(self.size, digest) {
            let before = partial.length;
            match self.attempt(partial, digest, etag).await {
                Ok(()) => return Ok(()),
                Err(Attempt::Final(failure)) => return Err(failure),
                Err(Attempt::Broke(_)) if partial.length > before => fruitless = 0,
                Err(Attempt::Broke(_)) if fruitless + 1 < FRUITLESS => fruitless += 1,
                Err(Attempt::Broke(error)) => {
                    return Err(Failure::from(error).advise("run the same command again to go on where it stopped"));
                }
            }
        }
        Ok(())
    }

    async fn attempt(&self, partial: &mut Partial, digest: Sha256Digest, etag: &str) -> Result<(), Attempt> {
        let mut call = self.client.get(&self.from).header("Accept-Encoding", "identity").accept(416);
        if partial.length > 0 {
            let range = format!("bytes={}-", partial.length);
            call = call.header("Range", &range).header("If-Range", etag);
        }
        let mut answer = call.send().await.map_err(Attempt::from)?;
        if named_digest(&answer).is_some_and(|named| named != digest) {
            return Err(Failure::new("the server's answer names another SHA-256 than was expected").into());
        }
        match answer.status() {
            206 if starts_at(&answer, partial.length) => {}
            // It holds more than there is, or the server goes on elsewhere: from the beginning.
            206 | 416 => return partial.restart().map_err(Attempt::from).and_then(|()| Err(Attempt::again())),
            _ => partial.restart().map_err(Attempt::from)?,
        }
        while let Some(piece) = answer.next().await.map_err(Attempt::from)? {
            partial.take(&piece).map_err(Attempt::from)?;
            self.progress.done(piece.len() as u64);
        }
        Ok(())
    }

    /// Verifies, makes durable, and gives the file its name.
    async fn name(&self, partial: Partial, digest: Sha256Digest) -> Result<(), Failure> {
        let Partial { path, file, hasher, .. } = partial;
        let actual = hasher.digest();
        if actual != digest {
            let _ = fs::remove_file(&path);
            let message = format!("the bytes do not match: expected sha256 {digest}, received {actual}");
            return Err(Failure::new(message).advise("nothing was kept; the copy on the server or the way to it is damaged"));
        }
        let target = self.target.path.clone();
        let told = |error: io::Error| Failure::new(format!("cannot write '{}': {error}", target.display()));
        let to = target.clone();
        let named = tokio::task::spawn_blocking(move || {
            file.sync_all()?;
            fs::rename(&path, &to)?;
            sync_folder(&to)
        });
        named.await.map_err(io::Error::other).and_then(|named| named).map_err(told)
    }
}

/// How an attempt ended without success.
enum Attempt {
    /// The way broke: worth another one.
    Broke(Error),
    /// Nothing will change by trying.
    Final(Failure),
}

impl Attempt {
    fn again() -> Self {
        Self::Broke(Error::Broken("the server cannot go on with a partial download".to_owned()))
    }
}

impl From<Error> for Attempt {
    fn from(error: Error) -> Self {
        match error {
            Error::Broken(_) | Error::Timeout(_) => Self::Broke(error),
            other => Self::Final(other.into()),
        }
    }
}

impl From<Failure> for Attempt {
    fn from(failure: Failure) -> Self {
        Self::Final(failure)
    }
}

impl From<io::Error> for Attempt {
    fn from(error: io::Error) -> Self {
        Self::Final(Failure::new(format!("the file cannot be written: {error}")))
    }
}

impl Partial {
    fn is_whole(&self, size: Option<u64>, digest: Sha256Digest) -> bool {
        size.is_none_or(|size| size == self.length) && self.length > 0 && self.hasher.clone().digest() == digest
    }

    fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        self.file.write_all(piece)?;
        self.hasher.take(piece);
        self.length += piece.len() as u64;
        Ok(())
    }

    fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        (self.hasher, self.length) = (Hasher::default(), 0);
        Ok(())
    }
}

fn starts_at(answer: &Answer, offset: u64) -> bool {
    let range = answer.header("content-range").and_then(|text| text.strip_prefix("bytes "));
    range.and_then(|range| range.split_once('-')?.0.parse().ok()) == Some(offset)
}

/// The length of the file at `path`, if it is exactly what is asked for.
async fn unchanged(path: &Path, digest: Sha256Digest) -> Option<u64> {
    fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
    let held = hash_file(path.to_owned()).await.ok()?;
    (held.hasher.digest() == digest).then_some(held.length)
}
