//! What of an upstream was known here at a moment: its newest answers until then, read again. Nobody is asked.

use std::sync::Arc;

use formats::{Algorithm, Ask, Known, Named, Origin, PackageAt, Sums};
use model::state::VersionState;
use model::{Code, EntryPath, Timestamp};
use store::locations::Located;
use store::observations::{self, Observation};

use super::Remote;
use super::ask::names;
use super::fill::{Need, Reached};
use super::known::{NOTHING, Seen, Which};
use super::look::Heard;
use super::source::{Declared, Wanted, listed};
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::fetch::Found;
use crate::instant::Instant;

/// What names content may be named by something else that names it: an index of images, an image, a layer.
const DEPTH: usize = 3;

impl Grant<Read> {
    /// What the upstream had told of a package. `None`: nothing was known of it.
    pub(super) async fn told_then(
        &self,
        remote: &Remote,
        at: &PackageAt,
        which: &Which,
        instant: Instant,
    ) -> Result<Option<Arc<Seen>>> {
        let (mut heard, mut answers, mut changed_at) = (Vec::new(), Vec::new(), Timestamp(0));
        let asks = remote.format.asks(at, which.wanting());
        for ask in &asks {
            let found = self.answer_then(&ask.target, instant).await?;
            answers.push(found.as_ref().map_or(NOTHING, |known| known.id));
            changed_at = found.as_ref().map_or(changed_at, |known| changed_at.max(known.seen_at));
            heard.push(match found {
                Some(known) => Heard::Holds { known: Arc::new(known), confirmed: false, stale: None },
                None => Heard::Missing { before: None },
            });
        }
        if answers.iter().all(|answer| *answer == NOTHING) {
            return Ok(None);
        }
        // What was read depends on the answers alone: the memory is that of now.
        let answers: Arc<[_]> = answers.into();
        let (memory, key) = (&self.registry().inner.remotes.read, (Arc::clone(&answers), at.clone(), which.clone()));
        let known = match memory.get(&key) {
            Some((_, known)) => known,
            None => {
                let known = match self.understand(remote, at, which, &heard).await {
                    Ok(known) => known,
                    Err(error) => {
                        let held: Vec<_> = heard.iter().map(Heard::held).collect();
                        self.bring_answers(remote, &asks, &held, error).await?;
                        self.understand(remote, at, which, &heard).await?
                    }
                };
                let known = known.map_err(|why| Error::Defect(format!("a kept answer: {why}")))?;
                let Some(known) = known else { return Ok(None) };
                memory.insert(key, (known.occupied(), Arc::clone(&known)));
                known
            }
        };
        let known = published(known, instant.at());
        Ok(Some(Arc::new(Seen { answers, known, changed_at, stale_since: None })))
    }

    /// Answers of then that are damaged here come again where the upstream still says the same; another answer is never
    /// taken for one. The error, where none is damaged.
    pub(super) async fn bring_answers(
        &self,
        remote: &Remote,
        asks: &[Ask],
        answers: &[Option<Arc<Observation>>],
        error: Error,
    ) -> Result<()> {
        let (now, mut any) = (self.clone().as_of(None), false);
        for (ask, known) in asks.iter().zip(answers) {
            let Some(known) = known else { continue };
            if !self.is_damaged(known).await? {
                continue;
            }
            any = true;
            match now.hear_anew(remote, ask, known).await? {
                Heard::New { news, .. } if is_same(known, &news.body) => {
                    let received = now.receive_answer(news.body).await?;
                    now.keep_once(Some(received), known).await?;
                }
                _ => {
                    let (target, at) = (&ask.target, known.seen_at.to_seconds());
                    let why =
                        format!("what the upstream answered to {target} at {at} is damaged here and has changed there");
                    return Err(Error::refuse(Code::ServiceUnavailable, why));
                }
            }
        }
        if any { Ok(()) } else { Err(error) }
    }

    pub(super) async fn answer_then(
        &self,
        target: &str,
        instant: Instant,
    ) -> Result<Option<observations::Observation>> {
        let repo = self.repo_id();
        let look =
            async |session: &mut store::Session<'_>| observations::find_at(session, repo, target, instant.at()).await;
        Ok(self.store().read(look).await?)
    }

    /// The file of which the upstream had told, with what makes sure that it is that one: an index with its digest.
    pub(super) async fn wanted_then(&self, remote: &Remote, path: &EntryPath) -> Result<Option<Wanted>> {
        let Some(Origin::Listed(at)) = remote.format.origin(path) else { return Ok(None) };
        let Some(seen) = self.told(Arc::new(remote.clone()), &at, Which::All).await? else { return Ok(None) };
        Ok(listed(&seen, &at, path).filter(|wanted| wanted.declared.is_told()))
    }

    /// A file of which the upstream had told and that was fetched later. 404 where it is still to be fetched, 410 where
    /// other bytes have come under its name.
    pub(crate) async fn found_since(&self, path: &EntryPath) -> Result<Option<Found>> {
        if !self.is_remote() {
            return Ok(None);
        }
        let Some(wanted) = self.wanted_then(&*self.remote()?, path).await? else { return Ok(None) };
        let repo = self.repo_id();
        let look = async |session: &mut store::Session<'_>| store::locations::find(session, repo, path.as_str()).await;
        let located = self.store().read(look).await?;
        let here = |located: &Located| matches!(located.state, VersionState::Published | VersionState::Tombstoned);
        match located.filter(here) {
            None => Ok(None),
            Some(located) if wanted.declared.are(&located) => self.located(located).await.map(Some),
            Some(_) => {
                let why = format!("{path} had other bytes then, which were never fetched: what is here came later");
                Err(Error::refuse(Code::Gone, why))
            }
        }
    }

