//! Lists of packages in a format's shape.

use std::sync::Arc;

use formats::{Catalogue, Format, Listed, PackageAt, Site, VersionHead};
use model::VersionId;
use store::packages::{Beside, Package};

use super::documents::{DocumentKey, Of, Shown};
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::remote::Youngest;
use crate::versions::format_of;

/// Packages read at once.
const PAGE: u32 = 200;

/// What a list shows of one version's metadata at most, in bytes; longer, it is left out.
const BRIEF: usize = 16 << 10;

impl Grant<Read> {
    /// A list of the packages that have a published version, in the format's shape. That of all packages is remembered:
    /// embedded it costs no statement, on PostgreSQL one. Not where rules decide: they look at the time.
    pub async fn catalogue(&self, asked: &Catalogue, site: &Site<'_>) -> Result<Arc<Shown>> {
        let all = asked.limit.is_none() && asked.skip == 0 && asked.prefix.is_empty() && asked.after.is_empty();
        if self.instant().is_some() || !all {
            return self.list(asked, site).await;
        }
        let (of, state) = (Of::All(self.repo_id()), self.state_of_all().await?);
        let key = DocumentKey { of, state, view: asked.view, only: "".into(), base: site.base.into() };
        let documents = &self.registry().inner.documents;
        let make = async {
            // It is never closed.
            let _turn = documents.lists.acquire().await;
            self.list(asked, site).await
        };
        if self.is_ruled() {
            return make.await;
        }
        documents.shown.get_or_insert_async(&key, make).await
    }

    /// What a list of all packages must be as young as.
    async fn state_of_all(&self) -> Result<u64> {
        if let Some(fresh) = self.store().fresh() {
            return Ok(fresh.lists().number());
        }
        let repo = self.repo_id();
        let look = async |session: &mut store::Session<'_>| store::packages::state_of_all(session, repo).await;
        Ok(self.store().read(look).await?)
    }

    async fn list(&self, asked: &Catalogue, site: &Site<'_>) -> Result<Arc<Shown>> {
        let mut list = List::new(asked, format_of(self.repo())?);
        let mut after =
            (asked.after.clone(), if asked.after.is_empty() { String::new() } else { store::packages::last() });
        loop {
            let page = self.page_of_all(&asked.prefix, (&after.0, &after.1), Beside::Nothing, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = (last.at.name.clone(), last.at.namespace.clone());
            for package in page {
                list.take(self, package).await?;
                if list.more {
                    return list.shown(site);
                }
            }
            tokio::task::yield_now().await;
        }
        list.shown(site)
    }

    /// Packages whose normalised name begins with `prefix`, in the order of (name, namespace), after the given one.
    pub(crate) async fn page_of_all(
        &self,
        prefix: &str,
        after: (&str, &str),
        beside: Beside,
        limit: u32,
    ) -> Result<Vec<Package>> {
        let (repo, when) = (self.repo_id(), self.when());
        let look = async |session: &mut store::Session<'_>| {
            store::packages::list(session, repo, prefix, after, beside, limit, when).await
        };
        Ok(self.store().read(look).await?)
    }

    /// The version of a package that a list with metadata shows: that of the standing ref where it was set, so that the others
    /// need not be read; else which one, the format says.
    async fn current(&self, format: &dyn Format, package: &Package) -> Result<Option<VersionHead>> {
        if package.latest.is_none() {
            return Ok(None);
        }
        if let Some(name) = format.standing_ref().filter(|_| !self.is_remote()) {
            let set = self.head(package.id, Some(name)).await?.versions.into_iter().find(|one| !one.unlisted);
            if set.is_some() {
                return Ok(set);
            }
        }
        let head =
            if self.is_remote() { self.head_kept(&package.at).await? } else { self.head(package.id, None).await? };
        let named = format.stands_for(&head);
        let found = named.and_then(|named| head.versions.iter().find(|one| one.version == named));
        Ok(found.or(head.versions.last()).cloned())
    }

    /// The youngest version of a package that readers see; `None`: there is none. `timed`: when it was published counts.
    pub(crate) async fn youngest(&self, package: &Package, timed: bool) -> Result<Option<Youngest>> {
        let Some(latest) = &package.latest else { return Ok(None) };
        if self.is_remote() && (timed || self.is_ruled()) {
            let at = PackageAt { namespace: package.at.namespace.clone(), name: package.at.name.clone() };
            return self.youngest_kept(&at).await;
        }
        let (version, here_since) = (latest.version.clone(), latest.published_at);
        let published_at = (!self.is_remote()).then_some(here_since);
        Ok(Some(Youngest { id: latest.id, version, here_since, published_at }))
    }
}

/// A list that is being made.
pub(crate) struct List<'a> {
    asked: &'a Catalogue,
    format: &'static dyn Format,
    skip: u32,
    limit: usize,
    packages: Vec<Listed>,
    /// Whether there are more than are wanted.
    pub(crate) more: bool,
}

impl<'a> List<'a> {
    pub(crate) fn new(asked: &'a Catalogue, format: &'static dyn Format) -> Self {
        let limit = asked.limit.map_or(usize::MAX, |limit| limit as usize);
        Self { asked, format, skip: asked.skip, limit, packages: Vec::new(), more: false }
    }

    /// Adds a package of a repository, where the list has room. Returns whether readers see any of it.
    pub(crate) async fn take(&mut self, grant: &Grant<Read>, package: Package) -> Result<bool> {
        let manifests = self.format.lists_manifests(self.asked.view);
        let current = if manifests {
            grant.current(self.format, &package).await?
        } else {
            grant.youngest(&package, false).await?.map(Youngest::head)
        };
        let Some(current) = current else { return Ok(false) };
        if self.skip > 0 {
            self.skip -= 1;
            return Ok(true);
        }
        if self.packages.len() == self.limit {
            self.more = true;
            return Ok(true);
        }
        let brief = if manifests { self.brief(grant, current.id).await? } else { None };
        self.packages.push(Listed {
            namespace: package.at.namespace,
            name: package.at.name,
            display: package.at.display_name,
            version: current.version,
            published_at: current.published_at,
            brief,
        });
        Ok(true)
    }

    async fn brief(&self, grant: &Grant<Read>, version: VersionId) -> Result<Option<String>> {
        let look = async |session: &mut store::Session<'_>| store::manifests::find(session, version).await;
        let found = grant.store().read(look).await?.and_then(|manifest| self.format.brief(&manifest.body));
        Ok(found.filter(|brief| brief.len() <= BRIEF))
    }

    /// The list in the format's shape.
    pub(crate) fn shown(&self, site: &Site<'_>) -> Result<Arc<Shown>> {
        let document = self.format.catalogue(self.asked, &self.packages, self.more, site);
        Ok(Arc::new(Shown::new(document.ok_or_else(|| Error::not_found("the list"))?, None)))
    }
}
