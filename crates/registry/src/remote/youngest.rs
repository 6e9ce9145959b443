//! The youngest version of a package that is here of an upstream: what lists show beside its name.

use std::collections::BTreeMap;

use formats::{Head, PackageAt, VersionHead};
use model::{Timestamp, VersionId};
use store::observations::Kept;
use store::packages::Coordinate;

use super::published_upstream;
use crate::authorize::{Grant, Read};
use crate::error::Result;
use crate::rules::{Subject, name_of, names_by_digest};
use crate::versions::format_of;

/// A version that lists show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Youngest {
    pub(crate) id: VersionId,
    pub(crate) version: String,
    /// When it was published here: fetched.
    pub(crate) here_since: Timestamp,
    /// When it was published where it comes from; `None`: that is not known here.
    pub(crate) published_at: Option<Timestamp>,
}

impl Youngest {
    /// As it stands in an index, as far as lists need that.
    pub(crate) fn head(self) -> VersionHead {
        VersionHead {
            id: self.id,
            version: self.version,
            published_at: self.published_at,
            changed_at: self.here_since,
            yanked: None,
            deprecated: None,
            unlisted: false,
        }
    }
}

impl Grant<Read> {
    /// The package with the versions of [`Grant::let_through`], in the order of their publishing.
    pub(crate) async fn head_kept(&self, at: &Coordinate) -> Result<Head> {
        let (namespace, name, display) = (at.namespace.clone(), at.name.clone(), at.display_name.clone());
        let at = PackageAt { namespace: namespace.clone(), name: name.clone() };
        let mut versions: Vec<_> = self.let_through(&at).await?.into_values().map(Youngest::head).collect();
        versions.sort_by_key(|version| (version.published_at, version.id));
        Ok(Head { namespace, name, display, generation: 0, versions, refs: Vec::new(), around: Vec::new() })
    }

    /// The version of a package of an upstream that was published last, of [`Grant::let_through`].
    pub(crate) async fn youngest_kept(&self, at: &PackageAt) -> Result<Option<Youngest>> {
        let versions = self.let_through(at).await?;
        Ok(versions.into_values().max_by_key(|version| (version.published_at, version.id)))
    }

    /// The versions of a package of an upstream that are here and that the rules let through, as far as is known without
    /// asking anybody: what may be refused is not shown.
    pub(crate) async fn let_through(&self, at: &PackageAt) -> Result<BTreeMap<VersionId, Youngest>> {
        if self.claim_on(at).await?.is_some() {
            return Ok(BTreeMap::new());
        }
        let format = format_of(self.repo())?;
        let (all, digests) = (self.rules().await?, names_by_digest(format));
        let rules = all.as_ref().filter(|_| !digests);
        let (name, now) = (name_of(format, at), self.ambient().now());
        let admitted = |file: &Kept, published_at| {
            let path = file.location.as_deref();
            let subject = Subject { name: &name, version: &file.version, path, published_at };
            rules.is_none_or(|rules| rules.judge(&subject, now).denial().is_none())
        };
        let mut versions: BTreeMap<VersionId, Youngest> = BTreeMap::new();
        for file in self.kept(at).await? {
            let published_at = file.attributes.as_deref().and_then(published_upstream);
            let (true, Some(here_since)) = (file.shown && admitted(&file, published_at), file.fetched_at) else {
                continue;
            };
            let new = Youngest { id: file.id, version: file.version, here_since, published_at };
            let known = versions.entry(file.id).or_insert(new);
            known.published_at = [known.published_at, published_at].into_iter().flatten().min();
        }
        if let Some(rules) = all.filter(|_| digests) {
            let mut out = Vec::new();
            for (id, version) in &versions {
                let named = version.version.parse();
                if !matches!(&named, Ok(named) if self.is_let_in_here(&rules, at, named, 0).await?) {
                    out.push(*id);
                }
            }
            versions.retain(|id, _| !out.contains(id));
        }
        Ok(versions)
    }
}
