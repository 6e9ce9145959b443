//! Where refs point, remembered: embedded only, and believed while their package stands still.

use std::sync::Arc;

use formats::PackageAt;
use model::{PackageId, RefName, RepoId};
use quick_cache::sync::Cache;
use store::Stamp;

use crate::authorize::{Grant, Read};
use crate::error::Result;

/// So many at most.
const POINTERS: usize = 10_000;

type Key = (RepoId, PackageAt, Box<str>);

#[derive(Hash, PartialEq, Eq)]
struct Borrowed<'a>(RepoId, &'a PackageAt, &'a str);

impl quick_cache::Equivalent<Key> for Borrowed<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.0 == key.0 && *self.1 == key.1 && *self.2 == *key.2
    }
}

/// The versions that refs name.
pub(crate) struct Pointers(Cache<Key, (Stamp, PackageId, Arc<str>)>);

impl Default for Pointers {
    fn default() -> Self {
        Self(Cache::new(POINTERS))
    }
}

impl Grant<Read> {
    /// The name of the published version that a ref points at: one statement, or none where it is remembered. 404
    /// when there is none.
    pub async fn pointed(&self, at: &PackageAt, name: &RefName) -> Result<Arc<str>> {
        let (repo, pointers) = (self.repo_id(), &self.registry().inner.pointers.0);
        let (fresh, when) = (self.store().fresh().filter(|_| self.instant().is_none()), self.when());
        if let Some(fresh) = fresh
            && let Some((stamp, package, version)) = pointers.get(&Borrowed(repo, at, name.as_str()))
            && fresh.package(package) == stamp
        {
            return Ok(version);
        }
        let before = fresh.map(store::Fresh::writes);
        let look = async |session: &mut store::Session<'_>| {
            store::refs::pointed(session, repo, (&at.namespace, &at.name), name.as_str(), when).await
        };
        let found = self.store().read(look).await?;
        let (package, version) = found.ok_or_else(|| self.unknown(&format!("{}:{name}", at.name)))?;
        let version: Arc<str> = version.into();
        // Which package must stand still is known only after the look: nothing at all may have been written meanwhile.
        if let (Some(fresh), Some(before)) = (fresh, before) {
            let stamp = fresh.package(package);
            if fresh.writes() == before {
                let key = (repo, at.clone(), name.as_str().into());
                pointers.insert(key, (stamp, package, Arc::clone(&version)));
            }
        }
        Ok(version)
    }
}
