//! The index of a package of which several members have versions.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use formats::{Format, Head, PackageAt, Site, VersionFacts, View, Wanting};
use model::{Code, PackageId, RepoId, Timestamp};

use super::members::Members;
use crate::authorize::{Grant, Member, Read};
use crate::error::{Error, Result};
use crate::packaging::{DocumentKey, Of, RefsAround, Shown};
use crate::remote::{Which, Witness};
use crate::versions::format_of;

/// A member's part in an index.
enum Part<'m> {
    /// What is published here.
    Hosted { grant: &'m Grant<Read>, package: Option<PackageId>, around: RefsAround },
    /// What an upstream tells.
    Remote(Witness),
}

impl Grant<Read> {
    /// The index of a package, put together from all readable members that may answer for it. 404 where none has any of
    /// it.
    pub async fn index_of_members(
        &self,
        members: &Members,
        at: impl Fn(&Member) -> Option<PackageAt>,
        view: View,
        wanted: Wanting<'_>,
        site: &Site<'_>,
    ) -> Result<Arc<Shown>> {
        let (mut parts, mut states, mut name) = (Vec::new(), Vec::new(), None);
        for member in members.answering(&at).await? {
            let (Some(grant), Some(at)) = (member.grant(), at(member)) else { continue };
            if let Some((part, state)) = part(grant, &at, view, wanted).await? {
                states.push((grant.repo_id(), state));
                parts.push(part);
            }
            name = name.or(Some(at));
        }
        let at = name.ok_or_else(|| Error::not_found("the package"))?;
        if parts.is_empty() {
            return Err(Error::not_found(&at.name));
        }
        let stale = parts.iter().filter_map(Part::stale_since).min();
        let key = DocumentKey {
            of: Of::Merged(self.repo_id(), at.clone(), states.as_slice().into()),
            state: 0,
            view,
            only: wanted.word().unwrap_or_default().into(),
            base: site.base.into(),
        };
        let make = self.put_together(&at, parts, &states, view, wanted, site);
        let shown = self.registry().inner.documents.shown.get_or_insert_async(&key, Box::pin(make)).await?;
        Ok(match stale {
            Some(since) => Arc::new(shown.stale(since)),
            None => shown,
        })
    }

    async fn put_together(
        &self,
        at: &PackageAt,
        parts: Vec<Part<'_>>,
        states: &[(RepoId, u64)],
        view: View,
        wanted: Wanting<'_>,
        site: &Site<'_>,
    ) -> Result<Arc<Shown>> {
        let format = format_of(self.repo())?;
        let mut hasher = DefaultHasher::new();
        states.hash(&mut hasher);
        let mut whole = Whole::new(at, hasher.finish());
        for part in parts {
            let (head, versions) = part.facts(format, at, view).await?;
            whole.add(head, versions);
        }
        let shown = whole.document(format, view, wanted, site).ok_or_else(|| Error::not_found(&at.name))?;
        Ok(Arc::new(shown))
    }
}

/// What a member has of a package, and a number that is another one when it has something else.
async fn part<'m>(
    grant: &'m Grant<Read>,
    at: &PackageAt,
    view: View,
    wanted: Wanting<'_>,
) -> Result<Option<(Part<'m>, u64)>> {
    if grant.is_remote() {
        let seen = grant.told(grant.remote()?, at, Which::of(wanted)).await?;
        let Some(seen) = seen else { return Ok(None) };
        let witness = grant.witness(at, seen).await?;
        let state = witness.state();
        return Ok(Some((Part::Remote(witness), state)));
    }
    let around = grant.around(at, view, wanted).await?;
    let (package, state) = match grant.state(at).await {
        Ok((package, state)) => (Some(package), state),
        Err(error) if error.code() == Some(Code::NotFound) && !around.is_empty() => (None, 0),
        Err(error) if error.code() == Some(Code::NotFound) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut hasher = DefaultHasher::new();
    (state, &around).hash(&mut hasher);
    Ok(Some((Part::Hosted { grant, package, around }, hasher.finish())))
}

impl Part<'_> {
    fn stale_since(&self) -> Option<Timestamp> {
        match self {
            Self::Remote(witness) => witness.stale_since(),
            Self::Hosted { .. } => None,
        }
    }

    async fn facts(
        &self,
        format: &'static dyn Format,
        at: &PackageAt,
        view: View,
    ) -> Result<(Head, Vec<VersionFacts>)> {
        match self {
            Self::Remote(witness) => Ok(witness.facts(at)),
            Self::Hosted { grant, package: Some(package), around } => {
                let (mut head, versions) = grant.facts(format, *package, view).await?;
                head.around = around.to_vec();
                Ok((head, versions))
            }
            Self::Hosted { around, .. } => {
                let head = Head { around: around.to_vec(), ..Whole::new(at, 0).head };
                Ok((head, Vec::new()))
            }
        }
    }
}

/// What is known by now: each version, ref and neighbour from the first member that has it.
struct Whole {
    head: Head,
    versions: Vec<VersionFacts>,
    changed_at: Timestamp,
    seen: HashSet<String>,
}

impl Whole {
    fn new(at: &PackageAt, generation: u64) -> Self {
        let head = Head {
            namespace: at.namespace.clone(),
            name: at.name.clone(),
            display: String::new(),
            generation,
            versions: Vec::new(),
            refs: Vec::new(),
            around: Vec::new(),
        };
        Self { head, versions: Vec::new(), changed_at: Timestamp(0), seen: HashSet::new() }
    }

    fn add(&mut self, head: Head, versions: Vec<VersionFacts>) {
        if self.head.display.is_empty() {
            self.head.display = head.display;
        }
        for version in versions {
            self.changed_at = self.changed_at.max(version.head.changed_at);
            if self.seen.insert(version.head.version.clone()) {
                self.versions.push(version);
            }
        }
        for (into, more) in [(&mut self.head.refs, head.refs), (&mut self.head.around, head.around)] {
            for (name, what) in more {
                if !into.iter().any(|(known, _)| *known == name) {
                    into.push((name, what));
                }
            }
            into.sort();
        }
    }

    fn document(mut self, format: &dyn Format, view: View, wanted: Wanting<'_>, site: &Site<'_>) -> Option<Shown> {
        if let Wanting::Part(part) = wanted {
            self.versions.retain(|version| format.belongs(&version.head.version, part));
        }
        self.head.versions = self.versions.iter().map(|version| version.head.clone()).collect();
        let document = match wanted {
            Wanting::One(name) => {
                let pointed = self.head.refs.iter().find(|(tag, _)| tag == name).map(|(_, version)| version.as_str());
                let name = pointed.unwrap_or(name);
                let version = self.versions.iter().find(|version| version.head.version == name)?;
                format.version(view, &self.head, version, site)?
            }
            Wanting::All | Wanting::Part(_) => {
                let fragment = |version| format.fragment(view, version, site).map(Arc::from);
                let fragments: Vec<Option<Arc<[u8]>>> = match format.looks_inside(view) {
                    true => self.versions.iter().map(fragment).collect(),
                    false => vec![None; self.versions.len()],
                };
                format.assemble(view, &self.head, &fragments, site)?
            }
        };
        Some(Shown::new(document, Some(self.changed_at)))
    }
}
