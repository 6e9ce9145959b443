//! Files that may change at the upstream: what is here is believed for a while, then it is asked whether it has changed.
//! Other bytes are a new version of the path.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use formats::Ask;
use model::{Code, EntryPath, Sha256Digest, Timestamp};
use outbound::{Found as Reply, Question};
use store::observations::{Answer, Observation, Retell};
use store::packages::Coordinate;
use store::publish::{FromUpstream, PublishFile, Replace};

use super::Remote;
use super::coming::FillHead;
use super::fill::{Fetch, Need, Reached};
use super::look::failed;
use super::object::Object;
use super::receive::{Handed, SOON, is_folder};
use super::source::Wanted;
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::fetch::Found;
use crate::packaging::Staged;
use crate::store_file::stored_place;

/// The same bytes with another tag are noted so often at most: some upstreams have a new one for each answer.
const RETOLD: Duration = Duration::from_secs(3600);
/// For how long an absent file that was confirmed is not confirmed again before its bytes come.
const JUST_NOW: Duration = Duration::from_secs(10);
/// What was changed less than this before it was answered may have been changed again within the same second, of which
/// `Last-Modified` says nothing (RFC 9110, section 8.8.2.2).
const SETTLED: Duration = Duration::from_secs(60);

/// How far what is here of a file can be believed.
struct Standing {
    /// The answer that it came with, or that was the same since.
    answer: Option<Arc<Observation>>,
    /// When the upstream last said so.
    confirmed_at: Timestamp,
    /// Whether nothing need be asked.
    holds: bool,
    /// Whether it is served while the upstream fails.
    lasts: bool,
}

impl Standing {
    /// Whether it is served although the upstream was asked. What rules keep out is as if it were not there yet.
    fn outlasts(&self, error: &Error) -> bool {
        match error.code() {
            Some(Code::PolicyDenied) => true,
            Some(_) => self.lasts,
            None => false,
        }
    }

    /// The answer that the upstream's next one is compared with.
    fn compared(&self, remote: &Remote) -> Option<&Observation> {
        self.answer.as_deref().filter(|answer| remote.is_its(answer))
    }
}

/// Whether what begins to come is what came with `before`, by its time and length. An upstream is not asked to compare
/// times itself: it would not tell of a file that is older than ours (RFC 9110, section 13.1.3).
fn is_same(reply: &Reply, before: &Observation) -> bool {
    let settled = before.changed_at.is_some_and(|changed| changed.plus(SETTLED) <= before.seen_at);
    let same = (reply.changed_at(), reply.length()) == (before.changed_at, Some(before.length));
    settled && same && reply.etag().is_none() && before.etag.is_none() && reply.address() == before.address
}

/// What the upstream says of a file.
enum Heard {
    Same,
    New(Box<Reply>),
}

impl<A> Grant<A> {
    /// Whether what is here of a file follows what the upstream has.
    pub(crate) fn follows(&self) -> bool {
        self.is_remote() && self.repo_settings().is_ok_and(|settings| settings.allow_overwrite)
    }

    /// The same, of what is asked as of now.
    pub(super) fn follows_now(&self) -> bool {
        self.follows() && self.instant().is_none()
    }
}

impl Grant<Read> {
    /// What is at the path of a file that may change, of which this was found here.
    pub(super) async fn reach_followed(&self, found: Result<Found>, path: &EntryPath, need: Need) -> Result<Reached> {
        let object = Object::File(path.clone());
        let found = match found {
            Ok(found) => found,
            Err(error) => return self.reach_unknown(error, path).await,
        };
        let remote = self.remote()?;
        let standing = self.standing(&remote, &object, Some(&found)).await?;
        let here = |found: Found| Ok(Reached::Here(found.asked_as(|again| again.for_object(object.clone()))));
        if standing.holds && !need.comes_again(&found) {
            return here(found);
        }
        let mut reached = self.bring(object.clone()).await;
        if matches!(&reached, Ok(Reached::Here(now)) if need.comes_again(now)) {
            // It was only confirmed: now the bytes are wanted, too.
            reached = self.bring(object.clone()).await;
        }
        match reached {
            Ok(Reached::Here(now)) => here(now),
            Err(error) if standing.outlasts(&error) && !need.comes_again(&found) => {
                here(found.stale(standing.confirmed_at))
            }
            other => other,
        }
    }

    /// The same, where nothing is served from here. What was withdrawn, or is kept out by rules, is asked for again, too:
    /// other bytes are something else.
    async fn reach_unknown(&self, error: Error, path: &EntryPath) -> Result<Reached> {
        let known = match error.code() {
            Some(Code::NotFound) => false,
            Some(Code::Gone) => true,
            Some(Code::PolicyDenied) if !self.holds_at(path).await? => true,
            _ => return Err(error),
        };
        let brought = match self.expect_path_admitted(path).await {
            Ok(()) => self.bring(Object::File(path.clone())).await,
            Err(denied) => Err(denied),
        };
        brought.map_err(|why| if known { error } else { why })
    }

