//! One question to an upstream: what is believed without asking, what it answers, what is believed although it fails.

use std::sync::Arc;
use std::time::Duration;

use blobs::{Expect, Received};
use bytes::Bytes;
use formats::Ask;
use model::{Code, ObservationId, Refusal, Timestamp};
use outbound::Failure;
use store::cached::Mend;
use store::observations::{self, Answer, Confirm, Observation, Observe};

use super::ask::{News, Reply, answer};
use super::{Remote, Remotes, Revision};
use crate::authorize::{Grant, Read};
use crate::content::Content;
use crate::error::{Error, Result};
use crate::store_file::stored_place;

/// The longest question, in bytes.
const LONGEST_TARGET: usize = 2000;
/// For how long nobody asks again after a failure.
pub(super) const REST: Duration = Duration::from_secs(5);
/// And so long at most are clients told to wait.
const LONGEST_REST: Duration = Duration::from_secs(10);

/// What came of a question.
pub(super) enum Heard {
    /// What is known holds.
    Holds {
        known: Arc<Observation>,
        /// The upstream said so just now.
        confirmed: bool,
        /// It should have been asked again, and that failed.
        stale: Option<Error>,
    },
    /// The upstream has no such thing.
    Missing { before: Option<Arc<Observation>> },
    /// Something new. `before` is what was known, `readable` whether it can be believed still.
    New { news: News, before: Option<Arc<Observation>>, readable: bool },
}

impl Heard {
    /// Why it could not be asked again although it should have been.
    pub(super) fn stale(&self) -> Option<&Error> {
        match self {
            Self::Holds { stale, .. } => stale.as_ref(),
            _ => None,
        }
    }

    /// What is known and holds.
    pub(super) fn held(&self) -> Option<Arc<Observation>> {
        match self {
            Self::Holds { known, .. } => Some(Arc::clone(known)),
            _ => None,
        }
    }

    /// How many bytes it has.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Holds { known, .. } => known.length,
            Self::Missing { .. } => 0,
            Self::New { news, .. } => news.body.len() as u64,
        }
    }

    /// Of an answer with a body: the one that was known before.
    pub(super) fn answer_before(&self) -> Option<Option<ObservationId>> {
        match self {
            Self::New { before, .. } => Some(before.as_ref().map(|known| known.id)),
            _ => None,
        }
    }
}

/// What happened lately and is in no row.
#[derive(Clone)]
pub(super) enum Lately {
    Missing,
    Failed(Error),
}

impl Remotes {
    pub(super) fn lately(&self, of: Revision, target: &str, now: Timestamp) -> Option<Lately> {
        let (until, what) = self.lately.get(&(of, target.into()))?;
        let left = Some(until.since(now)).filter(|_| now < until)?;
        Some(match what {
            Lately::Failed(error) => Lately::Failed(error.later(REST.saturating_sub(left), left)),
            Lately::Missing => Lately::Missing,
        })
    }

    /// Whether the upstream said just now that there is no such thing.
    pub(super) fn is_missing(&self, of: Revision, target: &str, now: Timestamp) -> bool {
        matches!(self.lately(of, target, now), Some(Lately::Missing))
    }

    pub(super) fn note(&self, of: Revision, target: &str, until: Timestamp, what: Lately) {
        self.lately.insert((of, target.into()), (until, what));
    }
}

/// Whether credentials are set, and which were refused, is for administrators alone.
const ASK_WHY: &str = " (administrators are told more by `artifortress admin repos check`)";

/// What the caller is told of a failed upstream: also when to come again, which some clients do five times without a word.
/// Whoever comes while it is left alone is answered without it.
pub(super) fn failed(upstream: Option<&outbound::Upstream>, failure: &Failure) -> Error {
    let more = if matches!(failure, Failure::Refused { status: 401 | 403, .. }) { ASK_WHY } else { "" };
    let refusal = Refusal::new(Code::ServiceUnavailable, format!("the upstream cannot be read: {failure}{more}"));
    let wait = upstream.and_then(|upstream| upstream.wait(failure)).unwrap_or_default();
    Error::Refused(refusal.retry_after(wait.clamp(REST, LONGEST_REST)))
}

impl Grant<Read> {
    /// The answer that is known, with no regard to its age.
    pub(super) async fn outlook(&self, target: &str) -> Result<Option<Arc<Observation>>> {
        let (repo, memory) = (self.repo_id(), &self.registry().inner.remotes.outlooks);
        let alone = self.store().fresh().is_some();
        if alone && let Some(known) = memory.get(&(repo, target.into())) {
            return Ok(Some(known));
        }
        let look = async |session: &mut store::Session<'_>| observations::find(session, repo, target).await;
        let found = self.store().read(look).await?.map(Arc::new);
        if let (true, Some(found)) = (alone, &found) {
            memory.insert((repo, target.into()), Arc::clone(found));
        }
        Ok(found)
    }

