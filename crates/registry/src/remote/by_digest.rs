//! Whether the rules let through what is named by its own digest: versions, however they are asked for, and their blobs.
//!
//! Nobody tells truthfully when such a version was published. What is true is since when it is known here under its name;
//! that is the time by which it is judged. What an index that is let in lists, and what a version that is let in is made
//! of, comes with it: its digest has not changed since.

use std::collections::BTreeSet;

use formats::{Named, PackageAt};
use model::{EntryPath, RefName, Timestamp};
use store::manifests::Naming;
use store::{locations, observations};

use super::Remote;
use super::known::Which;
use super::look::Heard;
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::rules::{Denial, Rules, Subject, Verdict, name_of};
use crate::versions::format_of;

/// Indexes in indexes, so deep at most.
const DEEP: u32 = 3;
/// Versions that a ref stood for before, so many at most are looked at.
const OLDER: u32 = 20;

/// A version as the rules judge it.
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    /// Since when it is known here.
    pub(crate) since: Option<Timestamp>,
}

impl Grant<Read> {
    /// Refuses a version that the rules keep out. `tag`: what it was asked for as. Where nobody knows since when it is
    /// there, the upstream is asked for it, and it is known from now on.
    pub(super) async fn expect_let_in(&self, at: &PackageAt, named: &Named, tag: Option<&RefName>) -> Result<()> {
        let Some(rules) = self.rules().await? else { return Ok(()) };
        self.expect_name_admitted(at, None, || self.unknown(&format!("{}@{named}", at.name))).await?;
        match self.judge_version(&rules, at, named, tag).await?.verdict {
            Verdict::Allow { .. } => Ok(()),
            Verdict::Deny(denial) => Err(self.kept_out_version(&rules, at, named, tag, denial).await?),
        }
    }

    /// What the rules say of a version.
    pub(crate) async fn judge_version(
        &self,
        rules: &Rules,
        at: &PackageAt,
        named: &Named,
        tag: Option<&RefName>,
    ) -> Result<Judged> {
        let judged = self.judge_here(rules, at, named, tag, 0).await?;
        let undated = judged.verdict.denial().is_some_and(|denial| denial.undated);
        if !undated || judged.since.is_some() {
            return Ok(judged);
        }
        let missing = || Error::not_found(&format!("{}@{named}", at.name));
        self.told(self.remote()?, at, Which::One(named.to_string())).await?.ok_or_else(missing)?;
        self.judge_here(rules, at, named, tag, 0).await
    }

    /// The same, with what is known without a question.
    pub(super) async fn judge_here(
        &self,
        rules: &Rules,
        at: &PackageAt,
        named: &Named,
        tag: Option<&RefName>,
        depth: u32,
    ) -> Result<Judged> {
        let (name, digest, now) = (name_of(format_of(self.repo())?, at), named.to_string(), self.ambient().now());
        let judge =
            |version: &str, published_at| rules.judge(&Subject { name: &name, version, path: None, published_at }, now);
        let asked = tag.map_or(digest.as_str(), RefName::as_str);
        let verdict = judge(asked, None);
        if verdict.denial().is_none() {
            return Ok(Judged { verdict, since: None });
        }
        let since = self.known_since(at, named).await?;
        let mut names = vec![asked.to_owned(), digest.clone()];
        if !rules.waivers_of(&name, now).is_empty() {
            names.extend(self.tags_of(at, named).await?);
        }
        let allowed = names.iter().map(|name| judge(name, since)).find(|verdict| verdict.denial().is_none());
        if let Some(verdict) = allowed {
            return Ok(Judged { verdict, since });
        }
        let listed = depth < DEEP && self.is_named_by_what_is_let_in(rules, at, named, depth + 1).await?;
        let verdict = if listed { Verdict::Allow { rule: None, until: None } } else { judge(asked, since) };
        Ok(Judged { verdict, since })
    }

