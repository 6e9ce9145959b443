//! The packages of a repository as people are shown them.

use formats::PackageAt;
use model::Timestamp;
use store::packages::{Coordinate, Package};

use super::format_of;
use super::packages::NAMED;
use crate::authorize::{Grant, Read};
use crate::error::Result;
use crate::remote::Youngest;
use crate::rules::names_by_digest;

/// A package, with its youngest version.
#[derive(Clone, Debug)]
pub struct OnShelf {
    /// The package.
    pub at: Coordinate,
    /// The name of the version.
    pub version: String,
    /// The refs that point at it: 20 at most, and none as of a moment.
    pub refs: Vec<String>,
    /// When it was published where it comes from; `None`: that is not known here.
    pub told_at: Option<Timestamp>,
    /// Since when it is here.
    pub here_since: Timestamp,
}

impl Grant<Read> {
    /// The packages that readers see in the order of (name, namespace), after the given one. Of what comes from elsewhere:
    /// what is here, and nothing that rules keep out.
    pub async fn shelf(&self, after: (&str, &str), limit: u32) -> Result<Vec<OnShelf>> {
        let mut shelf = Vec::new();
        for (grant, package, youngest) in self.youngest_shown("", after, limit, true).await? {
            let refs = grant.refs_on(&package, &youngest).await?;
            let Youngest { version, here_since, published_at: told_at, .. } = youngest;
            shelf.push(OnShelf { at: package.at, version, refs, told_at, here_since });
        }
        Ok(shelf)
    }

    async fn refs_on(&self, package: &Package, version: &Youngest) -> Result<Vec<String>> {
        if self.instant().is_some() {
            return Ok(Vec::new());
        }
        if self.is_remote() && names_by_digest(format_of(self.repo())?) {
            let at = PackageAt { namespace: package.at.namespace.clone(), name: package.at.name.clone() };
            let tags = self.tags_let_through(&at, Some(&version.version)).await?.into_iter();
            return Ok(tags.map(|(tag, _)| tag).take(NAMED as usize).collect());
        }
        let (package, only) = (package.id, (version.id, version.id));
        let look = async |session: &mut store::Session<'_>| {
            store::versions::names_and_marks(session, package, only, NAMED).await
        };
        Ok(self.store().read(look).await?.0.into_iter().map(|(_, name)| name).collect())
    }
}