    /// Content that its name proves, where the name was known.
    pub(super) async fn reach_then(
        &self,
        at: &PackageAt,
        named: &Named,
        path: Option<&EntryPath>,
        need: Need,
    ) -> Result<Reached> {
        let Some(instant) = self.instant().filter(|_| self.is_remote()) else {
            return Err(self.unknown(&format!("{}@{named}", at.name)));
        };
        if !self.knew(at, named, instant, DEPTH).await? {
            return Err(self.unknown(&format!("{}@{named}", at.name)));
        }
        let now = self.clone().as_of(None);
        match path {
            Some(path) => Box::pin(now.reach_version(at, named, path, need)).await.map(Reached::Here),
            None => Box::pin(now.reach_blob(at, named, need)).await,
        }
    }

    /// Whether an answer had these bytes, or something that was known or fetched names them.
    async fn knew(&self, at: &PackageAt, named: &Named, instant: Instant, depth: usize) -> Result<bool> {
        if let Named::Sha256(digest) = named {
            let (repo, digest, beginning) = (self.repo_id(), *digest, format!("{}/", at.name));
            let look = async |session: &mut store::Session<'_>| {
                observations::with_digest_at(session, repo, digest, instant.at()).await
            };
            if self.store().read(look).await?.iter().any(|(target, _)| target.starts_with(&beginning)) {
                return Ok(true);
            }
        }
        for naming in self.naming(at, named).await?.into_iter().filter(|_| depth > 0) {
            if naming.published_at.is_some_and(|published| published <= instant.at()) {
                return Ok(true);
            }
            if let Ok(by) = naming.version.parse::<Named>()
                && by != *named
                && Box::pin(self.knew(at, &by, instant, depth - 1)).await?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Declared {
    /// Whether the upstream says anything by which the bytes can be told from others.
    pub(super) fn is_told(&self) -> bool {
        self.sha256.is_some() || Algorithm::ALL.into_iter().any(|algorithm| self.sums.hex(algorithm).is_some())
    }

    /// Whether what is here is what the upstream tells of.
    fn are(&self, here: &Located) -> bool {
        let sums = here.attributes.as_deref().map(Sums::of_attributes).unwrap_or_default();
        let both = |algorithm| self.sums.hex(algorithm).zip(sums.hex(algorithm));
        let mut agree = self.sha256.map(|digest| digest == here.digest).into_iter().collect::<Vec<_>>();
        agree.extend(Algorithm::ALL.into_iter().filter_map(both).map(|(theirs, ours)| theirs == ours));
        !agree.is_empty() && agree.iter().all(|same| *same)
    }
}

/// Whether the answer had these bytes.
fn is_same(known: &Observation, body: &[u8]) -> bool {
    known.digest.is_some_and(|digest| names(&Named::Sha256(digest), body))
}

/// Without what says that it was published later.
fn published(known: Arc<Known>, at: Timestamp) -> Arc<Known> {
    let late = |time: Option<Timestamp>| time.is_some_and(|time| time > at);
    let any = |version: &formats::KnownVersion| {
        late(version.published_at) || version.files.iter().any(|file| late(file.published_at))
    };
    if !known.versions.iter().any(any) {
        return known;
    }
    let mut known = Known::clone(&known);
    let mut gone = Vec::new();
    known.versions.retain_mut(|version| {
        let files = version.files.len();
        version.files.retain(|file| !late(file.published_at));
        let stays = !late(version.published_at) && (files == 0 || !version.files.is_empty());
        if !stays {
            gone.push(version.version.to_string());
        }
        stays
    });
    known.refs.retain(|(_, version)| !gone.contains(version));
    Arc::new(known)
}

#[cfg(test)]
mod tests {
    use formats::{KnownFile, KnownVersion};
    use model::VersionName;

    use super::*;

    fn version(name: &str, published_at: Option<i64>, files: &[i64]) -> KnownVersion {
        let file = |at: &i64| KnownFile {
            path: EntryPath::parse(&format!("f{at}")).expect("a path"),
            location: EntryPath::parse(&format!("{name}/f{at}")).expect("a path"),
            target: String::new(),
            size: None,
            sha256: None,
            sums: Sums::default(),
            attributes: None,
            published_at: Some(Timestamp(*at)),
            yanked: None,
        };
        KnownVersion {
            version: VersionName::parse(name).expect("a name"),
            published_at: published_at.map(Timestamp),
            manifest: String::new(),
            yanked: None,
            deprecated: None,
            files: files.iter().map(file).collect(),
        }
    }

    #[test]
    fn what_was_published_later_is_left_out_with_what_points_there() {
        let versions = vec![
            version("old", Some(1), &[1, 9]),
            version("late", Some(9), &[]),
            version("files-late", None, &[8, 9]),
            version("untold", None, &[]),
        ];
        let refs = [("a", "old"), ("b", "late"), ("c", "files-late"), ("d", "untold"), ("e", "elsewhere")];
        let refs = refs.map(|(name, version)| (name.to_owned(), version.to_owned())).to_vec();
        let known = Arc::new(Known { versions, refs, ..Known::default() });
        let then = published(Arc::clone(&known), Timestamp(5));
        let names: Vec<_> = then.versions.iter().map(|one| (one.version.as_str(), one.files.len())).collect();
        assert_eq!(names, [("old", 1), ("untold", 0)]);
        assert_eq!(then.refs.iter().map(|(name, _)| name.as_str()).collect::<String>(), "ade");
        assert_eq!(published(Arc::clone(&known), Timestamp(9)), known);
    }
}
