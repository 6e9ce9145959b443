//! Indexes of packages: facts are read, each version is rendered once, the whole is remembered.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use formats::{Around, FileFacts, Format, Head, PackageAt, Site, VersionFacts, VersionHead, View, Wanting};
use model::state::{MarkKind, RepoKind};
use model::{Code, PackageId, Timestamp, VersionId};
use store::{Fresh, Stamp, facts};

use super::documents::{DocumentKey, FragmentKey, Named, Of, RefsAround, Shown};
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::versions::format_of;

/// Each version of a package as it stands in an index; `None` leaves it out.
pub(crate) type Fragments = Vec<Option<Arc<[u8]>>>;

/// Versions whose insides are read at once.
const CHUNK: usize = 200;

impl Grant<Read> {
    /// The index of a package. 404 when nothing of it is published. Remembered: embedded it costs no
    /// statement, on PostgreSQL one.
    pub async fn index(&self, at: &PackageAt, view: View, site: &Site<'_>) -> Result<Arc<Shown>> {
        self.shown(at, view, Wanting::All, site).await
    }

    /// The index of those versions of a package that belong to a part. 404 when nothing of it is published.
    pub async fn part(&self, at: &PackageAt, part: &str, view: View, site: &Site<'_>) -> Result<Arc<Shown>> {
        self.shown(at, view, Wanting::Part(part), site).await
    }

    /// What is said of one version, named or pointed at by a ref.
    pub async fn version_document(
        &self,
        at: &PackageAt,
        version: &str,
        view: View,
        site: &Site<'_>,
    ) -> Result<Arc<Shown>> {
        self.shown(at, view, Wanting::One(version), site).await
    }

    /// Of a moment nothing is remembered, see [`crate::then`].
    async fn shown(&self, at: &PackageAt, view: View, wanted: Wanting<'_>, site: &Site<'_>) -> Result<Arc<Shown>> {
        if self.repo().kind == RepoKind::Remote {
            return Box::pin(self.shown_of_upstream(at, view, wanted, site)).await;
        }
        let around = self.around(at, wanted).await?;
        let (package, state) = match self.state(at).await {
            Err(Error::Refused(refusal)) if refusal.code == Code::NotFound && !around.is_empty() => {
                return self.only_around(at, view, &around, site);
            }
            found => found?,
        };
        let state = if around.is_empty() { state } else { mixed(state, &around) };
        let only = wanted.word();
        let key = DocumentKey {
            of: Of::Package(package),
            state,
            view,
            only: only.unwrap_or_default().into(),
            base: site.base.into(),
        };
        let documents = &self.registry().inner.documents;
        let make = async {
            let made = match wanted {
                Wanting::One(version) => Box::pin(self.describe(package, version, view, site)).await,
                Wanting::All => Box::pin(self.assemble(package, None, view, &around, site)).await,
                Wanting::Part(part) => Box::pin(self.assemble(package, Some(part), view, &around, site)).await,
            };
            made.map(Arc::new)
        };
        let made = match self.instant() {
            Some(_) => make.await,
            None => documents.shown.get_or_insert_async(&key, make).await,
        };
        made.map_err(|error| match error {
            Error::Refused(refusal) if refusal.code == Code::NotFound => {
                self.unknown(&format!("{}{}", at.name, only.map(|only| format!(" {only}")).unwrap_or_default()))
            }
            other => other,
        })
    }

    /// The package and what its documents must be as young as.
    pub(crate) async fn state(&self, at: &PackageAt) -> Result<(PackageId, u64)> {
        self.state_if_any(at).await?.ok_or_else(|| Error::not_found(&at.name))
    }

    /// The same; `None`: there is no such package.
    pub(crate) async fn state_if_any(&self, at: &PackageAt) -> Result<Option<(PackageId, u64)>> {
        let documents = &self.registry().inner.documents;
        let Some(fresh) = self.store().fresh() else { return self.state_read(at, None).await };
        let named = Named(self.repo_id(), at);
        if let Some(package) = documents.ids.get(&named) {
            return Ok(Some((package, fresh.package(package).number())));
        }
        let lists = fresh.lists();
        match documents.absent.get(&named) == Some(lists) {
            true => Ok(None),
            false => self.state_read(at, Some(lists)).await,
        }
    }

