//! What of that which an upstream tells the rules keep out: of indexes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use formats::{Dated, Known, KnownVersion, PackageAt};
use futures_util::StreamExt as _;
use model::{EntryPath, ObservationId, RepoId, Timestamp};

use super::known::{Seen, Which};
use crate::authorize::{Grant, Read};
use crate::error::Result;
use crate::rules::{Denial, Rules, Subject, Verdict, name_of};
use crate::versions::format_of;

/// Versions of one package whose times are asked for at most, the last that the upstream names; the others count as
/// without a time.
const MOST: usize = 100;
/// So many at once.
const AT_ONCE: usize = 8;
/// For how long what has no time is believed to have none.
const UNDATED: Duration = Duration::from_secs(60);

/// What is kept out of an index.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct KeptOut {
    /// Versions of which nothing is left.
    pub(super) versions: BTreeSet<String>,
    /// Paths of files.
    pub(super) files: BTreeSet<String>,
}

/// What came of sifting.
#[derive(Debug)]
pub(super) struct Sifted {
    pub(super) out: Arc<KeptOut>,
    /// Why versions of which nothing is left are kept out.
    pub(super) why: BTreeMap<String, Denial>,
    /// When the answer was found, and until when it holds.
    from: Timestamp,
    until: Option<Timestamp>,
}

/// What was sifted: which answers of which package, as of a counter of the configuration.
pub(super) type SiftKey = (RepoId, PackageAt, Arc<[ObservationId]>, u64);

impl Sifted {
    /// How many versions and files it holds.
    pub(super) fn rows(&self) -> u64 {
        (self.out.versions.len() + self.out.files.len() + self.why.len()) as u64
    }

    fn holds(&self, now: Timestamp) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }
}

/// Times of versions that an index tells nothing of.
type Times = BTreeMap<String, Timestamp>;

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

    /// The version and the time of a file that an index tells of.
    pub(crate) async fn listed_at(
        &self,
        at: &PackageAt,
        path: &EntryPath,
    ) -> Result<(Option<String>, Option<Timestamp>)> {
        let Some(seen) = self.told(self.remote()?, at, Which::All).await? else { return Ok((None, None)) };
        let mut files = seen.known.versions.iter().flat_map(|one| one.files.iter().map(move |file| (one, file)));
        let found = files.find(|(_, file)| file.location == *path);
        Ok(found.map_or((None, None), |(one, file)| {
            (Some(one.version.to_string()), file.published_at.or(one.published_at))
        }))
    }

    /// What the rules keep out of what an upstream tells; `None`: there are no rules. Found once, until time changes it.
    pub(super) async fn sifted(&self, at: &PackageAt, seen: &Seen) -> Result<Option<Arc<Sifted>>> {
        let Some(rules) = self.rules().await? else { return Ok(None) };
        let (now, memory) = (self.ambient().now(), &self.registry().inner.remotes.sifted);
        let config = self.call().moment.config.number();
        let key: SiftKey = (self.repo_id(), at.clone(), Arc::clone(&seen.answers), config);
        let remembers = self.instant().is_none();
        if let Some(found) = memory.get(&key).filter(|found| remembers && found.holds(now)) {
            return Ok(Some(found));
        }
        let name = name_of(format_of(self.repo())?, at);
        let times = self.times(&rules, at, &name, &seen.known, now).await?;
        let found = Arc::new(sift(&rules, &name, &seen.known, &times, now));
        if remembers {
            memory.insert(key, Arc::clone(&found));
        }
        Ok(Some(found))
    }

    /// The times of versions that the rules need and the index does not tell.
    async fn times(&self, rules: &Rules, at: &PackageAt, name: &str, known: &Known, now: Timestamp) -> Result<Times> {
        if self.remote()?.format.dated() == Dated::Index {
            return Ok(Times::new());
        }
        let undated = |version: &&KnownVersion| {
            let subjects = subjects(name, version, None);
            subjects.into_iter().any(|one| rules.judge(&one, now).denial().is_some_and(|denial| denial.undated))
        };
        let wanted = known.versions.iter().rev().filter(undated).take(MOST);
        let wanted: Vec<String> = wanted.map(|version| version.version.to_string()).collect();
        let told = futures_util::stream::iter(wanted).map(|version| async move {
            // Who cannot be asked tells no time.
            let time = self.published_at(at, &version).await.ok().flatten();
            Some((version, time?))
        });
        Ok(told.buffer_unordered(AT_ONCE).filter_map(async |told| told).collect().await)
    }

    /// When a version was published, where its index does not say so.
    pub(crate) async fn published_at(&self, at: &PackageAt, version: &str) -> Result<Option<Timestamp>> {
        let key = (self.revision(), at.clone(), version.into());
        let times = &self.registry().inner.remotes.times;
        if let Some(time) = times.get(&key) {
            return Ok(Some(time));
        }
        let seen = Box::pin(self.told(self.remote()?, at, Which::One(version.to_owned()))).await?;
        let found = seen.and_then(|seen| seen.time_of(version));
        if let Some(time) = found {
            times.insert(key, time);
        }
        Ok(found)
    }
}

/// What is judged of a version: its files, or itself where none are known.
pub(crate) fn subjects<'a>(name: &'a str, version: &'a KnownVersion, time: Option<Timestamp>) -> Vec<Subject<'a>> {
    let of = |path, published_at| Subject { name, version: version.version.as_str(), path, published_at };
    let whole = version.published_at.or(time);
    if version.files.is_empty() {
        return vec![of(None, whole)];
    }
    version.files.iter().map(|file| of(Some(file.location.as_str()), file.published_at.or(whole))).collect()
}

fn sift(rules: &Rules, name: &str, known: &Known, times: &Times, now: Timestamp) -> Sifted {
    let (mut out, mut why) = (KeptOut::default(), BTreeMap::new());
    let mut until: Option<Timestamp> = None;
    let mut soon = |moment: Option<Timestamp>| until = until.into_iter().chain(moment).min();
    for version in &known.versions {
        let time = times.get(version.version.as_str()).copied();
        let verdicts: Vec<_> =
            subjects(name, version, time).into_iter().map(|one| (one.path, rules.judge(&one, now))).collect();
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
    Sifted { out: Arc::new(out), why, from: now, until }
}
