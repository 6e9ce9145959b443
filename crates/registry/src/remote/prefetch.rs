//! Files are brought from an upstream before anybody asks for them, in the same way as if somebody did.

use std::sync::Arc;
use std::time::Duration;

use formats::{Dated, KnownVersion, PackageAt, Portion, Sums, Wanting};
use futures_util::StreamExt as _;
use model::{Code, EntryPath, PackageName, Sha256Digest, VersionName};

use super::facts::shown;
use super::known::{Seen, Which};
use super::source::OFTEN;
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::fetch::Found;
use crate::rules::package_given;
use crate::versions::format_of;

/// Things under way at once for one request.
pub(super) const AT_ONCE: usize = 4;
/// Files of one package at most.
pub(super) const FILES: usize = 20_000;
/// Every version.
pub(super) const EVERY: &str = "*";

/// What is to be here.
#[derive(Clone, Debug)]
pub enum Wish {
    /// A package: the version that is named, all of them for `*`, or the newest for none; of its files those with these
    /// names, all where there are none.
    Package {
        /// Its name, `group:artifact` where names have a namespace.
        name: PackageName,
        /// The version.
        version: Option<String>,
        /// Names of files in the version.
        files: Vec<String>,
        /// How much of it, where it is named by its own digest.
        portion: Portion,
    },
    /// A file, by its path in the repository.
    Path(EntryPath),
}

/// What came of a wish, or of one file of it. In this order: a wish is in the last state that one of its files is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It was here.
    Present,
    /// It has come.
    Fetched,
    /// The upstream has no such thing.
    Missing,
    /// Rules keep it out, or it was withdrawn.
    Refused,
    /// The upstream failed, or sent something else.
    Failed,
    /// There was no time for it: it may be on its way. Wish again.
    Coming,
}

/// A wish and what came of it.
#[derive(Clone, Debug)]
pub struct Brought {
    /// The state of the whole.
    pub state: State,
    /// Why not, where it is not for a file.
    pub detail: Option<String>,
    /// The versions, by name.
    pub versions: Vec<String>,
    /// The files.
    pub files: Vec<BroughtFile>,
}

/// A file and what came of it.
#[derive(Clone, Debug)]
pub struct BroughtFile {
    /// Its path in the repository.
    pub path: String,
    /// Its name in the version.
    pub name: String,
    /// What came of it.
    pub state: State,
    /// Why not.
    pub detail: Option<String>,
    /// Its digest, where it is here.
    pub digest: Option<Sha256Digest>,
    /// Its length in bytes.
    pub size: u64,
    /// Its other checksums, as far as they are known.
    pub sums: Sums,
}

/// The files that a wish is about.
struct Plan {
    versions: Vec<String>,
    files: Vec<(EntryPath, String)>,
    /// Names for which there is no file.
    without: Vec<String>,
}

impl Grant<Read> {
    /// Brings what is wished for, as if it were read: with the same rules, walls and checks. Ends after `patience`; what is
    /// not done by then is [`State::Coming`]. 409 where the repository is not a remote one.
    pub async fn bring_ahead(&self, wishes: &[Wish], patience: Duration) -> Result<Vec<Brought>> {
        if !self.is_remote() {
            let repo = self.repo();
            let why = format!("{} is {}: only remote repositories bring something from elsewhere", repo.key, repo.kind);
            return Err(Error::refuse(Code::Conflict, why));
        }
        if self.remote()?.format.contents().is_some() {
            return Ok(Box::pin(self.bring_closures(wishes, patience)).await);
        }
        let mut plans: Vec<Option<Result<Plan>>> = wishes.iter().map(|_| None).collect();
        let mut came: Vec<Vec<Option<BroughtFile>>> = wishes.iter().map(|_| Vec::new()).collect();
        let work = async {
            let each: Vec<(usize, Wish)> = wishes.iter().cloned().enumerate().collect();
            let each = futures_util::stream::iter(each);
            let mut planned = each.map(async |(place, wish)| (place, self.plan(&wish).await)).buffer_unordered(AT_ONCE);
            while let Some((place, plan)) = planned.next().await {
                came[place] = plan.iter().flat_map(|plan| &plan.files).map(|_| None).collect();
                plans[place] = Some(plan);
            }
            let mut away = Vec::new();
            for (place, number, path, name) in to_bring(&plans) {
                match self.find(&path).await {
                    Ok(found) if !found.is_absent() && !self.follows() => {
                        came[place][number] = Some(here(&path, &name, State::Present, &found))
                    }
                    _ => away.push((place, number, path, name)),
                }
            }
            let files = futures_util::stream::iter(away);
            let mut brought = files
                .map(async |(place, number, path, name)| (place, number, self.bring_file_ahead(&path, &name).await))
                .buffer_unordered(AT_ONCE);
            while let Some((place, number, file)) = brought.next().await {
                came[place][number] = Some(file);
            }
        };
        // What is under way goes on by itself.
        let _ = tokio::time::timeout(patience, Box::pin(work)).await;
        Ok(plans.into_iter().zip(came).map(|(plan, came)| told(plan, came)).collect())
    }

