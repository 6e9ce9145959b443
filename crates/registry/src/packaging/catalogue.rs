//! Lists of packages in a format's shape.

use std::sync::Arc;

use formats::{Catalogue, Format, Listed, Site};

use super::documents::{DocumentKey, Of, Shown};
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::versions::format_of;

/// Packages read at once.
const PAGE: u32 = 200;

/// What a list shows of one version's metadata at most, in bytes; longer, it is left out.
const BRIEF: usize = 16 << 10;

/// A list of packages and whether it was cut.
pub(crate) type Listing = (Vec<Listed>, bool);

impl Grant<Read> {
    /// A list of the packages that have a published version, in the format's shape. That of all packages is remembered:
    /// embedded it costs no statement, on PostgreSQL one.
    pub async fn catalogue(&self, asked: &Catalogue, site: &Site<'_>) -> Result<Arc<Shown>> {
        if self.instant().is_some()
            || asked.limit.is_some()
            || asked.skip > 0
            || !asked.prefix.is_empty()
            || !asked.after.is_empty()
        {
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
        let format = format_of(self.repo())?;
        let (packages, more) = self.listed(asked, format).await?;
        let document = format.catalogue(asked, &packages, more, site);
        Ok(Arc::new(Shown::new(document.ok_or_else(|| Error::not_found("the list"))?, None)))
    }

    pub(crate) async fn listed(&self, asked: &Catalogue, format: &dyn Format) -> Result<Listing> {
        let manifests = format.lists_manifests(asked.view);
        let (repo, when, limit) = (self.repo_id(), self.when(), asked.limit.map_or(usize::MAX, |limit| limit as usize));
        let mut skip = asked.skip;
        let mut listed: Vec<Listed> = Vec::new();
        let mut after =
            (asked.after.clone(), if asked.after.is_empty() { String::new() } else { store::packages::last() });
        loop {
            let look = async |session: &mut store::Session<'_>| {
                store::packages::list(session, repo, &asked.prefix, (&after.0, &after.1), false, PAGE, when).await
            };
            let page = self.store().read(look).await?;
            let Some(last) = page.last() else { return Ok((listed, false)) };
            after = (last.at.name.clone(), last.at.namespace.clone());
            for package in page {
                let Some(latest) = package.latest else { continue };
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                if listed.len() == limit {
                    return Ok((listed, true));
                }
                let brief = if manifests {
                    let look =
                        async |session: &mut store::Session<'_>| store::manifests::find(session, latest.id).await;
                    let found = self.store().read(look).await?.and_then(|manifest| format.brief(&manifest.body));
                    found.filter(|brief| brief.len() <= BRIEF)
                } else {
                    None
                };
                listed.push(Listed {
                    namespace: package.at.namespace,
                    name: package.at.name,
                    display: package.at.display_name,
                    version: latest.version,
                    published_at: latest.published_at,
                    brief,
                });
            }
            tokio::task::yield_now().await;
        }
    }
}
