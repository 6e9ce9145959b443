//! The packages of a virtual repository in the order of their names, each from the member whose it is.
//!
//! Nobody is asked: of what comes from elsewhere, lists show what is here. Which hosted member has a name is seen on the way, as
//! their names pass by in one order, those of members that the caller may not read too.

use std::collections::BTreeMap;

use formats::PackageAt;
use store::packages::{Beside, Package};

use super::members::{Hosting, Members};
use crate::authorize::{Grant, Member, Read};
use crate::error::Result;

/// Packages of one member read at once.
const PAGE: u32 = 200;

/// Name and namespace: the order of lists.
type Key = (String, String);

/// The members that have a package of one name, by their places.
type Having = Vec<(usize, Package)>;

/// A package, and the members whose versions of it readers see: the first alone where a name belongs to one.
pub(super) struct Owned<'m> {
    pub(super) by: Vec<(&'m Grant<Read>, Package)>,
}

/// A walk over the packages.
pub(super) struct Walk<'m> {
    members: &'m Members,
    prefix: &'m str,
    after: Key,
    done: bool,
}

impl<'m> Walk<'m> {
    /// Begins behind the (name, namespace) `after`, with those that begin with `prefix`.
    pub(super) fn new(members: &'m Members, prefix: &'m str, after: Key) -> Self {
        Self { members, prefix, after, done: false }
    }

    /// Some more of them; `None`: there are no more.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Owned<'m>>>> {
        if self.done {
            return Ok(None);
        }
        let (mut found, mut end): (BTreeMap<Key, Having>, Option<Key>) = (BTreeMap::new(), None);
        for (place, member) in self.members.all.iter().enumerate() {
            // What somebody else reads of an upstream takes no name.
            if member.is_remote() && member.grant().is_none() {
                continue;
            }
            let (prefix, after) = (self.prefix, (self.after.0.as_str(), self.after.1.as_str()));
            let page = member.whoever_asks().page_of_all(prefix, after, Beside::Taken, PAGE).await?;
            if page.len() == PAGE as usize {
                let last = page.last().map(key);
                end = [end, last].into_iter().flatten().min();
            }
            for package in page {
                found.entry(key(&package)).or_default().push((place, package));
            }
        }
        match end {
            // Behind it, somebody may have more.
            Some(end) => {
                found.retain(|key, _| *key <= end);
                self.after = end;
            }
            None => self.done = true,
        }
        let mut owned = Vec::new();
        for having in found.into_values() {
            owned.extend(self.owned(having).await?);
        }
        tokio::task::yield_now().await;
        Ok(Some(owned))
    }

    async fn owned(&self, having: Having) -> Result<Option<Owned<'m>>> {
        let Some((_, first)) = having.first() else { return Ok(None) };
        let at = PackageAt { namespace: first.at.namespace.clone(), name: first.at.name.clone() };
        let (members, named) = (self.members, self.members.named(&at));
        let is_hosted = |member: &Member| !member.is_remote();
        // A name that an upstream tells apart from one of ours passed by elsewhere.
        let elsewhere =
            members.all.iter().find(|member| is_hosted(member)).and_then(&named).is_some_and(|ours| ours != at);
        let mut hosting = Hosting::default();
        if elsewhere {
            hosting = members.hosting(&named).await?;
        } else {
            let hosts = having.iter().map(|(place, _)| (*place, &members.all[*place]));
            hosts.filter(|(_, member)| is_hosted(member)).for_each(|(place, member)| hosting.note(place, member));
        }
        let places: Vec<usize> = having.iter().map(|(place, _)| *place).collect();
        let seen = members.seen(named, &places, hosting).await?;
        let mut by = Vec::new();
        for (place, package) in having {
            let member = &members.all[place];
            if seen.iter().any(|one| one.key() == member.key())
                && let Some(grant) = member.grant()
            {
                by.push((grant, package));
            }
        }
        Ok((!by.is_empty()).then_some(Owned { by }))
    }
}

fn key(package: &Package) -> Key {
    (package.at.name.clone(), package.at.namespace.clone())
}
