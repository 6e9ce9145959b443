//! The index of a package of which several members have versions.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use formats::{Format, Head, PackageAt, Site, View, Wanting};
use model::{Code, PackageId, RepoId, Timestamp};

use super::around::Ours;
use super::members::Members;
use crate::authorize::{Grant, Member, Read};
use crate::error::{Error, Result};
use crate::packaging::{DocumentKey, Fragments, Of, RefsAround, Shown};
use crate::remote::Witness;
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
        let (mut parts, mut states, mut name, mut denied) = (Vec::new(), Vec::new(), None, None);
        let format = format_of(self.repo())?;
        let kept = |at: &PackageAt| {
            let around = format.around(at).filter(|_| wanted == Wanting::All);
            around.is_some_and(|around| members.claim_namespace(&around.namespace))
        };
        for member in members.answering(&at).await? {
            let (Some(grant), Some(at)) = (member.grant(), at(member)) else { continue };
            if member.is_remote() && kept(&at) {
                name = name.or(Some(at));
                continue;
            }
            match part(grant, &at, wanted).await {
                Ok(Some((part, state))) => {
                    states.push((grant.repo_id(), state));
                    parts.push(part);
                }
                Ok(None) => {}
                // What others have of it is shown; that nobody has any is not said of what is kept out.
                Err(error) if error.code() == Some(Code::PolicyDenied) => denied = denied.or(Some(error)),
                Err(error) => return Err(error),
            }
            name = name.or(Some(at));
        }
        let at = name.ok_or_else(|| Error::not_found("the package"))?;
        if parts.is_empty() {
            return Err(denied.unwrap_or_else(|| Error::not_found(&at.name)));
        }
        let told: Vec<_> = parts.iter().flat_map(Part::told_around).collect();
        let ours = match told.is_empty() {
            true => Ours::default(),
            false => members.ours_around(&at, told.into_iter()).await?,
        };
        if !ours.is_empty() {
            let mut hasher = DefaultHasher::new();
            ours.hash(&mut hasher);
            states.push((self.repo_id(), hasher.finish()));
        }
        let stale = parts.iter().filter_map(Part::stale_since).min();
        let key = DocumentKey {
            of: Of::Merged(self.repo_id(), at.clone(), states.as_slice().into()),
            state: 0,
            view,
            only: wanted.word().unwrap_or_default().into(),
            base: site.base.into(),
        };
        let make = self.put_together(&at, (parts, ours), &states, view, wanted, site);
        if self.instant().is_some() {
            return Box::pin(make).await;
        }
        let shown = self.registry().inner.documents.shown.get_or_insert_async(&key, Box::pin(make)).await?;
        Ok(match stale {
            Some(since) => Arc::new(shown.stale(since)),
            None => shown,
        })
    }

    async fn put_together(
        &self,
        at: &PackageAt,
        (parts, ours): (Vec<Part<'_>>, Ours),
        states: &[(RepoId, u64)],
        view: View,
        wanted: Wanting<'_>,
        site: &Site<'_>,
    ) -> Result<Arc<Shown>> {
        let format = format_of(self.repo())?;
        let mut hasher = DefaultHasher::new();
        states.hash(&mut hasher);
        // States are those of now.
        let state = if self.instant().is_some() { 0 } else { hasher.finish() };
        let mut whole = Whole::new(at, state);
        for part in parts {
            let (mut head, fragments) = part.rendered(format, at, view, site).await?;
            if matches!(part, Part::Remote(_)) {
                head.around.retain(|told| !ours.contains(told));
            }
            whole.add(head, fragments, matches!(wanted, Wanting::Part(_)), |version| match wanted {
                Wanting::Part(part) => format.belongs(version, part),
                Wanting::All | Wanting::One(_) => true,
            });
        }
        let Whole { head, fragments, changed_at, .. } = whole;
        if self.instant().is_some() && head.versions.is_empty() && head.around.is_empty() {
            return Err(self.unknown(&at.name));
        }
        let document = format.assemble(view, &head, &fragments, site).ok_or_else(|| Error::not_found(&at.name))?;
        Ok(Arc::new(Shown::new(document, Some(changed_at))))
    }
}