    /// Whether nothing need be asked about what is here, whatever rules say of it.
    async fn holds_at(&self, path: &EntryPath) -> Result<bool> {
        let Ok(found) = self.find_any(path).await else { return Ok(true) };
        let object = Object::File(path.clone());
        let remote = self.remote()?;
        Ok(self.standing(&remote, &object, Some(&found)).await?.holds)
    }

    async fn standing(&self, remote: &Remote, object: &Object, found: Option<&Found>) -> Result<Standing> {
        let now = self.ambient().now();
        let its = |answer: &Arc<Observation>| found.is_none_or(|found| answer.digest == Some(found.digest()));
        let answer = self.outlook(&object.key()).await?.filter(its);
        let came_at = found.map_or(Timestamp(0), Found::modified_at);
        let confirmed_at = answer.as_ref().map_or(came_at, |answer| answer.checked_at);
        let is_its = answer.as_ref().is_none_or(|answer| remote.is_its(answer));
        let lasts = is_its && now < confirmed_at.plus(remote.stale_bound());
        Ok(Standing { answer, confirmed_at, holds: remote.holds(confirmed_at, remote.index(), now), lasts })
    }

    /// Whether anything was withdrawn at a path.
    async fn has_withdrawn(&self, path: &EntryPath) -> Result<bool> {
        let repo = self.repo_id();
        let look =
            async |session: &mut store::Session<'_>| store::tombstones::is_any_at(session, repo, path.as_str()).await;
        Ok(self.store().read(look).await?)
    }
}

impl Fetch {
    /// Brings what the upstream has at a path by now, unless that is what is here.
    pub(super) async fn follow(
        &self,
        remote: &Remote,
        path: &EntryPath,
        found: Result<Found>,
    ) -> Result<(Sha256Digest, Option<Bytes>)> {
        let known = match found {
            Ok(found) => Some(found),
            Err(error) if error.code() == Some(Code::PolicyDenied) => Some(self.grant.find_any(path).await?),
            Err(error) if matches!(error.code(), Some(Code::NotFound | Code::Gone)) => None,
            Err(error) => return Err(error),
        };
        let standing = self.grant.standing(remote, &self.object, known.as_ref()).await?;
        if let Some(found) = known.as_ref().filter(|found| standing.holds && !found.is_absent()) {
            return Ok(self.is_here(found.digest()));
        }
        if remote.is_offline() {
            return Err(known.map_or_else(|| self.unknown(), |found| self.grant.gone(&self.object, &found)));
        }
        let mut wanted = self.grant.wanted_anew(path).await?;
        // Of what is absent and was confirmed just now the bytes are wanted, however short it is believed.
        let just_now = self.grant.ambient().now() < standing.confirmed_at.plus(JUST_NOW);
        let is_due = known.as_ref().is_none_or(|found| !(standing.holds || found.is_absent() && just_now));
        let before = standing.compared(remote).filter(|_| is_due);
        let reply = match self.ask_whether(remote, &wanted.ask, before).await? {
            Heard::New(reply) => *reply,
            Heard::Same => return self.same(known.as_ref(), &standing, path).await,
        };
        let answer = self.answer(&reply);
        let changed_at = reply.changed_at();
        let here = known.as_ref().map(Found::digest);
        // It may be what is here, under another time: whether that is too young is asked when the bytes are others.
        let as_long = known.as_ref().is_some_and(|found| reply.length() == Some(found.size()) && found.size() <= SOON);
        let is_short = known.is_some() && reply.length().is_none_or(|length| length <= SOON);
        let is_quiet = is_short || self.grant.has_withdrawn(path).await?;
        let handed = if is_quiet { Handed::Whole } else { Handed::AsTheyCome };
        let judged = Some(&wanted).filter(|_| !as_long);
        let (staged, last, _) = self.take(remote, reply, &wanted.declared, wanted.sums(), judged, handed).await?;
        let is_other = here != Some(staged.received.digest);
        let checked = match self.expect_sound(remote, path, &staged).await {
            Ok(()) if is_other => self.admitted(remote, &wanted, changed_at).await,
            Ok(()) => Ok(changed_at),
            Err(error) => Err(error),
        };
        let published_at = match checked {
            Ok(published_at) => published_at,
            Err(error) => {
                staged.discard(self.grant.registry());
                return Err(error);
            }
        };
        (wanted.published_at, wanted.unproven) = (published_at, true);
        let digest = match known.filter(|found| found.digest() == staged.received.digest) {
            Some(found) => self.keep_same(&found, staged, answer, &standing).await?,
            None => self.publish_anew(wanted, staged, answer, here).await?,
        };
        Ok(if is_quiet { self.is_here(digest) } else { (digest, last) })
    }

    /// Whoever waits finds it here.
    pub(super) fn is_here(&self, digest: Sha256Digest) -> (Sha256Digest, Option<Bytes>) {
        self.tell(FillHead { length: None, sha256: Some(digest), published_at: None, here: true });
        (digest, None)
    }

    fn unknown(&self) -> Error {
        self.grant.unknown(&self.object.to_string())
    }

