//! What of that which an upstream tells the rules keep out: of indexes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use formats::{Dated, Known, KnownVersion, PackageAt};
use futures_util::{StreamExt as _, TryStreamExt as _};
use model::{Code, EntryPath, ObservationId, RepoId, Timestamp};

use super::Remote;
use super::known::{Seen, Which};
use super::look::Heard;
use super::overlay::number;
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::rules::{Denial, Rules, Subject, Verdict, name_of};
use crate::versions::format_of;

/// So many times are asked for at once: half of what an upstream is asked by default.
const AT_ONCE: usize = 16;
/// For how long what has no time is believed to have none.
const UNDATED: Duration = Duration::from_secs(60);

/// What is kept out of an index.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct KeptOut {
    /// Versions of which nothing is left.
    pub(super) versions: BTreeSet<String>,
    /// Paths of files.
    pub(super) files: BTreeSet<String>,
    /// Other packages that the index tells of.
    pub(super) around: BTreeSet<String>,
    state: u64,
}

impl KeptOut {
    /// A number that is another one where something else is kept out.
    pub(super) fn state(&self) -> u64 {
        self.state
    }
}

/// What came of sifting.
#[derive(Debug)]
pub(super) struct Sifted {
    pub(super) out: Arc<KeptOut>,
    /// Why versions of which nothing is left are kept out.
    pub(super) why: BTreeMap<String, Denial>,
    /// The times that it rests on.
    times: Arc<Times>,
    /// When the answer was found, and until when it holds.
    from: Timestamp,
    until: Option<Timestamp>,
}

/// The last answers of which all times were known.
pub(super) struct LastSifted {
    seen: Arc<Seen>,
    times: Arc<Times>,
    at: Timestamp,
}

/// Of which package, as of a counter of the configuration.
pub(super) type LastKey = (RepoId, PackageAt, u64);

/// What was sifted: which answers of which package, as of a counter of the configuration.
pub(super) type SiftKey = (RepoId, PackageAt, Arc<[ObservationId]>, u64);

impl Sifted {
    /// How many versions and files it holds.
    pub(super) fn rows(&self) -> u64 {
        (self.out.versions.len() + self.out.files.len() + self.out.around.len() + self.why.len()) as u64
            + self.times.rows()
    }

    fn holds(&self, now: Timestamp) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }
}

/// What is known of the times of versions beside an index.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// Those that the index does not tell.
    told: BTreeMap<String, Timestamp>,
    /// Before which versions cannot have been there.
    earliest: BTreeMap<String, Timestamp>,
}

impl Times {
    fn rows(&self) -> u64 {
        (self.told.len() + self.earliest.len()) as u64
    }

    /// The time of a version, by that which an index tells.
    fn of(&self, version: &str, indexed: Option<Timestamp>) -> Option<Timestamp> {
        let told = indexed.or_else(|| self.told.get(version).copied())?;
        Some(self.earliest.get(version).map_or(told, |earliest| told.max(*earliest)))
    }
}

impl Seen {
    /// The version that the ref stands for which was asked about.
    pub(crate) fn stands_for(&self) -> Option<String> {
        self.known.refs.first().map(|(_, version)| version.clone())
    }

    /// What is told of a version, or of that which a ref of this name stands for.
    pub(crate) fn version(&self, name: &str) -> Option<&KnownVersion> {
        let of = |name: &str| self.known.versions.iter().find(|one| one.version.as_str() == name);
        let meant = || self.known.refs.iter().find(|(known, _)| known == name).and_then(|(_, version)| of(version));
        of(name).or_else(meant)
    }

    /// Every version that is told of.
    pub(crate) fn versions(&self) -> &[KnownVersion] {
        &self.known.versions
    }

    /// When a version was published, as an index says it.
    fn time_of(&self, version: &str) -> Option<Timestamp> {
        self.known.versions.iter().find(|one| one.version.as_str() == version)?.published_at
    }
}

impl Grant<Read> {
    /// The versions that the rules keep out, and why, for people.
    pub(crate) async fn kept_out(&self, at: &PackageAt, seen: &Seen) -> Result<Vec<(String, String)>> {
        let Some(sifted) = self.sifted(at, seen).await? else { return Ok(Vec::new()) };
        Ok(sifted.why.iter().map(|(version, denial)| (version.clone(), denial.sentence.clone())).collect())
    }