    /// Whether a version that is here and let in names this content.
    async fn is_named_by_what_is_let_in(
        &self,
        rules: &Rules,
        at: &PackageAt,
        content: &Named,
        depth: u32,
    ) -> Result<bool> {
        let Some(contents) = self.remote()?.format.contents() else { return Ok(false) };
        let parts = |naming: &Naming| naming.published && contents.names(&naming.manifest, content);
        for naming in self.naming(at, content).await?.into_iter().filter(parts) {
            let Ok(version) = naming.version.parse::<Named>() else { continue };
            if version != *content && self.is_let_in_here(rules, at, &version, depth).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) async fn is_let_in_here(
        &self,
        rules: &Rules,
        at: &PackageAt,
        version: &Named,
        depth: u32,
    ) -> Result<bool> {
        let judged = Box::pin(self.judge_here(rules, at, version, None, depth)).await?;
        Ok(judged.verdict.denial().is_none())
    }

    /// Refuses a blob that belongs to no version of the package that is here and let in: it is neither served nor
    /// fetched.
    pub(super) async fn expect_blob_let_in(&self, at: &PackageAt, blob: &Named) -> Result<()> {
        let Some(rules) = self.rules().await? else { return Ok(()) };
        self.refuse_by_name(at, None).await?;
        let name = name_of(format_of(self.repo())?, at);
        let text = blob.to_string();
        let subject = Subject { name: &name, version: &text, path: None, published_at: None };
        let (now, hidden) = (self.ambient().now(), self.hides(&rules, &name));
        let verdict = if hidden { rules.judge_here(&subject, now) } else { rules.judge(&subject, now) };
        let Verdict::Deny(denial) = verdict else {
            return if hidden { Err(self.unknown(&format!("{}@{blob}", at.name))) } else { Ok(()) };
        };
        let versions = if hidden { Vec::new() } else { self.versions_with(at, blob).await? };
        for version in versions {
            if self.is_let_in_here(&rules, at, &version, 0).await? {
                return Ok(());
            }
        }
        if !hidden && self.is_named_by_what_is_let_in(&rules, at, blob, 0).await? {
            return Ok(());
        }
        let sentence = format!("{name}@{blob} is part of no image of that name that was pulled and let in here");
        Err(self.denied(&Denial { sentence, until: None, undated: false, ..denial }, &subject))
    }

    /// The published versions of a package that hold a blob, by their digests.
    async fn versions_with(&self, at: &PackageAt, blob: &Named) -> Result<Vec<Named>> {
        let Some(digest) = self.registry().digest_of(blob).await? else { return Ok(Vec::new()) };
        let repo = self.repo_id();
        let look = async |session: &mut store::Session<'_>| locations::of_content(session, repo, digest).await;
        let beginning = format!("{}/", manifests_of(at));
        let found = self.store().read(look).await?.into_iter().filter(|(path, ..)| path.starts_with(&beginning));
        Ok(found.filter_map(|(_, version, _)| version.parse().ok()).collect())
    }

    /// Whether all that is told is news of content that nobody has fetched: anybody can ask for any number of digests.
    pub(super) async fn is_of_nothing_here(
        &self,
        remote: &Remote,
        at: &PackageAt,
        subject: &str,
        heard: &[Heard],
    ) -> Result<bool> {
        let (Some(_), Ok(named)) = (remote.format.contents(), subject.parse::<Named>()) else { return Ok(false) };
        let first = |heard: &Heard| matches!(heard, Heard::New { before: None, .. });
        Ok(heard.iter().all(first) && self.known_since(at, &named).await?.is_none())
    }

    /// Since when a version is known here under its name.
    async fn known_since(&self, at: &PackageAt, named: &Named) -> Result<Option<Timestamp>> {
        let (repo, digest) = (self.repo_id(), named.to_string());
        let (times, key) =
            (&self.registry().inner.remotes.times, (self.revision(), at.clone(), Box::from(digest.as_str())));
        if let Some(since) = times.get(&key) {
            return Ok(Some(since));
        }
        let beginning = format!("{}/", manifests_of(at));
        let (target, path) = (format!("{beginning}{digest}"), format!("{beginning}{}", digest.replace(':', "/")));
        let sha256 = match named {
            Named::Sha256(digest) => Some(*digest),
            Named::Sha512(_) => None,
        };
        let look = async |session: &mut store::Session<'_>| {
            observations::known_since(session, repo, sha256, (&beginning, &target), &path).await
        };
        let since = self.store().read(look).await?;
        if let Some(since) = since {
            times.insert(key, since);
        }
        Ok(since)
    }