    async fn state_read(&self, at: &PackageAt, lists: Option<Stamp>) -> Result<Option<(PackageId, u64)>> {
        let (repo, documents) = (self.repo_id(), &self.registry().inner.documents);
        let known = (repo, at.clone());
        let look =
            async |session: &mut store::Session<'_>| facts::generation(session, repo, &at.namespace, &at.name).await;
        let Some(found) = self.store().read(look).await? else {
            lists.into_iter().for_each(|lists| documents.absent.insert(known.clone(), lists));
            return Ok(None);
        };
        documents.ids.insert(known, found.package);
        // Embedded, the stamp is read before the facts that the document is made of.
        let state = self.store().fresh().map_or(found.number, |fresh: &Fresh| fresh.package(found.package).number());
        Ok(Some((found.package, state)))
    }

    /// What an index tells of other packages.
    pub(crate) async fn around(&self, at: &PackageAt, wanted: Wanting<'_>) -> Result<RefsAround> {
        let asked = match wanted {
            Wanting::All => format_of(self.repo())?.around(at),
            Wanting::Part(_) | Wanting::One(_) => None,
        };
        let Some(asked) = asked else { return Ok(RefsAround::default()) };
        let (repo, memory, when) = (self.repo_id(), &self.registry().inner.documents.around, self.when());
        let before = self.store().fresh().map(Fresh::writes).filter(|_| self.instant().is_none());
        let key = (repo, asked);
        if let Some((stamp, found)) = before.and_then(|_| memory.get(&key))
            && Some(stamp) == before
        {
            return Ok(found);
        }
        let Around { namespace, refs } = &key.1;
        let look = async |session: &mut store::Session<'_>| facts::refs_in(session, repo, namespace, refs, when).await;
        let found = Arc::new(self.store().read(look).await?);
        if let Some(before) = before {
            memory.insert(key, (before, Arc::clone(&found)));
        }
        Ok(found)
    }

    /// The index where there is nothing of the package itself. Made each time: it is short.
    fn only_around(&self, at: &PackageAt, view: View, around: &RefsAround, site: &Site<'_>) -> Result<Arc<Shown>> {
        let head = Head {
            namespace: at.namespace.clone(),
            name: at.name.clone(),
            display: at.name.clone(),
            generation: 0,
            versions: Vec::new(),
            refs: Vec::new(),
            around: around.to_vec(),
        };
        let document = format_of(self.repo())?.assemble(view, &head, &[], site);
        let document = document.ok_or_else(|| Error::not_found(&at.name))?;
        Ok(Arc::new(Shown::new(document, Some(changed_at(&head)))))
    }

    async fn assemble(
        &self,
        package: PackageId,
        part: Option<&str>,
        view: View,
        around: &RefsAround,
        site: &Site<'_>,
    ) -> Result<Shown> {
        let format = format_of(self.repo())?;
        let mut head = self.head(package, None).await?;
        head.around = around.to_vec();
        if let Some(part) = part {
            head.versions.retain(|one| format.belongs(&one.version, part));
        }
        if self.instant().is_some() && head.versions.is_empty() && around.is_empty() {
            return Err(Error::not_found(&head.name));
        }
        let fragments = self.fragments(format, package, &head, view, site).await?;
        let document = format.assemble(view, &head, &fragments, site).ok_or_else(|| Error::not_found(&head.name))?;
        Ok(Shown::new(document, Some(changed_at(&head))))
    }

    /// The package with all its published versions, and each of them as it stands in an index.
    pub(crate) async fn rendered(
        &self,
        format: &'static dyn Format,
        package: PackageId,
        view: View,
        site: &Site<'_>,
    ) -> Result<(Head, Fragments)> {
        let head = self.head(package, None).await?;
        let fragments = self.fragments(format, package, &head, view, site).await?;
        Ok((head, fragments))
    }

    async fn describe(&self, package: PackageId, version: &str, view: View, site: &Site<'_>) -> Result<Shown> {
        let format = format_of(self.repo())?;
        let mut head = self.head(package, Some(version)).await?;
        if head.versions.is_empty() && format.standing_ref() == Some(version) {
            let stands_for = format.stands_for(&self.head(package, None).await?);
            head = self.head(package, stands_for.as_deref().or(Some(version))).await?;
        }
        let Some(one) = head.versions.first() else {
            return Err(self.not_shown(package, &head.display, version).await?);
        };
        let when = self.when();
        let inside = self.store().read(async |session| facts::inside(session, one.id, when).await).await?;
        let whole = whole(one.clone(), inside);
        let document = format.version(view, &head, &whole, site).ok_or_else(|| Error::not_found(version))?;
        Ok(Shown::new(document, Some(changed_at(&head))))
    }

