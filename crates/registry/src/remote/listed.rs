//! Since when a version can have been there: not before the last list without it.

use std::collections::HashMap;
use std::sync::Arc;

use formats::{Ask, PackageAt};
use model::{ObservationId, RepoId, Timestamp};
use store::observations::{self, Observation};

use super::Remote;
use super::known::Which;
use super::look::Heard;
use crate::authorize::{Grant, Read};
use crate::error::Result;

/// Lists that are looked at, at most; the latest ones.
const MOST: u32 = 2000;

/// What the lists of a package have said until a moment.
#[derive(Clone, Default)]
pub(super) struct Lists {
    /// When each version was first in one, and until when none had it before.
    first: HashMap<Box<str>, Option<Timestamp>>,
    /// The last list.
    last: Option<(ObservationId, Timestamp)>,
}

/// Of which package.
pub(super) type ListsKey = (RepoId, PackageAt);

impl Lists {
    /// How many versions it knows.
    pub(super) fn rows(&self) -> u64 {
        self.first.len() as u64
    }

    fn take<'v>(&mut self, list: (ObservationId, Timestamp), versions: impl Iterator<Item = &'v str>) {
        let before = self.last.map(|(_, at)| at);
        for version in versions {
            self.first.entry(version.into()).or_insert(before);
        }
        self.last = Some(list);
    }
}

/// Since when versions of a package can have been there.
pub(super) struct Earliest {
    lists: Arc<Lists>,
    /// Until when the last list is known to have held.
    held: Option<Timestamp>,
}

impl Earliest {
    /// The version was not there before; `None`: nobody knows.
    pub(super) fn of(&self, remote: &Remote, version: &str) -> Option<Timestamp> {
        match self.lists.first.get(version) {
            Some(before) => *before,
            None => self.held.filter(|_| remote.format.is_listed(version)),
        }
    }
}

impl Grant<Read> {
    /// `None`: the upstream has no lists that would say so.
    pub(super) async fn earliest(&self, remote: &Remote, at: &PackageAt) -> Result<Option<Earliest>> {
        let all = remote.format.asks(at, Which::All.wanting());
        let Some(place) = all.iter().position(|ask| remote.format.lists(ask)) else { return Ok(None) };
        let Some(ask) = all.get(place) else { return Ok(None) };
        let lists = self.lists(remote, at, ask, place).await?;
        let known = self.outlook(&ask.target).await?.filter(|known| known.digest.is_some() && remote.is_its(known));
        let held = known.map(|known| known.checked_at).max(lists.last.map(|(_, at)| at));
        Ok(Some(Earliest { lists, held }))
    }

    /// What was remembered of the lists, and those that have come since.
    async fn lists(&self, remote: &Remote, at: &PackageAt, ask: &Ask, place: usize) -> Result<Arc<Lists>> {
        let (memory, key) = (&self.registry().inner.remotes.lists, (self.repo_id(), at.clone()));
        let before = memory.get(&key).unwrap_or_default();
        let (repo, since) = (self.repo_id(), before.last.map_or(Timestamp(0), |(_, at)| at));
        let look =
            async |session: &mut store::Session<'_>| observations::after(session, repo, &ask.target, since, MOST).await;
        let news = self.store().read(look).await?;
        if news.is_empty() {
            return Ok(before);
        }
        let mut lists = Lists::clone(&before);
        for known in news.into_iter().filter(|known| remote.is_its(known)) {
            let (id, seen_at) = (known.id, known.seen_at);
            let versions = self.versions_in(remote, at, known, place).await?;
            lists.take((id, seen_at), versions.iter().map(String::as_str));
        }
        let lists = Arc::new(lists);
        memory.insert(key, Arc::clone(&lists));
        Ok(lists)
    }

    async fn versions_in(
        &self,
        remote: &Remote,
        at: &PackageAt,
        known: Observation,
        place: usize,
    ) -> Result<Vec<String>> {
        let alone = Heard::Holds { known: Arc::new(known), confirmed: false, stale: None };
        let mut heard: Vec<Heard> = (0..place).map(|_| Heard::Missing { before: None }).collect();
        heard.push(alone);
        let read = self.understand(remote, at, &Which::All, &heard).await?.ok().flatten();
        let versions = read.iter().flat_map(|known| &known.versions);
        Ok(versions.map(|version| version.version.to_string()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_younger_than_the_list_before_its_first() {
        let mut lists = Lists::default();
        for (at, versions) in [(10, vec!["a"]), (20, vec!["a", "b"]), (30, vec!["b"]), (40, vec!["a", "b", "c"])] {
            lists.take((ObservationId(Default::default()), Timestamp(at)), versions.into_iter());
        }
        let of = |version: &str| lists.first.get(version).copied();
        assert_eq!(of("a"), Some(None), "it was in the first, and being away for a while makes it no younger");
        assert_eq!(of("b"), Some(Some(Timestamp(10))));
        assert_eq!((of("c"), of("d")), (Some(Some(Timestamp(30))), None));
    }
}