    /// What the upstream has by now, compared with what came `before`.
    async fn ask_whether(&self, remote: &Remote, ask: &Ask, before: Option<&Observation>) -> Result<Heard> {
        let question = Question { accept: ask.accept, ..Question::file(&ask.target, remote.longest) };
        let etag = before.and_then(|before| before.etag.as_deref());
        let mut reply = remote.upstream.ask(Question { etag, ..question }).await;
        if let Ok(outbound::Reply::Unchanged(address)) = &reply {
            if before.is_some_and(|before| before.address == *address) {
                return Ok(Heard::Same);
            }
            // It leads elsewhere by now, where the same tag may stand for something else.
            reply = remote.upstream.ask(question).await;
        }
        match reply {
            Ok(outbound::Reply::Found(reply)) if is_folder(&reply, ask) => Err(self.unknown()),
            Ok(outbound::Reply::Found(reply)) if before.is_some_and(|before| is_same(&reply, before)) => {
                Ok(Heard::Same)
            }
            Ok(outbound::Reply::Found(reply)) => Ok(Heard::New(reply)),
            Ok(outbound::Reply::Unchanged(_)) => {
                Err(Error::refuse(Code::ServiceUnavailable, "the upstream says that nothing has changed"))
            }
            Ok(outbound::Reply::Missing) => Err(self.unknown()),
            Err(failure) => Err(failed(Some(&remote.upstream), &failure)),
        }
    }

    fn answer(&self, reply: &Reply) -> Answer {
        Answer {
            id: self.grant.ambient().id(),
            target: self.object.key(),
            media_type: reply.media_type(),
            address: reply.address().to_owned(),
            etag: reply.etag().map(str::to_owned),
            changed_at: reply.changed_at(),
        }
    }

    /// The upstream says that nothing has changed: the time of that is written and nothing else.
    async fn same(
        &self,
        known: Option<&Found>,
        standing: &Standing,
        path: &EntryPath,
    ) -> Result<(Sha256Digest, Option<Bytes>)> {
        let (Some(found), Some(answer)) = (known, &standing.answer) else {
            return Err(Error::refuse(Code::Gone, format!("{path} was withdrawn")));
        };
        self.confirm_answer(answer).await?;
        Ok(self.is_here(found.digest()))
    }

    async fn confirm_answer(&self, answer: &Arc<Observation>) -> Result<()> {
        self.grant.expect_same_upstream().await?;
        let ask = Ask { target: self.object.key(), accept: "" };
        self.grant.confirm(&ask, Arc::clone(answer)).await.map(drop)
    }

    /// The bytes that are here came once more: they are taken where ours are gone.
    async fn keep_same(
        &self,
        found: &Found,
        staged: Staged,
        answer: Answer,
        standing: &Standing,
    ) -> Result<Sha256Digest> {
        let (grant, digest, length) = (&self.grant, staged.received.digest, staged.received.length);
        match found.is_absent() {
            true => drop(self.refill(staged).await?),
            false => staged.discard(grant.registry()),
        }
        let now = grant.ambient().now();
        match &standing.answer {
            Some(known)
                if (&known.etag, known.changed_at) == (&answer.etag, answer.changed_at)
                    || now < known.seen_at.plus(RETOLD) =>
            {
                self.confirm_answer(known).await?;
            }
            _ => {
                grant.expect_same_upstream().await?;
                let write = Retell { act: grant.act_of_ours(), repo: grant.repo_id(), answer, digest, length };
                grant.store().write(write).await?;
                grant.forget_outlook(&self.object.key());
            }
        }
        Ok(digest)
    }

    /// Other bytes than those `before` are the next version of the path.
    async fn publish_anew(
        &self,
        wanted: Wanted,
        staged: Staged,
        answer: Answer,
        before: Option<Sha256Digest>,
    ) -> Result<Sha256Digest> {
        let (grant, registry) = (&self.grant, self.grant.registry());
        let replace = before.map_or(Replace::Nothing, |before| Replace::OneOf(vec![before]));
        let (digest, place) = (staged.received.digest, stored_place(&staged.received));
        let attributes = wanted.attributes(&staged.sums);
        let write = PublishFile {
            act: grant.act_of_ours(),
            repo: grant.repo_id(),
            package: Coordinate {
                kind: grant.repo().format.clone(),
                namespace: wanted.package.namespace,
                name: wanted.package.name,
                display_name: wanted.display,
            },
            new_package: grant.ambient().id(),
            version: grant.ambient().id(),
            path: wanted.location,
            media_type: None,
            blob: registry.new_blob(staged.received),
            overwrite: true,
            replace,
            upstream: Some(Box::new(FromUpstream {
                answer,
                version: wanted.version,
                revision: grant.repo().revision,
                attributes,
            })),
            limits: grant.settings().limits,
        };
        let published = registry.deposit(write).await;
        grant.forget_outlook(&self.object.key());
        match published {
            Err(error) if matches!(&error, store::Error::Refused(refusal) if refusal.code == Code::PreconditionFailed) =>
            {
                registry.abandon(place, &error).await;
                let why = format!("{} or its repository was changed meanwhile: ask again", self.object);
                Err(Error::refuse(Code::ServiceUnavailable, why))
            }
            published => self.written(published, digest, place).await,
        }
    }
}