    /// The versions that an upstream tells of and readers do not find, and why, for people: those that the rules keep out, and
    /// those that were withdrawn here.
    pub(crate) async fn missing_of(&self, at: &PackageAt, name: &str, seen: &Seen) -> Result<Vec<(String, String)>> {
        let mut missing: BTreeMap<_, _> = self.kept_out(at, seen).await?.into_iter().collect();
        let withdrawn = self.kept(at).await?.into_iter().filter(|kept| !kept.shown);
        for version in withdrawn.map(|kept| kept.version).filter(|version| seen.version(version).is_some()) {
            let why = format!("{name} {version} was withdrawn from {}", self.repo().key);
            missing.insert(version, why);
        }
        Ok(missing.into_iter().collect())
    }

    /// The version and the time of a file that an index tells of.
    pub(crate) async fn listed_at(
        &self,
        at: &PackageAt,
        path: &EntryPath,
    ) -> Result<(Option<String>, Option<Timestamp>)> {
        let remote = self.remote()?;
        let is_asked = remote.format.dated() == Dated::Version;
        let Some(seen) = self.told(remote, at, Which::All).await? else { return Ok((None, None)) };
        let mut files = seen.known.versions.iter().flat_map(|one| one.files.iter().map(move |file| (one, file)));
        let found = files.find(|(_, file)| file.location == *path);
        Ok(found.map_or((None, None), |(one, file)| {
            let time = file.published_at.or(one.published_at);
            (Some(one.version.to_string()), time.filter(|_| !is_asked))
        }))
    }

    /// What the rules keep out of what an upstream tells; `None`: there are no rules. Found once, until time changes it.
    pub(super) async fn sifted(&self, at: &PackageAt, seen: &Seen) -> Result<Option<Arc<Sifted>>> {
        let Some(rules) = self.rules().await? else { return Ok(None) };
        let (now, memory) = (self.ambient().now(), &self.registry().inner.remotes.sifted);
        let config = self.call().moment.config.number();
        let key: SiftKey = (self.repo_id(), at.clone(), Arc::clone(&seen.answers), config);
        let remembers = self.instant().is_none();
        let before = memory.get(&key).filter(|_| remembers);
        if let Some(found) = before.as_ref().filter(|found| found.holds(now)) {
            return Ok(Some(Arc::clone(found)));
        }
        let name = name_of(format_of(self.repo())?, at);
        let times = match (self.times(&rules, at, &name, seen, now).await, before) {
            (Ok(times), _) => Arc::new(times),
            // What was known of these very answers is known still.
            (Err(error), Some(before)) if is_failure(&error) => Arc::clone(&before.times),
            (Err(error), _) => return Err(error),
        };
        let found = sift(&rules, &name, &seen.known, times, now);
        let found = Arc::new(self.without_around(&rules, at, &seen.known, found)?);
        if remembers {
            memory.insert(key, Arc::clone(&found));
        }
        Ok(Some(found))
    }

