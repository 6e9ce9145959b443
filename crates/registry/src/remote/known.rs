//! What an upstream tells of a package: asked where that is due, understood before it is kept.

use std::sync::Arc;

use bytes::Bytes;
use formats::{Ask, Known, PackageAt, Said, Unreadable, Upstream, Wanting};
use futures_util::future::try_join_all;
use model::{Code, ObservationId, Timestamp};
use store::observations::{Alarm, Observation};
use uuid::Uuid;

use super::look::{Heard, Lately};
use super::overlay::Here;
use super::room::{Crowded, Room, SHORT, crowded};
use super::turn::PAUSE;
use super::{Remote, Revision};
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};

/// Answers longer than this, in bytes, are read off the async workers.
const AT_ONCE: usize = 128 << 10;
/// Stands for an answer where there is no such thing.
pub(super) const NOTHING: ObservationId = ObservationId(Uuid::nil());

/// What was understood, and from which answers.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The answers, in the order of the questions; nil: there is no such thing.
    pub(super) answers: Arc<[ObservationId]>,
    pub(super) known: Arc<Known>,
    /// When the youngest of them was first given.
    pub(super) changed_at: Timestamp,
    /// When it was last confirmed, if that should have been done again and failed.
    pub(super) stale_since: Option<Timestamp>,
}

/// Which part of a package is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Which {
    All,
    Part(String),
    One(String),
}

impl Which {
    pub(crate) fn of(wanting: Wanting<'_>) -> Self {
        match wanting {
            Wanting::All => Self::All,
            Wanting::Part(part) => Self::Part(part.to_owned()),
            Wanting::One(name) => Self::One(name.to_owned()),
        }
    }

    pub(super) fn wanting(&self) -> Wanting<'_> {
        match self {
            Self::All => Wanting::All,
            Self::Part(part) => Wanting::Part(part),
            Self::One(name) => Wanting::One(name),
        }
    }
}

/// What a flight is about.
pub(super) type LookKey = (Revision, PackageAt, Which);
/// What was read: the answers, and which part was wanted of which package.
pub(super) type ReadKey = (Arc<[ObservationId]>, PackageAt, Which);

/// An answer with its bytes.
struct Body {
    bytes: Bytes,
    media_type: String,
    address: String,
    changed_at: Option<Timestamp>,
}

impl Grant<Read> {
    /// What the upstream tells of a package. `None`: it knows no such package.
    pub(crate) async fn told(&self, remote: Arc<Remote>, at: &PackageAt, which: Which) -> Result<Option<Arc<Seen>>> {
        // As if it had no such thing: it is not asked.
        match self.is_claimed(at).await? {
            true => Ok(None),
            false => self.told_unclaimed(remote, at, which).await,
        }
    }

    /// The same, of a name that no rule keeps from the upstream.
    pub(super) async fn told_unclaimed(
        &self,
        remote: Arc<Remote>,
        at: &PackageAt,
        which: Which,
    ) -> Result<Option<Arc<Seen>>> {
        if which == Which::All && self.is_namespace_claimed(at).await? {
            return Ok(None);
        }
        let which = if remote.format.narrows() { which } else { Which::All };
        if let Some(instant) = self.instant() {
            return Box::pin(self.told_then(&remote, at, &which, instant)).await;
        }
        if let Some(seen) = self.believed(&remote, at, &which).await? {
            return Ok(Some(seen));
        }
        Box::pin(self.asked(remote, at, which)).await
    }

    async fn asked(&self, remote: Arc<Remote>, at: &PackageAt, which: Which) -> Result<Option<Arc<Seen>>> {
        if remote.is_offline() && !self.knows_any(&remote, at, &which).await? {
            return Ok(None);
        }
        let key = (self.revision(), at.clone(), which.clone());
        let (grant, at) = (self.clone(), at.clone());
        let work = |wanted| async move { grant.ask_all(&remote.while_wanted(wanted), &at, &which).await };
        self.registry().inner.remotes.looks.join_while_wanted(key, work).await
    }