    /// The tags that stand for a version now, as far as they were asked for.
    async fn tags_of(&self, at: &PackageAt, named: &Named) -> Result<Vec<String>> {
        let Named::Sha256(digest) = named else { return Ok(Vec::new()) };
        let (repo, beginning) = (self.repo_id(), format!("{}/", manifests_of(at)));
        let look = async |session: &mut store::Session<'_>| observations::with_digest(session, repo, *digest).await;
        let found = self.store().read(look).await?.into_iter();
        Ok(found.filter_map(|(target, _)| Some(target.strip_prefix(&beginning)?.to_owned())).collect())
    }

    /// The tags that are known to stand for what is kept out, and why.
    pub(crate) async fn tags_kept_out(&self, at: &PackageAt) -> Result<Vec<(String, Denial)>> {
        let Some(rules) = self.rules().await? else { return Ok(Vec::new()) };
        let mut out = Vec::new();
        for (tag, named) in self.tags_here(at).await? {
            if let Verdict::Deny(denial) = self.judge_here(&rules, at, &named, Some(&tag), 0).await?.verdict {
                out.push((tag.to_string(), denial));
            }
        }
        Ok(out)
    }

    /// The tags that were asked for and are let through, with the names of the versions that they stand for: of all, or of
    /// `only` this one.
    pub(crate) async fn tags_let_through(&self, at: &PackageAt, only: Option<&str>) -> Result<Vec<(String, String)>> {
        let rules = self.rules().await?;
        let mut shown = Vec::new();
        for (tag, named) in self.tags_here(at).await? {
            let version = named.to_string();
            if only.is_some_and(|only| only != version) {
                continue;
            }
            let denied = match &rules {
                Some(rules) => self.judge_here(rules, at, &named, Some(&tag), 0).await?.verdict.denial().is_some(),
                None => false,
            };
            if !denied {
                shown.push((tag.to_string(), version));
            }
        }
        Ok(shown)
    }

    /// The tags that were asked for, with the versions that they stand for.
    async fn tags_here(&self, at: &PackageAt) -> Result<Vec<(RefName, Named)>> {
        let (repo, beginning) = (self.repo_id(), manifests_of(at));
        let look = async |session: &mut store::Session<'_>| observations::beneath(session, repo, &beginning).await;
        let found = self.store().read(look).await?.into_iter();
        let tag = |target: &str| RefName::parse(target.strip_prefix(&beginning)?.strip_prefix('/')?).ok();
        Ok(found.filter_map(|(target, digest)| Some((tag(&target)?, Named::Sha256(digest)))).collect())
    }

    /// The refusal, with what may be had instead.
    async fn kept_out_version(
        &self,
        rules: &Rules,
        at: &PackageAt,
        named: &Named,
        tag: Option<&RefName>,
        mut denial: Denial,
    ) -> Result<Error> {
        let (name, digest) = (name_of(format_of(self.repo())?, at), named.to_string());
        let (version, asked) = match tag {
            Some(tag) => (tag.as_str(), format!("{name}:{tag}")),
            None => (digest.as_str(), format!("{name}@{digest}")),
        };
        if let Some(tag) = tag
            && let Some(older) = self.older(rules, at, tag).await?
        {
            denial.sentence.push_str(&format!("; {name}@{older}, for which {tag} stood before, is let in"));
        }
        let repo = &self.repo().key;
        denial.sentence.push_str(&format!("; see artifortress explain {repo} {asked}"));
        Ok(self.denied(&denial, &Subject { name: &name, version, path: None, published_at: None }))
    }

    /// The latest version that a tag stood for before and that is let in.
    async fn older(&self, rules: &Rules, at: &PackageAt, tag: &RefName) -> Result<Option<Named>> {
        let (repo, target) = (self.repo_id(), format!("{}/{tag}", manifests_of(at)));
        let look = async |session: &mut store::Session<'_>| observations::stood(session, repo, &target, OLDER).await;
        let mut seen = BTreeSet::new();
        for digest in self.store().read(look).await? {
            let named = Named::Sha256(digest);
            if seen.insert(digest) && self.is_let_in_here(rules, at, &named, 0).await? {
                return Ok(Some(named));
            }
        }
        Ok(None)
    }
}

/// Where the bytes of a version are here.
pub(super) fn path_of(at: &PackageAt, named: &Named) -> Result<EntryPath> {
    Ok(EntryPath::parse(&format!("{}/{}", manifests_of(at), named.to_string().replace(':', "/")))?)
}

/// The beginning of questions for versions, and of their paths here.
fn manifests_of(at: &PackageAt) -> String {
    format!("{}/manifests", at.name)
}