    /// Asks, where that is due.
    pub(super) async fn hear(&self, remote: &Remote, ask: &Ask) -> Result<Heard> {
        let now = self.ambient().now();
        if ask.target.len() > LONGEST_TARGET {
            return Ok(Heard::Missing { before: None });
        }
        let before = self.outlook(&ask.target).await?;
        if let Some(known) = before.as_ref().filter(|known| remote.believes(known, now)) {
            return Ok(Heard::Holds { known: Arc::clone(known), confirmed: false, stale: None });
        }
        if remote.is_offline() {
            return Ok(Heard::Missing { before: None });
        }
        let remotes = &self.registry().inner.remotes;
        match remotes.lately(self.revision(), &ask.target, now) {
            Some(Lately::Missing) => return Ok(Heard::Missing { before }),
            Some(Lately::Failed(error)) => return remote.believe_still(before, now, error),
            None => {}
        }
        match answer(remote, ask, before.as_deref()).await {
            Ok(Reply::New(news)) => Ok(Heard::New { news, before, readable: true }),
            Ok(Reply::Holds) => match before {
                Some(known) => Ok(Heard::Holds { known, confirmed: true, stale: None }),
                None => Err(Error::refuse(Code::ServiceUnavailable, "the upstream says that nothing has changed")),
            },
            Ok(Reply::Missing) => {
                remotes.note(self.revision(), &ask.target, now.plus(remote.missing()), Lately::Missing);
                Ok(Heard::Missing { before })
            }
            Err(failure) => {
                let error = self.note_failure(remote, ask, &failure);
                remote.believe_still(before, now, error)
            }
        }
    }

    /// Writes down what was heard; what was understood holds from now on.
    pub(super) async fn keep(&self, ask: &Ask, heard: Heard) -> Result<Arc<Observation>> {
        if let Heard::Holds { known, confirmed: false, .. } = heard {
            return Ok(known);
        }
        self.expect_same_upstream().await?;
        let (before, news) = match heard {
            Heard::Holds { known, .. } => return self.confirm(ask, known).await,
            Heard::Missing { before: Some(known) } if known.digest.is_none() => {
                return self.confirm(ask, known).await;
            }
            Heard::Missing { before } => (before, None),
            Heard::New { news, before, .. } => (before, Some(news)),
        };
        let received = match &news {
            Some(news) => Some(self.receive_answer(news.body.clone()).await?),
            None => None,
        };
        let (digest, place) = match &received {
            Some(received) => (Some(received.digest), stored_place(received)),
            None => (None, None),
        };
        if let Some(known) = before.filter(|known| digest.is_some() && known.digest == digest) {
            self.keep_once(received, &known).await?;
            return self.confirm(ask, known).await;
        }
        let act = self.act_of_ours();
        let (at, length) = (act.at, received.as_ref().map_or(0, |received| received.length));
        let (media_type, address, etag, changed_at) = match news {
            Some(News { media_type, address, etag, changed_at, .. }) => (media_type, address, etag, changed_at),
            None => Default::default(),
        };
        let write = Observe {
            act,
            repo: self.repo_id(),
            answer: Answer {
                target: ask.target.clone(),
                id: self.ambient().id(),
                media_type,
                address,
                etag,
                changed_at,
            },
            blob: received.map(|received| self.registry().new_blob(received)),
            held: self.remote()?.format.lists(ask).then(|| self.ambient().id()),
            limits: self.settings().limits,
        };
        if let Err(error) = self.registry().deposit(write.clone()).await {
            self.registry().abandon(place, &error).await;
            return Err(error.into());
        }
        let Answer { id, media_type, address, etag, changed_at, .. } = write.answer;
        let kept =
            Observation { id, digest, length, media_type, address, etag, changed_at, seen_at: at, checked_at: at };
        Ok(self.remember_outlook(ask, kept))
    }

    /// Refuses what was said by an upstream that is the repository's no more.
    pub(super) async fn expect_same_upstream(&self) -> Result<()> {
        let now = self.call().repository_now(&self.repo().key).await?;
        if now.upstream_url == self.repo().upstream_url {
            return Ok(());
        }
        let why = format!("{} has been given another upstream meanwhile: ask again", now.key);
        Err(Error::refuse(Code::ServiceUnavailable, why))
    }

