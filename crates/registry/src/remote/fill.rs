//! A file comes from an upstream: once, whoever asks; verified before it is kept or served as complete.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use model::{Code, EntryPath, Sha256Digest};
use tokio::sync::{broadcast, watch};
use tracing::Instrument as _;

use super::coming::{Coming, Fill, FillHead, Piece};
use super::look::Lately;
use super::object::Object;
use super::turn::PAUSE;
use super::verify::{checksum, lies, verify};
use super::{Remote, Revision};
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::fetch::Found;
use crate::instant::Instant;
use crate::packaging::Staged;

/// Pieces that the first reader may be behind; then it waits for the whole file.
const PIECES: usize = 64;
/// For how long nobody asks again for a file whose fetching failed.
const REST: Duration = Duration::from_secs(2);

/// What is at a path.
pub enum Reached {
    /// It is here.
    Here(Found),
    /// It comes from the upstream.
    Coming(Box<Coming>),
}

/// What is needed of what is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Its bytes.
    Bytes,
    /// What is known of them.
    Head,
}

impl Need {
    /// Whether it must come from the upstream again: it was let go, or is damaged.
    pub(super) fn comes_again(self, found: &Found) -> bool {
        self == Self::Bytes && found.is_absent()
    }
}

/// What is brought by the repository as it is set now, and for which moment: what must be true of it is told by the answers
/// of then.
type FillKey = (Revision, Object, Option<Instant>);
/// Files under way.
pub(crate) type Fills = Arc<Mutex<HashMap<FillKey, Arc<Fill>>>>;

impl Grant<Read> {
    /// What is at `path`: here, or on its way from the upstream of a remote repository.
    pub async fn reach(&self, path: &EntryPath, need: Need) -> Result<Reached> {
        let found = self.find(path).await;
        if self.follows_now() {
            return Box::pin(self.reach_followed(found, path, need)).await;
        }
        match found {
            Ok(found) if !need.comes_again(&found) => {
                Ok(Reached::Here(found.asked_as(|again| again.for_object(Object::File(path.clone())))))
            }
            found => Box::pin(self.reach_from(found, Object::File(path.clone()), need)).await,
        }
    }

    pub(super) async fn reach_object(&self, object: Object, need: Need) -> Result<Reached> {
        let found = self.find_object(&object).await;
        match &object {
            Object::File(path) if self.follows_now() => self.reach_followed(found, path, need).await,
            _ => self.reach_from(found, object, need).await,
        }
    }

    /// What was found here, or what is at the upstream.
    async fn reach_from(&self, found: Result<Found>, object: Object, need: Need) -> Result<Reached> {
        match found {
            Err(error) if error.code() == Some(Code::NotFound) && self.is_remote() => {
                if let Object::File(path) = &object {
                    self.expect_path_admitted(path).await?;
                }
                self.bring(object).await
            }
            Ok(found) if need.comes_again(&found) => {
                let gone = self.gone(&object, &found);
                let brought = self.bring(object).await;
                brought.map_err(|error| if error.code() == Some(Code::NotFound) { gone } else { error })
            }
            found => Ok(Reached::Here(found?.asked_as(|again| again.for_object(object)))),
        }
    }

    pub(super) async fn bring(&self, object: Object) -> Result<Reached> {
        match self.join(&object).await? {
            (fill, Some(pieces)) => {
                let head = fill.head().await?;
                if head.here {
                    fill.done().await?;
                    return self.find_object(&object).await.map(Reached::Here);
                }
                Ok(Reached::Coming(Box::new(Coming::new(self.clone(), object, fill, head, pieces))))
            }
            (fill, None) => {
                fill.done().await?;
                self.find_object(&object).await.map(Reached::Here)
            }
        }
    }

    /// The same, when it is here.
    pub async fn reach_whole(&self, path: &EntryPath) -> Result<Found> {
        match self.reach(path, Need::Bytes).await? {
            Reached::Here(found) => Ok(found),
            Reached::Coming(coming) => coming.whole().await,
        }
    }

    /// Under which it is remembered what became of it lately.
    fn spot(&self, object: &Object) -> String {
        match self.instant() {
            Some(instant) => format!("{}@{}", object.key(), instant.at()),
            None => object.key(),
        }
    }

    /// Begins to fetch, or joins who has begun: the first gets the pieces as they come.
    async fn join(&self, object: &Object) -> Result<(Arc<Fill>, Option<broadcast::Receiver<Piece>>)> {
        let remotes = &self.registry().inner.remotes;
        let (revision, now) = (self.revision(), self.ambient().now());
        match remotes.lately(revision, &self.spot(object), now) {
            Some(Lately::Failed(error)) => return Err(error),
            Some(Lately::Missing) => return Err(self.unknown(&object.to_string())),
            None => {}
        }
        let key = (revision, object.clone(), self.instant());
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
        let lied = AtomicBool::new(false);
        let fetch = Fetch { grant: self.clone(), object: object.clone(), head: tell_head, pieces, lied };
        let work = async move {
            let done = fetch.fetch().await;
            if let Err(error) = &done {
                fetch.note(error);
            }
            // Who asks from now on begins anew.
            drop(seat);
            if let Err(error) = &done {
                fetch.fail(error);
            }
            tell_done.send(Some(done)).ok();
        };
        tokio::spawn(work.in_current_span());
        Ok((fill, Some(first)))
    }
}