    /// Why a version is not shown: it was withdrawn, or there is none.
    async fn not_shown(&self, package: PackageId, name: &str, version: &str) -> Result<Error> {
        let withdrawn = async |session: &mut store::Session<'_>| facts::is_withdrawn(session, package, version).await;
        match self.instant().is_none() && self.store().read(withdrawn).await? {
            true => Ok(Error::refuse(Code::Gone, format!("{name} {version} was withdrawn"))),
            false => Ok(Error::not_found(version)),
        }
    }

    /// The package with its published versions; with `only`, the version of this name or ref.
    pub(super) async fn head(&self, package: PackageId, only: Option<&str>) -> Result<Head> {
        let when = self.when();
        let look = async |session: &mut store::Session<'_>| {
            let names = facts::names(session, package).await?;
            let refs = facts::refs(session, package, when).await?;
            let pointed = only.and_then(|only| refs.iter().find(|(name, _)| name == only));
            let only = pointed.map(|(_, version)| version.as_str()).or(only);
            let versions = facts::heads(session, package, only, when).await?;
            Ok((names, refs, versions))
        };
        let (names, refs, versions) = self.store().snapshot(look).await?;
        let versions = versions.into_iter().map(version_head).collect();
        let (namespace, name, display) = (names.namespace, names.name, names.display);
        let around = Vec::new();
        // The counter tells of now.
        let generation = if self.instant().is_some() { 0 } else { names.generation };
        Ok(Head { namespace, name, display, generation, versions, refs, around })
    }

    /// The fragment of each version, from memory or rendered now; all `None` where an index needs none.
    async fn fragments(
        &self,
        format: &'static dyn Format,
        package: PackageId,
        head: &Head,
        view: View,
        site: &Site<'_>,
    ) -> Result<Fragments> {
        if !format.looks_inside(view) {
            return Ok(vec![None; head.versions.len()]);
        }
        let (memory, when) = (&self.registry().inner.documents.fragments, self.when());
        let keys: Vec<_> = head.versions.iter().map(|one| FragmentKey::new(one, view, site.base)).collect();
        let remembered = |key| if self.instant().is_some() { None } else { memory.get(key) };
        let mut found: Vec<_> = keys.iter().map(remembered).collect();
        let mut missing: Vec<usize> =
            found.iter().enumerate().filter(|(_, found)| found.is_none()).map(|(number, _)| number).collect();
        missing.sort_by_key(|number| head.versions.get(*number).map(|one| one.id));
        for chunk in missing.chunks(CHUNK) {
            let mut wanted: HashMap<VersionId, usize> =
                chunk.iter().filter_map(|number| head.versions.get(*number).map(|one| (one.id, *number))).collect();
            let (Some(from), Some(to)) = (wanted.keys().min().copied(), wanted.keys().max().copied()) else { continue };
            let look =
                async |session: &mut store::Session<'_>| facts::inside_range(session, package, (from, to), when).await;
            for inside in self.store().read(look).await? {
                let Some(number) = wanted.remove(&inside.id) else { continue };
                let (Some(one), Some(key)) = (head.versions.get(number), keys.get(number)) else { continue };
                let fragment = format.fragment(view, &whole(one.clone(), inside), site).map(Arc::from);
                if self.instant().is_none() {
                    memory.insert(key.clone(), fragment.clone());
                }
                if let Some(slot) = found.get_mut(number) {
                    *slot = Some(fragment);
                }
            }
            tokio::task::yield_now().await;
        }
        Ok(found.into_iter().map(Option::flatten).collect())
    }
}

/// A state that is another one when what is around is another.
fn mixed(state: u64, around: &RefsAround) -> u64 {
    let mut hasher = DefaultHasher::new();
    (state, around).hash(&mut hasher);
    hasher.finish()
}

fn changed_at(head: &Head) -> Timestamp {
    head.versions.iter().map(|one| one.changed_at).max().unwrap_or(Timestamp(0))
}

fn version_head(head: facts::Head) -> VersionHead {
    let mark = |kind| head.marks.iter().find(|(found, _)| *found == kind).map(|(_, text)| text.clone());
    VersionHead {
        yanked: mark(MarkKind::Yanked),
        deprecated: mark(MarkKind::Deprecated),
        unlisted: mark(MarkKind::Unlisted).is_some(),
        id: head.id,
        version: head.version,
        published_at: Some(head.published_at),
        changed_at: head.changed_at,
    }
}

fn whole(head: VersionHead, inside: facts::Inside) -> VersionFacts {
    let files = inside.files.into_iter().map(|file| FileFacts {
        path: file.path,
        location: file.location,
        digest: Some(file.digest),
        size: Some(file.size),
        attributes: file.attributes,
        added_at: Some(file.added_at),
        yanked: None,
    });
    VersionFacts { head, manifest: inside.manifest, files: files.collect() }
}
