//! Lists of packages in a format's shape.

use formats::{Catalogue, Listed, Site};

use super::documents::Shown;
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::versions::format_of;

/// Packages read at once.
const PAGE: u32 = 200;

/// A list of packages and whether it was cut.
type Listing = (Vec<Listed>, bool);

impl Grant<Read> {
    /// A list of the packages that have a published version, in the format's shape.
    pub async fn catalogue(&self, asked: &Catalogue, site: &Site<'_>) -> Result<Shown> {
        let format = format_of(self.repo())?;
        let (packages, more) = self.listed(asked, format.lists_manifests(asked.view)).await?;
        let document = format.catalogue(asked, &packages, more, site);
        Ok(Shown::new(document.ok_or_else(|| Error::not_found("the list"))?, None))
    }

    async fn listed(&self, asked: &Catalogue, manifests: bool) -> Result<Listing> {
        let (repo, limit) = (self.repo_id(), asked.limit.map_or(usize::MAX, |limit| limit as usize));
        let mut skip = asked.skip;
        let mut listed: Vec<Listed> = Vec::new();
        let mut after =
            (asked.after.clone(), if asked.after.is_empty() { String::new() } else { store::packages::last() });
        loop {
            let look = async |session: &mut store::Session<'_>| {
                store::packages::list(session, repo, &asked.prefix, (&after.0, &after.1), false, PAGE).await
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
                let manifest = if manifests {
                    let look =
                        async |session: &mut store::Session<'_>| store::manifests::find(session, latest.id).await;
                    self.store().read(look).await?.map(|manifest| manifest.body)
                } else {
                    None
                };
                listed.push(Listed {
                    namespace: package.at.namespace,
                    name: package.at.name,
                    display: package.at.display_name,
                    version: latest.version,
                    published_at: latest.published_at,
                    manifest,
                });
            }
            tokio::task::yield_now().await;
        }
    }
}
