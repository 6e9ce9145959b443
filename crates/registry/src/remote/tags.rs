//! What an upstream tells of refs, and of versions that belong to others; where a repository is local, what is here.

use std::collections::HashSet;
use std::sync::Arc;

use formats::{PackageAt, Wanting};
use model::{Code, RefName, Timestamp};

use super::Remote;
use super::known::{Seen, Which};
use crate::authorize::{Grant, Read};
use crate::error::Result;

/// Versions of one list that the upstream is asked for, so that it is known since when they are there.
const LOOK_UPS: u32 = 20;

/// What is told, and how old it may be.
#[derive(Clone, Debug)]
pub struct Aged<T> {
    /// What is told.
    pub told: T,
    /// When the upstream last said so, where that should have been asked again and failed.
    pub stale_since: Option<Timestamp>,
}

impl<T> Aged<T> {
    fn fresh(told: T) -> Self {
        Self { told, stale_since: None }
    }
}

impl Grant<Read> {
    /// The name of the version that a ref points at, here or at the upstream. 404 when there is none.
    pub async fn points_at(&self, at: &PackageAt, name: &RefName) -> Result<Aged<Arc<str>>> {
        if !self.is_remote() {
            return self.pointed(at, name).await.map(Aged::fresh);
        }
        self.points_at_by(&self.remote()?, at, name).await
    }

    /// The same at the upstream, asked in this way.
    pub(super) async fn points_at_by(
        &self,
        remote: &Arc<Remote>,
        at: &PackageAt,
        name: &RefName,
    ) -> Result<Aged<Arc<str>>> {
        self.refuse_by_name(at, None).await?;
        let missing = || self.unknown(&format!("{}:{name}", at.name));
        let which = Which::of(Wanting::One(name.as_str()));
        let seen = self.told(remote.clone(), at, which).await?.ok_or_else(missing)?;
        let (_, version) = seen.known.refs.first().ok_or_else(missing)?;
        if let (true, Ok(named)) = (self.is_ruled(), version.parse()) {
            Box::pin(self.expect_let_in(at, &named, Some(name))).await?;
        }
        Ok(Aged { told: version.as_str().into(), stale_since: seen.stale_since })
    }

    /// The names of refs after the name `after`, in the order of their bytes. 404 when there is no such package.
    pub async fn names_of_refs(&self, at: &PackageAt, after: &str, limit: u32) -> Result<Aged<Vec<String>>> {
        if !self.is_remote() {
            return self.ref_names(at, after, limit).await.map(Aged::fresh);
        }
        self.refuse_by_name(at, None).await?;
        let seen = self.told(self.remote()?, at, Which::All).await?.ok_or_else(|| self.unknown(&at.name))?;
        let out: HashSet<_> = self.tags_kept_out(at).await?.into_iter().map(|(tag, _)| tag).collect();
        let names = seen.known.refs.iter().map(|(name, _)| name);
        let names = names.filter(|name| name.as_str() > after && !out.contains(name.as_str()));
        let told = names.take(limit as usize).cloned().collect();
        Ok(Aged { told, stale_since: seen.stale_since })
    }

    /// The versions, with their metadata, that belong to the version named `subject` at the upstream, without those that
    /// were withdrawn here. `None`: the repository is local, see [`Grant::belonging`].
    pub async fn belonging_there(&self, at: &PackageAt, subject: &str) -> Result<Option<Aged<Vec<(String, String)>>>> {
        if !self.is_remote() {
            return Ok(None);
        }
        self.belonging_by(&self.remote()?, at, subject).await.map(Some)
    }

    /// The same, asked in this way.
    pub(super) async fn belonging_by(
        &self,
        remote: &Arc<Remote>,
        at: &PackageAt,
        subject: &str,
    ) -> Result<Aged<Vec<(String, String)>>> {
        self.refuse_by_name(at, None).await?;
        let Some(seen) = self.seen_beside(remote, at, subject).await? else {
            // Nobody had asked: that there were none is more than is known.
            if self.instant().is_some() {
                return Err(self.unknown(&format!("what belongs to {}@{subject}", at.name)));
            }
            return Ok(Aged::fresh(Vec::new()));
        };
        let here = self.known_better(at, &seen).await?;
        let versions = seen.known.versions.iter().map(|one| (one.version.to_string(), one.manifest.clone()));
        let mut told = Vec::new();
        let mut look_ups = LOOK_UPS;
        for (version, manifest) in versions.filter(|(version, _)| !here.withdrawn.contains(version)) {
            if self.is_let_in(at, &version, &mut look_ups).await? {
                told.push((version, manifest));
            }
        }
        Ok(Aged { told, stale_since: seen.stale_since })
    }

    /// Whether the rules let a version through that is asked for by its digest. Of what nobody has met yet, the upstream is
    /// asked as often as there are `look_ups`: from then on it is known. What is still unknown then is kept out.
    async fn is_let_in(&self, at: &PackageAt, version: &str, look_ups: &mut u32) -> Result<bool> {
        let Some(rules) = self.rules().await? else { return Ok(true) };
        let Ok(named) = version.parse() else { return Ok(false) };
        let judged = self.judge_here(&rules, at, &named, None, 0).await?;
        let undated = judged.since.is_none() && judged.verdict.denial().is_some_and(|denial| denial.undated);
        if !undated || *look_ups == 0 || self.instant().is_some() {
            return Ok(judged.verdict.denial().is_none());
        }
        *look_ups -= 1;
        match self.judge_version(&rules, at, &named, None).await {
            Ok(judged) => Ok(judged.verdict.denial().is_none()),
            Err(error) if matches!(error.code(), Some(Code::NotFound | Code::ServiceUnavailable)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What belongs to a version, however the upstream tells of that. While it fails, the way that it told of it before.
    async fn seen_beside(&self, remote: &Arc<Remote>, at: &PackageAt, subject: &str) -> Result<Option<Arc<Seen>>> {
        let seen = self.told(remote.clone(), at, Which::of(Wanting::Part(subject))).await;
        if let Ok(Some(_)) = seen {
            return seen;
        }
        let Some(part) = remote.format.contents().and_then(|contents| contents.older_part(subject)) else {
            return seen;
        };
        let older = self.told(remote.clone(), at, Which::of(Wanting::Part(&part))).await;
        match (seen, older) {
            (Err(_), Ok(Some(older))) if older.stale_since.is_some() => Ok(Some(older)),
            (Err(error), _) => Err(error),
            (Ok(_), older) => older,
        }
    }
}