    /// What was read from answers that need no question. `None`: something is to be asked or read.
    async fn believed(&self, remote: &Remote, at: &PackageAt, which: &Which) -> Result<Option<Arc<Seen>>> {
        let now = self.ambient().now();
        let mut answers = Vec::new();
        let (mut changed_at, mut stale_since) = (Timestamp(0), None);
        let remotes = &self.registry().inner.remotes;
        for ask in remote.format.asks(at, which.wanting()) {
            match self.outlook(&ask.target).await? {
                Some(known) if remote.believes(&known, now) => {
                    changed_at = changed_at.max(known.seen_at);
                    answers.push(known.id);
                }
                Some(known) => {
                    // It failed just now: nobody asks again yet.
                    let Some(Lately::Failed(error)) = remotes.lately(self.revision(), &ask.target, now) else {
                        return Ok(None);
                    };
                    if remote.believe_still(Some(Arc::clone(&known)), now, error).is_err() {
                        return Ok(None);
                    }
                    changed_at = changed_at.max(known.seen_at);
                    stale_since =
                        Some(stale_since.map_or(known.checked_at, |since: Timestamp| since.min(known.checked_at)));
                    answers.push(known.id);
                }
                None if remotes.is_missing(self.revision(), &ask.target, now) => answers.push(NOTHING),
                _ => return Ok(None),
            }
        }
        let answers: Arc<[ObservationId]> = answers.into();
        let read = remotes.read.get(&(Arc::clone(&answers), at.clone(), which.clone()));
        let read = read.filter(|(_, known)| stale_since.is_none() || !remote.tells_of_nothing(which, Some(known)));
        Ok(read.map(|(_, known)| Arc::new(Seen { answers, known, changed_at, stale_since })))
    }

