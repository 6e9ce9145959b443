//! What indexes of upstreams tell of other packages, and what of it is for hosted members alone to tell.

use std::collections::BTreeSet;

use formats::{PackageAt, Wanting};

use super::members::Members;
use crate::error::Result;

/// Packages and refs of a namespace of which no upstream tells.
#[derive(Debug, Default, Hash)]
pub(super) struct Ours {
    packages: BTreeSet<String>,
    refs: BTreeSet<String>,
}

impl Ours {
    pub(super) fn is_empty(&self) -> bool {
        self.packages.is_empty() && self.refs.is_empty()
    }

    /// Whether one of them is told of: a package and its ref.
    pub(super) fn contains(&self, (package, name): &(String, String)) -> bool {
        self.packages.contains(package) || self.refs.contains(name)
    }
}

impl Members {
    /// What is ours of that which upstreams tell beside the package: whose name is claimed, and what a hosted member has,
    /// whether or not the caller may read it.
    pub(super) async fn ours_around<'t>(
        &self,
        at: &PackageAt,
        told: impl Iterator<Item = &'t (String, String)>,
    ) -> Result<Ours> {
        let Some(around) = self.format.around(at) else { return Ok(Ours::default()) };
        let claimed =
            |name: &String| self.claim(&PackageAt { namespace: around.namespace.clone(), name: name.clone() });
        let mut ours =
            Ours { packages: told.map(|(name, _)| name.clone()).filter(claimed).collect(), ..Ours::default() };
        for member in self.claiming() {
            let grant = member.whoever_asks();
            let (repo, namespace, instant) = (grant.repo_id(), around.namespace.as_str(), grant.instant());
            let look = async |session: &mut store::Session<'_>| {
                store::packages::names_in(session, repo, namespace, instant.map(|instant| instant.at())).await
            };
            ours.packages.extend(grant.store().read(look).await?);
            ours.refs.extend(grant.around(at, Wanting::All).await?.iter().map(|(_, name)| name.clone()));
        }
        Ok(ours)
    }
}
