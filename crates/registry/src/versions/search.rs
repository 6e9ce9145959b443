//! Search over every repository that the caller may read.

use std::sync::Arc;

use model::state::RepoKind;
use model::{RepoKey, Role};
use serde::{Deserialize, Serialize};
use store::When;
use store::packages::{Beside, Package};
use store::repositories::Repository;

use crate::authorize::Read;
use crate::call::Call;
use crate::error::{Error, Result};
use crate::repositories::KnownRepository;

/// Repositories that one call looks into, at most; the cursor goes on from there.
const REPOSITORIES: usize = 200;

/// What is searched for.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// How the normalised name begins.
    pub prefix: String,
    /// Where; empty: everywhere.
    pub repos: Vec<RepoKey>,
    /// Only packages of this format.
    pub format: Option<String>,
    /// Packages at most.
    pub limit: u32,
}

/// Where a search goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchCursor {
    /// The last repository that was looked into.
    pub repo: RepoKey,
    /// The last (name, namespace) seen there; `None`: go on behind the repository.
    pub after: Option<(String, String)>,
}

/// A package and the repository that it is in.
#[derive(Clone, Debug)]
pub struct Found {
    /// The repository.
    pub repo: RepoKey,
    /// The package.
    pub package: Package,
}

impl Call {
    /// Packages with a published version whose name begins with the prefix, by (repository, name).
    /// Repositories that the caller may not read are left out, as if they did not exist. The cursor
    /// is `None` when there is nothing more; with it, a page may be short or empty.
    pub async fn search(
        &self,
        query: &Query,
        cursor: Option<&SearchCursor>,
    ) -> Result<(Vec<Found>, Option<SearchCursor>)> {
        if query.prefix.contains('\0') {
            return Err(Error::bad_request("a name holds no NUL"));
        }
        let repos = self.places(query, cursor).await?;
        let mut found = Vec::new();
        for repo in repos.iter().take(REPOSITORIES) {
            let room = query.limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
            let after = cursor.filter(|cursor| cursor.repo == repo.key).and_then(|cursor| cursor.after.clone());
            if let Some(next) = self.search_in(repo, query, after.unwrap_or_default(), room, &mut found).await? {
                return Ok((found, Some(next)));
            }
        }
        let next = (repos.len() > REPOSITORIES)
            .then(|| SearchCursor { repo: repos[REPOSITORIES - 1].key.clone(), after: None });
        Ok((found, next))
    }

    /// Adds what is in one repository; returns where to go on when there was no room for all.
    async fn search_in(
        &self,
        repo: &Repository,
        query: &Query,
        after: (String, String),
        room: u32,
        found: &mut Vec<Found>,
    ) -> Result<Option<SearchCursor>> {
        let (id, prefix, limit) = (repo.id, query.prefix.as_str(), room.saturating_add(1));
        let start = (after.0.as_str(), after.1.as_str());
        let mut packages = match repo.kind {
            RepoKind::Virtual | RepoKind::Remote => {
                self.authorize::<Read>(&repo.key).await?.packages_read(prefix, start, limit).await?
            }
            RepoKind::Local => {
                let look = async |session: &mut store::Session<'_>| {
                    store::packages::list(session, id, prefix, start, Beside::Nothing, limit, When::Now).await
                };
                self.registry.store().read(look).await?
            }
        };
        let more = packages.len() > usize::try_from(room).unwrap_or(usize::MAX);
        packages.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        let last = packages.last().map_or(after, |last| (last.at.name.clone(), last.at.namespace.clone()));
        found.extend(packages.into_iter().map(|package| Found { repo: repo.key.clone(), package }));
        Ok(more.then(|| SearchCursor { repo: repo.key.clone(), after: Some(last) }))
    }

    /// The repositories to look into, by key: one more than one call takes, at most.
    async fn places(&self, query: &Query, cursor: Option<&SearchCursor>) -> Result<Vec<Arc<KnownRepository>>> {
        let fits = |repo: &Repository| {
            let begun = match cursor {
                None => true,
                Some(SearchCursor { repo: at, after: Some(_) }) => repo.key >= *at,
                Some(SearchCursor { repo: at, after: None }) => repo.key > *at,
            };
            // What is in a virtual one is in its members, and is found there once.
            let is_wanted = repo.kind != RepoKind::Virtual || !query.repos.is_empty();
            begun
                && is_wanted
                && self.may(repo, Role::Read)
                && query.format.as_ref().is_none_or(|format| *format == repo.format)
        };
        let mut places = Vec::new();
        if !query.repos.is_empty() {
            let mut keys = query.repos.clone();
            keys.sort();
            keys.dedup();
            for key in keys {
                places.extend(self.registry.repository(self.moment, &key).await?.filter(|repo| fits(repo)));
            }
            return Ok(places);
        }
        // Keys are listed behind the one given; the one to go on in comes first.
        let mut after = String::new();
        if let Some(cursor) = cursor {
            cursor.repo.as_str().clone_into(&mut after);
            places.extend(self.registry.repository(self.moment, &cursor.repo).await?.filter(|repo| fits(repo)));
        }
        while places.len() <= REPOSITORIES {
            let tenant = self.registry.tenant();
            let look =
                async |session: &mut store::Session<'_>| store::repositories::list(session, tenant, &after, 200).await;
            let page = self.registry.store().read(look).await?;
            let Some(last) = page.last() else { break };
            last.key.as_str().clone_into(&mut after);
            places.extend(page.into_iter().filter(|repo| fits(repo)).map(KnownRepository::new).map(Arc::new));
        }
        Ok(places)
    }
}
