//! One download: resumed, in as many attempts as it takes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use model::Sha256Digest;
use outbound::{Answer, Client, Error, Request};

use super::super::failure::Failure;
use super::super::hashing::hash_file;
use super::super::progress::Progress;
use super::super::push::named_digest;
use super::partial::Partial;
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

/// What the server said of the file; perhaps its bytes wait in the answer.
struct Asked {
    digest: Sha256Digest,
    etag: String,
    answer: Option<Answer>,
}

impl Download<'_> {
    pub(super) async fn run(&self) -> Result<Fetched, Failure> {
        let asked = match self.digest {
            Some(digest) => Asked { digest, etag: format!("\"{digest}\""), answer: None },
            None => self.ask().await?,
        };
        if let Some(size) = unchanged(&self.target.path, asked.digest).await {
            self.progress.done(size);
            return Ok(self.fetched(asked.digest, size, "unchanged"));
        }
        let digest = asked.digest;
        let mut partial = Partial::open(self.target.partial(digest)).await?;
        let resumed = partial.length > 0;
        self.progress.done(partial.length);
        self.receive(&mut partial, asked.answer, digest, &asked.etag).await?;
        if resumed && !partial.is(digest) {
            // What an earlier attempt left may have been damaged here: once more, from the beginning.
            partial.restart().map_err(|error| partial.cannot(&error))?;
            self.receive(&mut partial, None, digest, &asked.etag).await?;
        }
        let size = partial.length;
        partial.name(&self.target.path, digest).await?;
        Ok(self.fetched(digest, size, "fetched"))
    }

    fn fetched(&self, digest: Sha256Digest, size: u64, state: &'static str) -> Fetched {
        Fetched { path: self.target.path.clone(), digest, size, state }
    }

    /// Asks the server what the file is. Without a digest nothing can be verified.
    async fn ask(&self) -> Result<Asked, Failure> {
        if self.target.path.exists()
            && let Ok(answer) = self.client.head(&self.from).send().await
            && let Some(asked) = self.named(&answer)
        {
            return Ok(asked);
        }
        // Not HEAD: only the refusal of a GET says why.
        let answer = self.get().send().await?;
        let asked = self.named(&answer);
        let asked = asked.ok_or_else(|| Failure::new("the server names no SHA-256, so nothing can be verified"))?;
        Ok(Asked { answer: Some(answer), ..asked })
    }

    fn named(&self, answer: &Answer) -> Option<Asked> {
        let digest = named_digest(answer)?;
        self.progress.expect(answer.length().unwrap_or(0));
        let etag = answer.header("etag").map_or_else(|| format!("\"{digest}\""), str::to_owned);
        Some(Asked { digest, etag, answer: None })
    }

    fn get(&self) -> Request {
        self.client.get(&self.from).header("Accept-Encoding", "identity")
    }

    /// Fetches what is missing, in as many attempts as bring something; `answer` may be the first of them.
    async fn receive(
        &self,
        partial: &mut Partial,
        answer: Option<Answer>,
        digest: Sha256Digest,
        etag: &str,
    ) -> Result<(), Failure> {
        let mut ready = answer.filter(|_| partial.length == 0);
        let mut fruitless = 0;
        while !(partial.length > 0 && self.size.is_none_or(|size| size == partial.length) && partial.is(digest)) {
            let before = partial.length;
            match self.attempt(partial, ready.take(), digest, etag).await {
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

    async fn attempt(
        &self,
        partial: &mut Partial,
        ready: Option<Answer>,
        digest: Sha256Digest,
        etag: &str,
    ) -> Result<(), Attempt> {
        let mut answer = match ready {
            Some(answer) => answer,
            None => self.go_on(partial.length, etag).await?,
        };
        if named_digest(&answer).is_some_and(|named| named != digest) {
            return Err(Failure::new("the server's answer names another SHA-256 than was expected").into());
        }
        let written = |error: io::Error, partial: &Partial| Attempt::Final(partial.cannot(&error));
        match answer.status() {
            206 if starts_at(&answer, partial.length) => {}
            // It holds more than there is, or the server goes on elsewhere: from the beginning.
            206 | 416 => {
                partial.restart().map_err(|error| written(error, partial))?;
                return Err(Attempt::again());
            }
            _ => partial.restart().map_err(|error| written(error, partial))?,
        }
        while let Some(piece) = answer.next().await? {
            partial.take(&piece).map_err(|error| written(error, partial))?;
            self.progress.done(piece.len() as u64);
        }
        Ok(())
    }

    async fn go_on(&self, from: u64, etag: &str) -> Result<Answer, Error> {
        let call = self.get().accept(416);
        let call = match from {
            0 => call,
            _ => call.header("Range", &format!("bytes={from}-")).header("If-Range", etag),
        };
        call.send().await
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
