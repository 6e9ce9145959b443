//! A file comes from an upstream: once, whoever asks; verified before it is kept or served as complete.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use formats::{Algorithm, Ask, Dated, NewFile as Announced, Sums};
use model::digest::hex;
use model::{Code, EntryPath, RepoId, Sha256Digest, Timestamp};
use outbound::{Found as Answer, Question, Reply};
use store::packages::Coordinate;
use store::releases::{self, NewFile, PublishRelease};
use tokio::sync::{broadcast, watch};
use tracing::Instrument as _;

use super::Remote;
use super::coming::Coming;
use super::look::{Lately, failed};
use super::source::Wanted;
use super::turn::PAUSE;
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::fetch::Found;
use crate::packaging::{Staged, Staging};
use crate::store_file::stored_place;

/// Pieces that the first reader may be behind; then it waits for the whole file.
const PIECES: usize = 64;
/// The longest checksum file, in bytes.
const CHECKSUM: u64 = 4096;
/// For how long nobody asks again for a file whose fetching failed.
const REST: Duration = Duration::from_secs(2);

/// What is at a path.
pub enum Reached {
    /// It is here.
    Here(Found),
    /// It comes from the upstream.
    Coming(Box<Coming>),
}

/// Files under way.
pub(crate) type Fills = Arc<Mutex<HashMap<(RepoId, EntryPath), Arc<Fill>>>>;

/// A file under way.
pub(crate) struct Fill {
    pub(super) head: watch::Receiver<Option<Result<FillHead>>>,
    pub(super) done: watch::Receiver<Option<Result<Sha256Digest>>>,
}

/// What is known of it before it has come.
#[derive(Clone, Debug)]
pub(super) struct FillHead {
    pub(super) length: Option<u64>,
    pub(super) sha256: Option<Sha256Digest>,
}

/// A piece under way.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Bytes(Bytes),
    /// All came, and it is what it should be.
    End,
}

impl Fill {
    pub(super) async fn head(&self) -> Result<FillHead> {
        landed(self.head.clone()).await
    }

    /// Waits until it is here; its digest.
    pub(super) async fn done(&self) -> Result<Sha256Digest> {
        landed(self.done.clone()).await
    }
}

async fn landed<T: Clone>(mut from: watch::Receiver<Option<Result<T>>>) -> Result<T> {
    let found = from.wait_for(Option::is_some).await.ok().and_then(|found| found.clone());
    found.unwrap_or_else(|| Err(Error::Defect("a fetch ended without a result".to_owned())))
}

impl Grant<Read> {
    /// What is at `path`: here, or on its way from the upstream of a remote repository.
    pub async fn reach(&self, path: &EntryPath) -> Result<Reached> {
        match self.find(path).await {
            Err(error) if error.code() == Some(Code::NotFound) && self.is_remote() => {}
            found => return found.map(Reached::Here),
        }
        self.expect_path_admitted(path).await?;
        match self.join(path).await? {
            (fill, Some(pieces)) => {
                let head = fill.head().await?;
                Ok(Reached::Coming(Box::new(Coming::new(self.clone(), path.clone(), fill, head, pieces))))
            }
            (fill, None) => {
                fill.done().await?;
                self.find(path).await.map(Reached::Here)
            }
        }
    }

    /// The same, when it is here.
    pub async fn reach_whole(&self, path: &EntryPath) -> Result<Found> {
        match self.reach(path).await? {
            Reached::Here(found) => Ok(found),
            Reached::Coming(coming) => coming.whole().await,
        }
    }

    /// Begins to fetch, or joins who has begun: the first gets the pieces as they come.
    async fn join(&self, path: &EntryPath) -> Result<(Arc<Fill>, Option<broadcast::Receiver<Piece>>)> {
        let remotes = &self.registry().inner.remotes;
        let (repo, now) = (self.repo_id(), self.ambient().now());
        match remotes.lately(repo, &file_key(path), now) {
            Some(Lately::Failed(error)) => return Err(error),
            Some(Lately::Missing) => return Err(Error::not_found(&format!("the file {path}"))),
            None => {}
        }
        let key = (repo, path.clone());
        let mut fills = remotes.fills.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fill) = fills.get(&key) {
            return Ok((Arc::clone(fill), None));
        }
        let (tell_head, head) = watch::channel(None);
        let (tell_done, done) = watch::channel(None);
        let (pieces, first) = broadcast::channel(PIECES);
        let fill = Arc::new(Fill { head, done });
        fills.insert(key.clone(), Arc::clone(&fill));
        drop(fills);
        let seat = Seat { fills: Arc::clone(&remotes.fills), key };
        let fetch = Fetch { grant: self.clone(), path: path.clone(), head: tell_head, pieces };
        let work = async move {
            let done = fetch.run().await;
            drop(seat);
            tell_done.send(Some(done)).ok();
        };
        tokio::spawn(work.in_current_span());
        Ok((fill, Some(first)))
    }
}