/// What a member has of a package, and a number that is another one when it has something else.
async fn part<'m>(grant: &'m Grant<Read>, at: &PackageAt, wanted: Wanting<'_>) -> Result<Option<(Part<'m>, u64)>> {
    if grant.is_remote() {
        let admitted = match grant.admitted(at, wanted).await {
            Err(error) if error.code() == Some(Code::NotFound) => return Ok(None),
            admitted => admitted?,
        };
        let Some(admitted) = admitted else { return Ok(None) };
        let witness = grant.witness(at, admitted).await?;
        let state = witness.state();
        return Ok(Some((Part::Remote(witness), state)));
    }
    let around = grant.around(at, wanted).await?;
    let (package, state) = match grant.state_if_any(at).await? {
        Some((package, state)) => (Some(package), state),
        None if around.is_empty() => return Ok(None),
        None => (None, 0),
    };
    let mut hasher = DefaultHasher::new();
    (state, &around).hash(&mut hasher);
    Ok(Some((Part::Hosted { grant, package, around }, hasher.finish())))
}

impl Part<'_> {
    /// What an upstream tells of other packages.
    fn told_around(&self) -> impl Iterator<Item = &(String, String)> {
        let witness = match self {
            Self::Remote(witness) => Some(witness),
            Self::Hosted { .. } => None,
        };
        witness.into_iter().flat_map(Witness::around)
    }

    fn stale_since(&self) -> Option<Timestamp> {
        match self {
            Self::Remote(witness) => witness.stale_since(),
            Self::Hosted { .. } => None,
        }
    }

    /// The package, and each of its versions as it stands in an index.
    async fn rendered(
        &self,
        format: &'static dyn Format,
        at: &PackageAt,
        view: View,
        site: &Site<'_>,
    ) -> Result<(Head, Fragments)> {
        match self {
            Self::Remote(witness) => Ok(witness.rendered(format, at, view, site)),
            Self::Hosted { grant, package: Some(package), around } => {
                let (mut head, fragments) = grant.rendered(format, *package, view, site).await?;
                head.around = around.to_vec();
                Ok((head, fragments))
            }
            Self::Hosted { around, .. } => {
                Ok((Head { around: around.to_vec(), ..Whole::new(at, 0).head }, Fragments::new()))
            }
        }
    }
}

/// What is known by now: each version, ref and neighbour from the first member that has it.
struct Whole {
    head: Head,
    fragments: Fragments,
    changed_at: Timestamp,
    /// Versions, and whether they are left out of indexes.
    seen: HashMap<String, bool>,
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
        Self { head, fragments: Fragments::new(), changed_at: Timestamp(0), seen: HashMap::new() }
    }

    /// `by_file`: the index tells of files, of which the next member may have others, unless the first hides the version.
    fn add(&mut self, head: Head, fragments: Fragments, by_file: bool, belongs: impl Fn(&str) -> bool) {
        if self.head.display.is_empty() {
            self.head.display = head.display;
        }
        for (version, fragment) in head.versions.into_iter().zip(fragments) {
            self.changed_at = self.changed_at.max(version.changed_at);
            let again = self.seen.get(&version.version).is_none_or(|hidden| by_file && !hidden);
            if again && belongs(&version.version) {
                let hidden = version.yanked.is_some() || version.unlisted;
                self.seen.entry(version.version.clone()).or_insert(hidden);
                self.head.versions.push(version);
                self.fragments.push(fragment);
            }
        }
        let known: HashSet<String> = self.head.refs.iter().map(|(name, _)| name.clone()).collect();
        self.head.refs.extend(head.refs.into_iter().filter(|(name, _)| !known.contains(name)));
        self.head.refs.sort();
        // Clients take the first package that has a ref of that name.
        let known = self.head.around.iter().flat_map(|(package, name)| [package, name]);
        let known: HashSet<String> = known.cloned().collect();
        let fresh = |(package, name): &(String, String)| !known.contains(package) && !known.contains(name);
        self.head.around.extend(head.around.into_iter().filter(fresh));
        self.head.around.sort();
    }
}