    /// What is told, where the times that the rules need are known. Where the upstream fails to tell them, what it told
    /// when they last were, as stale; else its failure: nothing is missing because nobody could be asked.
    pub(super) async fn dated(&self, at: &PackageAt, which: &Which, seen: Arc<Seen>) -> Result<Arc<Seen>> {
        if *which != Which::All || !self.is_ruled() || self.instant().is_some() {
            return Ok(seen);
        }
        let (last, remote, now) = (&self.registry().inner.remotes.last_sifted, self.remote()?, self.ambient().now());
        let key: LastKey = (self.repo_id(), at.clone(), self.call().moment.config.number());
        match self.sifted(at, &seen).await {
            Ok(Some(sifted)) if remote.format.dated() != Dated::Index => {
                let times = Arc::clone(&sifted.times);
                last.insert(key, Arc::new(LastSifted { seen: Arc::clone(&seen), times, at: now }));
                Ok(seen)
            }
            Ok(_) => Ok(seen),
            Err(error) if is_failure(&error) => match last.get(&key).filter(|last| last.holds(&remote, now)) {
                Some(last) => self.as_last_dated(at, &last, now).await,
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// The answers of then, sifted with the times of then as of now.
    async fn as_last_dated(&self, at: &PackageAt, last: &LastSifted, now: Timestamp) -> Result<Arc<Seen>> {
        if let Some(rules) = self.rules().await? {
            let name = name_of(format_of(self.repo())?, at);
            let found = sift(&rules, &name, &last.seen.known, Arc::clone(&last.times), now);
            let found = self.without_around(&rules, at, &last.seen.known, found)?;
            let config = self.call().moment.config.number();
            let key: SiftKey = (self.repo_id(), at.clone(), Arc::clone(&last.seen.answers), config);
            self.registry().inner.remotes.sifted.insert(key, Arc::new(found));
        }
        let since = last.seen.stale_since.unwrap_or(last.at);
        Ok(Arc::new(Seen { stale_since: Some(since), ..Seen::clone(&last.seen) }))
    }

    /// The times of versions that the rules need and the index does not tell: of all of them, since none tells of
    /// another. Each is asked for once.
    async fn times(&self, rules: &Rules, at: &PackageAt, name: &str, seen: &Seen, now: Timestamp) -> Result<Times> {
        let remote = self.remote()?;
        if remote.format.dated() == Dated::Index || !rules.look_at_age() {
            return Ok(Times::default());
        }
        let earliest = self.earliest(&remote, at).await?;
        let earliest = seen.known.versions.iter().filter_map(|version| {
            let name = version.version.as_str();
            Some((name.to_owned(), earliest.as_ref()?.of(&remote, name)?))
        });
        let earliest = earliest.collect();
        let undated = |version: &&KnownVersion| {
            let subjects = subjects(name, version, version.published_at);
            subjects.into_iter().any(|one| rules.judge(&one, now).denial().is_some_and(|denial| denial.undated))
        };
        let wanted = seen.known.versions.iter().filter(undated);
        let wanted: Vec<String> = wanted.map(|version| version.version.to_string()).collect();
        let told = futures_util::stream::iter(wanted).map(|version| async move {
            let time = self.told_at(at, &version).await.map_err(|error| without_time(name, &version, error))?;
            Ok::<_, Error>((version, time))
        });
        let told: Vec<(String, Option<Timestamp>)> = told.buffer_unordered(AT_ONCE).try_collect().await?;
        let told = told.into_iter().filter_map(|(version, time)| Some((version, time?))).collect();
        Ok(Times { told, earliest })
    }

    /// When a version was published, where its index does not say so: as it is told, and not before a list without it.
    pub(crate) async fn published_at(&self, at: &PackageAt, version: &str) -> Result<Option<Timestamp>> {
        let Some(told) = self.told_at(at, version).await? else { return Ok(None) };
        let remote = self.remote()?;
        let earliest = self.earliest(&remote, at).await?.and_then(|earliest| earliest.of(&remote, version));
        Ok(Some(earliest.map_or(told, |earliest| told.max(earliest))))
    }

    /// As it is told.
    async fn told_at(&self, at: &PackageAt, version: &str) -> Result<Option<Timestamp>> {
        let key = (self.revision(), at.clone(), version.into());
        let times = &self.registry().inner.remotes.times;
        if let Some(time) = times.get(&key) {
            return Ok(Some(time));
        }
        let remote = self.remote()?;
        let found = match self.time_kept(&remote, at, version).await? {
            Some(time) => Some(time),
            None => {
                let seen = Box::pin(self.told(remote, at, Which::One(version.to_owned()))).await?;
                seen.and_then(|seen| seen.time_of(version))
            }
        };
        if let Some(time) = found {
            times.insert(key, time);
        }
        Ok(found)
    }
}

impl Grant<Read> {
    /// Keeps out those other packages as well that the rules keep out.
    fn without_around(&self, rules: &Rules, at: &PackageAt, known: &Known, sifted: Sifted) -> Result<Sifted> {
        let format = format_of(self.repo())?;
        let Some(around) = format.around(at).filter(|_| !known.around.is_empty()) else { return Ok(sifted) };
        let (mut out, mut until) = (BTreeSet::new(), sifted.until);
        for (other, _) in &known.around {
            let at = PackageAt { namespace: around.namespace.clone(), name: other.clone() };
            let name = name_of(format, &at);
            until = rules.waivers_of(&name, sifted.from).iter().map(|waiver| waiver.until).chain(until).min();
            if rules.judge_name(&name, sifted.from).is_some() {
                out.insert(other.clone());
            }
        }
        let KeptOut { versions, files, .. } = &*sifted.out;
        let mut out = KeptOut { versions: versions.clone(), files: files.clone(), around: out, state: 0 };
        out.state = number(&out);
        Ok(Sifted { out: Arc::new(out), until, ..sifted })
    }

    /// The same, from what was answered at any time: when something was published does not change.
    async fn time_kept(&self, remote: &Remote, at: &PackageAt, version: &str) -> Result<Option<Timestamp>> {
        let which = Which::One(version.to_owned());
        let asks = remote.format.asks(at, which.wanting());
        let ([ask], None) = (asks.as_slice(), self.instant()) else { return Ok(None) };
        let kept = self.outlook(&ask.target).await?;
        let Some(known) = kept.filter(|known| known.digest.is_some() && remote.is_its(known)) else { return Ok(None) };
        let heard = [Heard::Holds { known, confirmed: false, stale: None }];
        let known = self.understand(remote, at, &which, &heard).await?.ok().flatten();
        let version =
            known.and_then(|known| known.versions.iter().find(|one| one.version.as_str() == version).cloned());
        Ok(version.and_then(|version| version.published_at))
    }
}

/// What is judged of a version, as old as it is as a `whole`: its files, or itself where none are known.
pub(crate) fn subjects<'a>(name: &'a str, version: &'a KnownVersion, whole: Option<Timestamp>) -> Vec<Subject<'a>> {
    let of = |path, published_at| Subject { name, version: version.version.as_str(), path, published_at };
    if version.files.is_empty() {
        return vec![of(None, whole)];
    }
    version.files.iter().map(|file| of(Some(file.location.as_str()), file.published_at.or(whole))).collect()
}

impl LastSifted {
    /// How many versions it holds.
    pub(super) fn rows(&self) -> u64 {
        self.seen.known.versions.len() as u64 + self.times.rows()
    }

    /// Whether it is still believed of an upstream that fails.
    fn holds(&self, remote: &Remote, now: Timestamp) -> bool {
        self.at >= remote.changed_at && now < self.at.plus(remote.stale_bound())
    }
}

/// Whether an upstream failed, or was not to be asked just now.
fn is_failure(error: &Error) -> bool {
    matches!(error.code(), Some(Code::ServiceUnavailable | Code::TooManyRequests))
}

fn without_time(name: &str, version: &str, error: Error) -> Error {
    match (is_failure(&error), error.code()) {
        (true, Some(code)) => {
            Error::refuse(code, format!("it is not known when {name} {version} was published: {error}"))
        }
        _ => error,
    }
}

fn sift(rules: &Rules, name: &str, known: &Known, times: Arc<Times>, now: Timestamp) -> Sifted {
    let (mut out, mut why) = (KeptOut::default(), BTreeMap::new());
    let mut until: Option<Timestamp> = None;
    let mut soon = |moment: Option<Timestamp>| until = until.into_iter().chain(moment).min();
    for version in &known.versions {
        let verdicts: Vec<_> = subjects(name, version, times.of(version.version.as_str(), version.published_at))
            .into_iter()
            .map(|one| (one.path, rules.judge(&one, now)))
            .collect();
        verdicts.iter().for_each(|(_, verdict)| soon(verdict.until()));
        if verdicts.iter().any(|(_, verdict)| verdict.denial().is_some_and(|denial| denial.undated)) {
            soon(Some(now.plus(UNDATED)));
        }
        if verdicts.iter().all(|(_, verdict)| matches!(verdict, Verdict::Deny(_))) {
            out.versions.insert(version.version.to_string());
            let denial = verdicts.into_iter().find_map(|(_, verdict)| verdict.denial().cloned());
            why.extend(denial.map(|denial| (version.version.to_string(), denial)));
        } else {
            let denied = verdicts.iter().filter(|(_, verdict)| verdict.denial().is_some());
            out.files.extend(denied.filter_map(|(path, _)| path.map(str::to_owned)));
        }
    }
    out.state = number(&out);
    Sifted { out: Arc::new(out), why, times, from: now, until }
}