/// Under which a file is remembered beside questions, none of which begins with a slash.
fn file_key(path: &EntryPath) -> String {
    format!("/{path}")
}

/// Ends the entry, also when the work panics.
struct Seat {
    fills: Fills,
    key: (RepoId, EntryPath),
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.fills.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

struct Fetch {
    grant: Grant<Read>,
    path: EntryPath,
    head: watch::Sender<Option<Result<FillHead>>>,
    pieces: broadcast::Sender<Piece>,
}

impl Fetch {
    async fn run(self) -> Result<Sha256Digest> {
        let done = self.fetch().await;
        if let Err(error) = &done {
            self.head.send_if_modified(|head| {
                let silent = head.is_none();
                if silent {
                    *head = Some(Err(error.clone()));
                }
                silent
            });
            self.note(error);
        }
        done
    }

    /// What just failed is not tried again at once.
    fn note(&self, error: &Error) {
        let (repo, now) = (self.grant.repo_id(), self.grant.ambient().now());
        let remotes = &self.grant.registry().inner.remotes;
        let missing = self.grant.remote().map_or(REST, |remote| remote.missing());
        match error.code() {
            Some(Code::NotFound) => remotes.note(repo, &file_key(&self.path), now.plus(missing), Lately::Missing),
            Some(Code::ServiceUnavailable) => {
                remotes.note(repo, &file_key(&self.path), now.plus(REST), Lately::Failed(error.clone()));
            }
            _ => {}
        }
    }

    async fn fetch(&self) -> Result<Sha256Digest> {
        let grant = &self.grant;
        let remote = grant.remote()?;
        let turn = loop {
            if let Some(turn) = grant.turn(&file_key(&self.path)).await? {
                break turn;
            }
            tokio::time::sleep(PAUSE).await;
        };
        let done = self.bring(&remote).await;
        turn.end().await;
        done
    }

    async fn bring(&self, remote: &Remote) -> Result<Sha256Digest> {
        // Somebody may have brought it between the look and this.
        if let Ok(found) = self.grant.find(&self.path).await {
            self.tell(FillHead { length: Some(found.size()), sha256: Some(found.digest()) });
            return Ok(found.digest());
        }
        let mut wanted = self.grant.wanted(remote, &self.path).await?;
        // The file is read meanwhile: it holds one of the upstream's places, and checksums need others.
        let (received, checksum) = tokio::join!(self.receive(remote, &wanted), checksum(remote, &wanted));
        let (staged, last, published_at) = received?;
        wanted.published_at = published_at;
        let verified = checksum.and_then(|checksum| verify(&self.path, &wanted.declared.sums, checksum, &staged));
        if let Err(error) = verified {
            staged.discard(self.grant.registry());
            return Err(error);
        }
        let digest = self.publish(wanted, staged).await?;
        if let Some(last) = last {
            self.pieces.send(Piece::Bytes(last)).ok();
        }
        self.pieces.send(Piece::End).ok();
        Ok(digest)
    }

    fn tell(&self, head: FillHead) {
        self.head.send_replace(Some(Ok(head)));
    }

    /// Receives all of it; the last piece is held back until everything is known to be right.
    async fn receive(&self, remote: &Remote, wanted: &Wanted) -> Result<(Staged, Option<Bytes>, Option<Timestamp>)> {
        let reply = open(remote, &wanted.ask).await?;
        let mut reply = reply.ok_or_else(|| Error::not_found(&format!("the file {}", self.path)))?;
        let published_at = match remote.format.dated() {
            Dated::File => wanted.published_at.or(reply.changed_at()),
            Dated::Index | Dated::Version => wanted.published_at,
        };
        self.grant.expect_answered(wanted, published_at).await?;
        let length = match (wanted.declared.size, reply.length()) {
            (Some(told), Some(comes)) if told != comes => {
                let why = format!("it has {comes} bytes there instead of the {told} of the index");
                return Err(lies(&self.path, &why));
            }
            (told, comes) => told.or(comes),
        };
        let sha256 = wanted.declared.sha256;
        let mut staging = Staging::begin(self.grant.registry(), &Announced { sums: wanted.sums(), sha256, length })?;
        self.tell(FillHead { length, sha256 });
        let mut held: Option<Bytes> = None;
        while let Some(piece) = reply.next().await.map_err(|failure| failed(&failure))? {
            staging.write(piece.clone()).await?;
            if let Some(before) = held.replace(piece) {
                self.pieces.send(Piece::Bytes(before)).ok();
            }
        }
        let staged = staging.finish().await.map_err(|error| match error.code() {
            Some(Code::UploadVerificationFailed) => lies(&self.path, &error.to_string()),
            _ => error,
        })?;
        Ok((staged, held, published_at))
    }