    async fn plan(&self, wish: &Wish) -> Result<Plan> {
        match wish {
            Wish::Path(path) => {
                let name = path.segments().last().unwrap_or_default().to_owned();
                Ok(Plan { versions: Vec::new(), files: vec![(path.clone(), name)], without: Vec::new() })
            }
            Wish::Package { name, portion, .. } if !portion.platforms.is_empty() => {
                let why = format!("{name}: files of this format are not made for a platform by its name");
                Err(Error::refuse(Code::Unprocessable, why))
            }
            Wish::Package { name, version, files, .. } => self.plan_package(name, version.as_deref(), files).await,
        }
    }

    async fn plan_package(&self, name: &PackageName, version: Option<&str>, names: &[String]) -> Result<Plan> {
        let at = package_given(format_of(self.repo())?, name)?;
        self.refuse_by_name(&at, None).await?;
        let versions = self.versions_wished(&at, name, version).await?;
        if self.remote()?.format.dated() == Dated::Version {
            // What is said of a version alone is asked for as well.
            let names: Vec<String> = versions.iter().map(|one| one.version.to_string()).collect();
            let told = futures_util::stream::iter(names).map(async |version| self.told_of(&at, &version).await);
            let mut told = std::pin::pin!(told.buffer_unordered(AT_ONCE));
            while let Some(told) = told.next().await {
                told?;
            }
        }
        let all = || versions.iter().flat_map(|one| &one.files);
        let wanted = |file: &str| names.is_empty() || names.iter().any(|name| name == file);
        let files: Vec<_> = all().filter(|file| wanted(file.path.as_str())).collect();
        if all().next().is_none() {
            let why = format!("nothing tells of the files of {name}: name them by their paths");
            return Err(Error::refuse(Code::Unprocessable, why));
        }
        if files.len() > FILES {
            let why = format!("{name} has more than {FILES} files: name its versions one by one");
            return Err(Error::refuse(Code::Unprocessable, why));
        }
        let without = names.iter().filter(|name| all().all(|file| file.path.as_str() != name.as_str()));
        Ok(Plan {
            without: without.cloned().collect(),
            files: files.into_iter().map(|file| (file.location.clone(), file.path.to_string())).collect(),
            versions: versions.iter().map(|one| one.version.to_string()).collect(),
        })
    }

    async fn told_of(&self, at: &PackageAt, version: &str) -> Result<Option<Arc<Seen>>> {
        self.told(self.remote()?, at, Which::of(Wanting::One(version))).await
    }

    /// The versions that are meant. Those that are not named are such as the rules let through.
    async fn versions_wished(
        &self,
        at: &PackageAt,
        name: &PackageName,
        wished: Option<&str>,
    ) -> Result<Vec<KnownVersion>> {
        let remote = self.remote()?;
        let seen = self.told(Arc::clone(&remote), at, Which::All).await?;
        if let Some(wished) = wished.filter(|wished| *wished != EVERY) {
            if let Some(found) = seen.and_then(|seen| self.named(&seen, wished)) {
                return Ok(vec![found]);
            }
            let again = remote.asked_since(self.ambient().now().minus(OFTEN));
            let found = match self.told(again, at, Which::All).await?.and_then(|seen| self.named(&seen, wished)) {
                Some(found) => Some(found),
                // Some versions are in no list, and a branch stands for one of another name.
                None if remote.format.narrows() => {
                    self.told_of(at, wished).await?.and_then(|seen| seen.known.versions.first().cloned())
                }
                None => None,
            };
            return found.map(|found| vec![found]).ok_or_else(|| self.unknown(&format!("{name} {wished}")));
        }
        let seen = seen.ok_or_else(|| self.unknown(name.as_str()))?;
        let left = shown(&seen.known, &self.overlay(at, &seen).await?);
        if left.versions.is_empty() {
            return Err(Error::refuse(Code::PolicyDenied, format!("no version of {name} may come in")));
        }
        if wished.is_some() {
            return Ok(left.versions);
        }
        let fresh: Vec<&str> =
            left.versions.iter().filter(|one| one.yanked.is_none()).map(|one| one.version.as_str()).collect();
        let latest = left.refs.iter().find(|(tag, _)| tag == "latest").map(|(_, version)| version.as_str());
        let newest = latest.or_else(|| remote.format.newest(&fresh)).map(str::to_owned);
        let mut versions = left.versions.into_iter();
        let found = versions.find(|one| newest.as_deref() == Some(one.version.as_str()));
        found.map(|found| vec![found]).ok_or_else(|| Error::not_found(&format!("a version of {name}")))
    }