/// Ends the entry, also when the work panics.
struct Seat {
    fills: Fills,
    key: FillKey,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.fills.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

pub(super) struct Fetch {
    pub(super) grant: Grant<Read>,
    pub(super) object: Object,
    head: watch::Sender<Option<Result<FillHead>>>,
    pub(super) pieces: broadcast::Sender<Piece>,
    /// Whether the upstream sent other bytes than expected.
    pub(super) lied: AtomicBool,
}

impl Fetch {
    /// Tells whoever waits for its beginning.
    fn fail(&self, error: &Error) {
        self.head.send_if_modified(|head| {
            let silent = head.is_none();
            if silent {
                *head = Some(Err(error.clone()));
            }
            silent
        });
    }

    /// What just failed is not tried again at once.
    fn note(&self, error: &Error) {
        let (revision, now) = (self.grant.revision(), self.grant.ambient().now());
        let remotes = &self.grant.registry().inner.remotes;
        // Nobody was asked.
        if self.grant.remote().is_ok_and(|remote| remote.is_offline()) {
            return;
        }
        let spot = self.grant.spot(&self.object);
        let missing = self.grant.remote().map_or(REST, |remote| remote.missing());
        match error.code() {
            Some(Code::NotFound) => remotes.note(revision, &spot, now.plus(missing), Lately::Missing),
            Some(Code::ServiceUnavailable | Code::TooManyRequests | Code::InsufficientStorage) => {
                remotes.note(revision, &spot, now.plus(REST), Lately::Failed(error.clone()));
            }
            // What is here is served meanwhile.
            Some(code) if self.grant.follows() => {
                let index = self.grant.remote().map_or(REST, |remote| remote.index());
                let rest = if code == Code::Gone { index } else { REST };
                remotes.note(revision, &spot, now.plus(rest), Lately::Failed(error.clone()));
            }
            _ => {}
        }
    }

    async fn fetch(&self) -> Result<Sha256Digest> {
        let grant = &self.grant;
        let remote = grant.remote()?;
        let turn = loop {
            if let Some(turn) = grant.turn(&self.object.key()).await? {
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
        let (digest, last) = match (self.grant.find_object(&self.object).await, &self.object) {
            (found, Object::File(path)) if self.grant.follows_now() => {
                Box::pin(self.follow(remote, path, found)).await?
            }
            (Ok(found), _) if found.is_absent() => self.bring_again(remote, &found).await?,
            (Ok(found), _) => {
                self.tell(FillHead {
                    length: Some(found.size()),
                    sha256: Some(found.digest()),
                    published_at: None,
                    here: true,
                });
                return Ok(found.digest());
            }
            (Err(_), Object::File(path)) => self.bring_file(remote, path).await?,
            (Err(_), Object::Version(at, named, _)) => (self.bring_version(remote, at, named).await?, None),
            (Err(_), Object::Blob(at, named)) => self.bring_blob(remote, at, named).await?,
        };
        // Only what has no bytes was not announced before.
        if self.head.borrow().is_none() {
            self.tell(FillHead { length: Some(0), sha256: Some(digest), published_at: None, here: false });
        }
        if let Some(last) = last {
            self.pieces.send(Piece::Bytes(last)).ok();
        }
        self.pieces.send(Piece::End).ok();
        Ok(digest)
    }

    async fn bring_file(&self, remote: &Remote, path: &EntryPath) -> Result<(Sha256Digest, Option<Bytes>)> {
        let mut wanted = self.grant.wanted(remote, path).await?;
        // The file is read meanwhile: it holds one of the upstream's places, and checksums need others.
        let receive = self.receive(remote, &wanted.ask, &wanted.declared, wanted.sums(), Some(&wanted));
        let (received, checksum) = tokio::join!(receive, checksum(remote, &wanted));
        let (staged, last, published_at) = received?;
        wanted.published_at = published_at;
        let is_proven = |checksum: &Option<_>| checksum.is_some() || wanted.declared.is_told();
        let verified = match checksum {
            Ok(checksum) if is_proven(&checksum) => verify(&self.object, &wanted.declared.sums, checksum, &staged),
            Ok(_) => {
                wanted.unproven = true;
                self.expect_sound(remote, path, &staged).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = verified {
            staged.discard(self.grant.registry());
            return Err(error);
        }
        Ok((self.publish(wanted, staged).await?, last))
    }

    /// Refuses what cannot be the file, where nobody says what it must be.
    pub(super) async fn expect_sound(&self, remote: &Remote, path: &EntryPath, staged: &Staged) -> Result<()> {
        let (format, path) = (remote.format, path.clone());
        let looked = staged.look(self.grant.registry(), move |file| format.expect_sound(&path, file)).await;
        looked.map_err(|error| match error {
            Error::Refused(refusal) if refusal.code != Code::ServiceUnavailable => lies(&self.object, &refusal.detail),
            other => other,
        })
    }

    pub(super) fn tell(&self, head: FillHead) {
        self.head.send_replace(Some(Ok(head)));
    }
}