    /// Whether one of the answers is here.
    async fn knows_any(&self, remote: &Remote, at: &PackageAt, which: &Which) -> Result<bool> {
        for ask in remote.format.asks(at, which.wanting()) {
            if self.outlook(&ask.target).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn ask_all(&self, remote: &Remote, at: &PackageAt, which: &Which) -> Result<Option<Arc<Seen>>> {
        let asks = remote.format.asks(at, which.wanting());
        let Some(first) = asks.first() else { return Ok(None) };
        let turn = loop {
            if let Some(turn) = self.turn(&first.target).await? {
                break turn;
            }
            tokio::time::sleep(PAUSE).await;
        };
        let seen = self.ask_in_turn(remote, at, which, &asks).await;
        turn.end().await;
        seen
    }

    async fn ask_in_turn(
        &self,
        remote: &Remote,
        at: &PackageAt,
        which: &Which,
        asks: &[Ask],
    ) -> Result<Option<Arc<Seen>>> {
        let mut hearing = Vec::with_capacity(asks.len());
        for ask in asks {
            hearing.push(self.hear(remote, ask));
        }
        let mut heard = try_join_all(hearing).await?;
        let read = match self.understand(remote, at, which, &heard).await {
            Ok(read) => read,
            Err(error) => {
                heard = self.hear_damaged(remote, asks, heard, error).await?;
                self.understand(remote, at, which, &heard).await?
            }
        };
        let (heard, known) = match read {
            Ok(known) => (heard, known),
            Err(Unreadable(why)) => {
                tracing::warn!(repository = %self.repo().key, package = at.name, why, "an upstream is not understood");
                let why = format!("the upstream's answer is not understood: {why}");
                let heard = self.without_news(remote, heard, &Error::refuse(Code::ServiceUnavailable, why))?;
                let known = self.understand(remote, at, which, &heard).await?;
                (heard, known.map_err(|Unreadable(why)| Error::Defect(format!("a kept answer: {why}")))?)
            }
        };
        // That there was nothing is not said of an upstream that may have it by now.
        if let (true, Some(error)) =
            (remote.tells_of_nothing(which, known.as_deref()), heard.iter().find_map(Heard::stale))
        {
            return Err(error.clone());
        }
        if let (Which::Part(subject), Some(known)) = (which, &known)
            && known.versions.is_empty()
            && self.is_of_nothing_here(remote, at, subject, &heard).await?
        {
            let until = self.ambient().now().plus(remote.index());
            let remotes = &self.registry().inner.remotes;
            asks.iter().for_each(|ask| remotes.note(self.revision(), &ask.target, until, Lately::Missing));
            return Ok(None);
        }
        self.keep_all(at, which, asks, heard, known).await
    }

    /// What is damaged here is asked for again; the error, where nothing is.
    async fn hear_damaged(&self, remote: &Remote, asks: &[Ask], heard: Vec<Heard>, error: Error) -> Result<Vec<Heard>> {
        let (mut mended, mut any) = (Vec::with_capacity(heard.len()), false);
        for (ask, heard) in asks.iter().zip(heard) {
            mended.push(match heard {
                Heard::Holds { known, .. } if self.is_damaged(&known).await? => {
                    any = true;
                    self.hear_anew(remote, ask, &known).await?
                }
                other => other,
            });
        }
        if any { Ok(mended) } else { Err(error) }
    }

    /// What was known before, as if the upstream had failed.
    fn without_news(&self, remote: &Remote, heard: Vec<Heard>, why: &Error) -> Result<Vec<Heard>> {
        let news = heard.iter().any(|heard| matches!(heard, Heard::New { .. }));
        let before = |heard| self.still_known(remote, heard, why);
        if news { heard.into_iter().map(before).collect() } else { Err(why.clone()) }
    }

    /// The same, of one answer.
    pub(super) fn still_known(&self, remote: &Remote, heard: Heard, why: &Error) -> Result<Heard> {
        match heard {
            Heard::New { before, readable, .. } => {
                let before = before.filter(|_| readable);
                remote.believe_still(before, self.ambient().now(), why.clone())
            }
            other => Ok(other),
        }
    }

    pub(super) async fn understand(
        &self,
        remote: &Remote,
        at: &PackageAt,
        which: &Which,
        heard: &[Heard],
    ) -> Result<std::result::Result<Option<Arc<Known>>, Unreadable>> {
        if let Some(known) = self.understood(at, which, heard) {
            return Ok(Ok(Some(known)));
        }
        if !remote.is_wanted() && heard.iter().map(Heard::length).sum::<u64>() > SHORT {
            return Err(crowded());
        }
        let kept = heard.iter().filter(|heard| matches!(heard, Heard::Holds { .. })).map(Heard::length).sum();
        let mut room = Room::default();
        remote.make_room(&mut room, kept, Some(kept)).await.map_err(|Crowded| crowded())?;
        let mut bodies = Vec::with_capacity(heard.len());
        for heard in heard {
            bodies.push(self.body_heard(heard).await?);
        }
        let (format, at, which) = (remote.format, at.clone(), which.clone());
        let length: usize = bodies.iter().flatten().map(|body| body.bytes.len()).sum();
        // The work goes on when nobody waits for it any more: it keeps the room.
        let read = move || {
            let read = read(format, &at, &which, &bodies);
            drop((bodies, room));
            read
        };
        let read = match length <= AT_ONCE {
            true => read(),
            false => {
                let done = tokio::task::spawn_blocking(read).await;
                done.map_err(|error| Error::Defect(format!("reading an answer: {error}")))?
            }
        };
        Ok(read.map(|known| known.map(Arc::new)))
    }

    /// What was read already of answers that hold.
    fn understood(&self, at: &PackageAt, which: &Which, heard: &[Heard]) -> Option<Arc<Known>> {
        let held = |heard: &Heard| match heard {
            Heard::Holds { known, .. } => Some(known.id),
            _ => None,
        };
        let answers: Arc<[ObservationId]> = heard.iter().map(held).collect::<Option<_>>()?;
        let read = self.registry().inner.remotes.read.get(&(answers, at.clone(), which.clone()));
        read.map(|(_, known)| known)
    }

    async fn body_heard(&self, heard: &Heard) -> Result<Option<Body>> {
        match heard {
            Heard::Missing { .. } => Ok(None),
            Heard::Holds { known, .. } => Ok(self.body_of(known).await?.map(|bytes| Body {
                bytes,
                media_type: known.media_type.clone(),
                address: known.address.clone(),
                changed_at: known.changed_at,
            })),
            Heard::New { news, .. } => Ok(Some(Body {
                bytes: news.body.clone(),
                media_type: news.media_type.clone(),
                address: news.address.clone(),
                changed_at: news.changed_at,
            })),
        }
    }

    async fn keep_all(
        &self,
        at: &PackageAt,
        which: &Which,
        asks: &[Ask],
        heard: Vec<Heard>,
        known: Option<Arc<Known>>,
    ) -> Result<Option<Arc<Seen>>> {
        let (mut answers, mut changed_at, mut stale_since) = (Vec::new(), Timestamp(0), None);
        let mut news = false;
        let unasked = self.remote()?.is_offline();
        for (ask, heard) in asks.iter().zip(heard) {
            // Of a package that is there, what it has not is kept as well: it holds when the upstream is away.
            if (known.is_none() || unasked) && matches!(heard, Heard::Missing { before: None }) {
                answers.push(NOTHING);
                continue;
            }
            let stale = heard.stale().is_some();
            let before = heard.answer_before();
            let kept: Arc<Observation> = self.keep(ask, heard).await?;
            // Who only repeats himself has no news.
            news |= before.is_some_and(|before| before != Some(kept.id));
            answers.push(kept.id);
            changed_at = changed_at.max(kept.seen_at);
            if stale {
                stale_since = Some(stale_since.map_or(kept.checked_at, |since: Timestamp| since.min(kept.checked_at)));
            }
        }
        let Some(known) = known else { return Ok(None) };
        let answers: Arc<[ObservationId]> = answers.into();
        let key = (Arc::clone(&answers), at.clone(), which.clone());
        self.registry().inner.remotes.read.insert(key, (known.occupied(), Arc::clone(&known)));
        let seen = Seen { answers, known, changed_at, stale_since };
        if news {
            self.alarm(at, &seen).await?;
        }
        Ok(Some(Arc::new(seen)))
    }

    /// Tells of files that the upstream has changed after we took them.
    async fn alarm(&self, at: &PackageAt, seen: &Seen) -> Result<()> {
        if seen.known.versions.iter().all(|version| version.files.is_empty()) {
            return Ok(());
        }
        let here = Here::of(&seen.known, self.kept(at).await?);
        for (location, ours) in &here.changed {
            let files = seen.known.versions.iter().flat_map(|version| &version.files);
            let theirs = files.filter(|file| file.location.as_str() == location).find_map(|file| file.sha256);
            let theirs = theirs.map_or_else(|| "other bytes".to_owned(), |digest| format!("sha256:{digest}"));
            tracing::warn!(repository = %self.repo().key, path = location, "an upstream has changed a file");
            let (act, repo) = (self.act_of_ours(), self.repo_id());
            self.store().write(Alarm { act, repo, path: location.clone(), ours: ours.digest, theirs }).await?;
        }
        Ok(())
    }
}

fn read(
    format: &dyn Upstream,
    at: &PackageAt,
    which: &Which,
    bodies: &[Option<Body>],
) -> std::result::Result<Option<Known>, Unreadable> {
    let said: Vec<Option<Said<'_>>> = bodies.iter().map(|body| body.as_ref().map(Body::said)).collect();
    format.read(at, which.wanting(), &said)
}

impl Body {
    fn said(&self) -> Said<'_> {
        let Self { bytes, media_type, address, changed_at } = self;
        Said { body: bytes, media_type, address, changed_at: *changed_at }
    }
}