    /// The version of this name, or that a ref of this name points at, or else the one that counts as the same.
    fn named(&self, seen: &Seen, wished: &str) -> Option<KnownVersion> {
        let format = format_of(self.repo()).ok()?;
        let versions = &seen.known.versions;
        let pointed = seen.known.refs.iter().find(|(name, _)| name == wished);
        let wished = pointed.map_or(wished, |(_, version)| version.as_str());
        let twin = VersionName::parse(wished).ok().and_then(|version| format.twin(&version));
        let exact = versions.iter().find(|one| one.version.as_str() == wished);
        exact.or_else(|| versions.iter().find(|one| twin.is_some() && format.twin(&one.version) == twin)).cloned()
    }

    async fn bring_file_ahead(&self, path: &EntryPath, name: &str) -> BroughtFile {
        match self.reach_ahead(path).await {
            Ok((state, found)) => here(path, name, state, &found),
            Err(error) => {
                let (state, detail) = (state_of(&error), Some(sentence(&error)));
                BroughtFile { state, detail, ..not_yet(path, name) }
            }
        }
    }

    async fn reach_ahead(&self, path: &EntryPath) -> Result<(State, Found)> {
        let place = self.registry().inner.remotes.ahead.acquire().await;
        let _place = place.map_err(|_| Error::Defect("nothing is brought any more".to_owned()))?;
        let here = matches!(self.find(path).await, Ok(found) if !found.is_absent());
        let state = if here { State::Present } else { State::Fetched };
        Ok((state, self.reach_whole(path).await?))
    }
}

/// Every file: of which wish, its number there, where it is and its name.
fn to_bring(plans: &[Option<Result<Plan>>]) -> Vec<(usize, usize, EntryPath, String)> {
    let mut all = Vec::new();
    for (place, plan) in plans.iter().enumerate() {
        let files = plan.iter().flatten().flat_map(|plan| &plan.files).enumerate();
        all.extend(files.map(|(number, (path, name))| (place, number, path.clone(), name.clone())));
    }
    all
}

pub(super) fn here(path: &EntryPath, name: &str, state: State, found: &Found) -> BroughtFile {
    let (digest, size, sums) = (Some(found.digest()), found.size(), found.sums().clone());
    BroughtFile { state, digest, size, sums, ..not_yet(path, name) }
}

pub(super) fn not_yet(path: &EntryPath, name: &str) -> BroughtFile {
    BroughtFile {
        path: path.to_string(),
        name: name.to_owned(),
        state: State::Coming,
        detail: None,
        digest: None,
        size: 0,
        sums: Sums::default(),
    }
}

fn told(plan: Option<Result<Plan>>, came: Vec<Option<BroughtFile>>) -> Brought {
    let nothing = |state, detail| Brought { state, detail, versions: Vec::new(), files: Vec::new() };
    let plan = match plan {
        None => return nothing(State::Coming, None),
        Some(Err(error)) => return nothing(state_of(&error), Some(sentence(&error))),
        Some(Ok(plan)) => plan,
    };
    let files = plan.files.iter().zip(came);
    let files: Vec<_> = files.map(|((path, name), came)| came.unwrap_or_else(|| not_yet(path, name))).collect();
    let missing = (!plan.without.is_empty()).then_some(State::Missing);
    let state = files.iter().map(|file| file.state).chain(missing).max().unwrap_or(State::Missing);
    let detail = missing.map(|_| format!("there is no file {}", plan.without.join(", ")));
    Brought { state, detail, versions: plan.versions, files }
}

pub(super) fn state_of(error: &Error) -> State {
    match error.code() {
        Some(Code::NotFound) => State::Missing,
        Some(Code::PolicyDenied | Code::Quarantined | Code::Gone | Code::Forbidden | Code::Unprocessable) => {
            State::Refused
        }
        _ => State::Failed,
    }
}

pub(super) fn sentence(error: &Error) -> String {
    match error {
        Error::Refused(refusal) => refusal.to_string(),
        Error::Defect(why) => {
            tracing::error!(why, "something could not be brought");
            "something went wrong here: the server's log says what".to_owned()
        }
    }
}