    /// Takes the bytes of an answer that is known: in place of damaged ones, or not at all.
    pub(super) async fn keep_once(&self, received: Option<Received>, known: &Observation) -> Result<()> {
        let Some(received) = received else { return Ok(()) };
        let place = stored_place(&received);
        if self.is_damaged(known).await? {
            let blob = self.registry().new_blob(received);
            let write = Mend { act: self.act_of_ours(), repo: self.repo_id(), blob };
            if let Err(error) = self.registry().deposit(write).await {
                self.registry().abandon(place, &error).await;
                return Err(error.into());
            }
        } else if let Some(place) = place {
            self.registry().blobs().remove(&place).await?;
        }
        Ok(())
    }

    pub(super) async fn receive_answer(&self, body: Bytes) -> Result<Received> {
        let mut writer = self.registry().blobs().writer(self.ambient());
        writer.write(body).await?;
        Ok(writer.finish(Expect::default()).await?)
    }

    pub(super) async fn confirm(&self, ask: &Ask, known: Arc<Observation>) -> Result<Arc<Observation>> {
        let (repo, at) = (self.repo_id(), self.ambient().now());
        let write = Confirm { repo, target: ask.target.clone(), observation: known.id, at };
        self.store().write(write).await?;
        Ok(self.remember_outlook(ask, Observation { checked_at: at, ..(*known).clone() }))
    }

    /// The answer that holds is another one by now.
    pub(super) fn forget_outlook(&self, target: &str) {
        self.registry().inner.remotes.outlooks.remove(&(self.repo_id(), target.into()));
    }

    fn remember_outlook(&self, ask: &Ask, known: Observation) -> Arc<Observation> {
        let known = Arc::new(known);
        if self.store().fresh().is_some() {
            let key = (self.repo_id(), ask.target.as_str().into());
            self.registry().inner.remotes.outlooks.insert(key, Arc::clone(&known));
        }
        known
    }

    /// Asks for what was answered before and is damaged here: without saying what is known.
    pub(super) async fn hear_anew(&self, remote: &Remote, ask: &Ask, known: &Arc<Observation>) -> Result<Heard> {
        if remote.is_offline() {
            let (target, repo) = (&ask.target, &self.repo().key);
            let why = format!(
                "what the upstream answered to {target} is damaged here, and {repo} is offline: its upstream is not asked"
            );
            return Err(Error::refuse(Code::ServiceUnavailable, why));
        }
        let remotes = &self.registry().inner.remotes;
        if let Some(Lately::Failed(error)) = remotes.lately(self.revision(), &ask.target, self.ambient().now()) {
            return Err(error);
        }
        tracing::warn!(repository = %self.repo().key, asked = ask.target, "a damaged answer is asked for again");
        match answer(remote, ask, None).await {
            Ok(Reply::New(news)) => Ok(Heard::New { news, before: Some(Arc::clone(known)), readable: false }),
            Ok(Reply::Missing) => Ok(Heard::Missing { before: Some(Arc::clone(known)) }),
            Ok(Reply::Holds) => {
                Err(Error::refuse(Code::ServiceUnavailable, "the upstream says that nothing has changed"))
            }
            Err(failure) => Err(self.note_failure(remote, ask, &failure)),
        }
    }

    fn note_failure(&self, remote: &Remote, ask: &Ask, failure: &Failure) -> Error {
        tracing::warn!(repository = %self.repo().key, %failure, "an upstream failed");
        let (error, until) = (failed(Some(&remote.upstream), failure), self.ambient().now().plus(REST));
        // Our own bounds say nothing of the upstream: the next one tries.
        if matches!(failure, Failure::Busy(_)) {
            return error;
        }
        let remotes = &self.registry().inner.remotes;
        remotes.note(self.revision(), &ask.target, until, Lately::Failed(error.clone()));
        error
    }

    /// Whether no good copy is left of an answer that was kept.
    pub(super) async fn is_damaged(&self, known: &Observation) -> Result<bool> {
        let Some(digest) = known.digest else { return Ok(false) };
        let look = async |session: &mut store::Session<'_>| store::blobs::copies(session, digest).await;
        Ok(self.store().read(look).await?.is_empty())
    }

    /// The bytes of an answer that was kept.
    pub(super) async fn body_of(&self, known: &Observation) -> Result<Option<Bytes>> {
        let Some(digest) = known.digest else { return Ok(None) };
        let look = async |session: &mut store::Session<'_>| store::blobs::copies(session, digest).await;
        let copies = self.store().read(look).await?;
        let copies =
            copies.into_iter().map(|copy| crate::copies::copy_of(copy, known.length)).collect::<Result<_>>()?;
        let content = Content::open(self.registry(), digest, known.length, copies, None, None).await?;
        content.whole().await.map(Some)
    }
}