    /// From here on it is served from here.
    async fn publish(&self, wanted: Wanted, staged: Staged) -> Result<Sha256Digest> {
        let (grant, registry) = (&self.grant, self.grant.registry());
        let digest = staged.received.digest;
        let place = stored_place(&staged.received);
        let attributes = wanted.attributes(&staged.sums);
        let file = NewFile {
            path: wanted.path,
            location: wanted.location,
            bytes: releases::Bytes::New(registry.new_blob(staged.received)),
            media_type: None,
            attributes,
        };
        let write = PublishRelease {
            act: grant.act_of_ours(),
            repo: grant.repo_id(),
            package: Coordinate {
                kind: grant.repo().format.clone(),
                namespace: wanted.package.namespace,
                name: wanted.package.name,
                display_name: wanted.display,
            },
            new_package: grant.ambient().id(),
            exact_name: false,
            id: grant.ambient().id(),
            version: wanted.version,
            files: vec![file],
            manifest: wanted.manifest,
            refs: Vec::new(),
            fixed: Vec::new(),
            subject: None,
            again: false,
            joins: true,
            twin: None,
            seal: None,
            stays_open: true,
            gather: None,
            limits: grant.settings().limits,
        };
        match grant.store().write(write).await {
            Ok(_) => Ok(digest),
            Err(error) => {
                registry.abandon(place, &error).await;
                // Another process was first.
                match grant.find(&self.path).await {
                    Ok(found) => Ok(found.digest()),
                    Err(_) => Err(error.into()),
                }
            }
        }
    }
}

/// The upstream's bytes are not what it says of them.
fn lies(path: &EntryPath, why: &str) -> Error {
    tracing::error!(%path, why, "an upstream sent other bytes than it tells of");
    let why = format!("the upstream sent other bytes for {path} than it tells of: {why}; nothing of it is kept");
    Error::refuse(Code::ServiceUnavailable, why)
}

/// `None`: there is no such thing.
async fn open(remote: &Remote, ask: &Ask) -> Result<Option<Answer>> {
    let question = Question { accept: ask.accept, ..Question::file(&ask.target, remote.longest) };
    match remote.upstream.ask(question).await.map_err(|failure| failed(&failure))? {
        Reply::Found(found) => Ok(Some(*found)),
        Reply::Missing => Ok(None),
        Reply::Unchanged => Err(Error::refuse(Code::ServiceUnavailable, "the upstream says that nothing has changed")),
    }
}

/// A checksum, and how it is computed.
type Checksum = (Algorithm, Vec<u8>);

/// What the upstream's first checksum file says.
async fn checksum(remote: &Remote, wanted: &Wanted) -> Result<Option<Checksum>> {
    for (algorithm, ask) in &wanted.checksums {
        let Some(reply) = open(&remote.with_longest(CHECKSUM), ask).await? else { continue };
        let text = reply.whole().await.map_err(|failure| failed(&failure))?;
        if let Some(sum) = first_sum(&text, *algorithm) {
            return Ok(Some((*algorithm, sum)));
        }
    }
    Ok(None)
}

/// Whether the bytes are those that the upstream tells of.
fn verify(path: &EntryPath, told: &Sums, checksum: Option<Checksum>, staged: &Staged) -> Result<()> {
    let found = |algorithm| match algorithm {
        Algorithm::Sha256 => Some(staged.received.digest.hex()),
        other => staged.sums.hex(other),
    };
    let told = Algorithm::ALL.into_iter().filter_map(|algorithm| Some((algorithm, told.hex(algorithm)?)));
    for (algorithm, told) in told.chain(checksum.map(|(algorithm, sum)| (algorithm, hex(&sum)))) {
        let found = found(algorithm).unwrap_or_default();
        if found != told {
            return Err(lies(path, &format!("its {} is {found} instead of {told}", algorithm.word())));
        }
    }
    Ok(())
}

/// The checksum that a text begins with.
fn first_sum(text: &[u8], algorithm: Algorithm) -> Option<Vec<u8>> {
    let word = std::str::from_utf8(text).ok()?.split_whitespace().next()?.to_ascii_lowercase();
    model::digest::unhex(&word).filter(|sum| sum.len() == algorithm.length())
}
