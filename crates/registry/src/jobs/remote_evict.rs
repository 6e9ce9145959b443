//! A remote repository lets go of what its settings do not keep, while its upstream can be asked.

use std::sync::atomic::Ordering;
use std::time::Duration;

use model::state::RepoKind;
use model::{RepoId, Timestamp};
use serde::{Deserialize, Serialize};
use store::cached::{By, Cached, LetGo, Released, bytes, list};
use store::jobs::NewJob;
use store::repositories::{self, Repository};

use super::{Job, Sweep, new_job};
use crate::error::Result;
use crate::registry::Registry;
use crate::repositories::RepoSettings;
use crate::upstreams::Eviction;

/// How often it is looked for what may be let go.
const LOOK: Duration = Duration::from_secs(600);
/// Contents let go in one transaction.
const BATCH: u32 = 100;
/// Repositories looked at at once.
const PAGE: u32 = 200;

/// Lets one repository go of what it does not keep.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RemoteEvict {
    /// Which.
    pub(crate) repo_id: RepoId,
}

impl Job for RemoteEvict {
    const KIND: &'static str = "remote.evict";

    async fn run(&self, registry: &Registry) -> Result<()> {
        for (repo, eviction) in evicting(registry).await?.into_iter().filter(|(repo, _)| repo.id == self.repo_id) {
            let mut run = Run { registry, repo: &repo, is_alive: None };
            if run.by_age(&eviction).await? {
                run.by_use(&eviction).await?;
            }
        }
        Ok(())
    }
}

/// The repositories that let go of something.
async fn evicting(registry: &Registry) -> Result<Vec<(Repository, Eviction)>> {
    let (tenant, mut after, mut found) = (registry.tenant(), String::new(), Vec::new());
    loop {
        let page =
            registry.store().read(async |session| repositories::list(session, tenant, &after, PAGE).await).await?;
        let Some(last) = page.last() else { return Ok(found) };
        last.key.as_str().clone_into(&mut after);
        for repo in page.into_iter().filter(|repo| repo.kind == RepoKind::Remote) {
            if let Some(eviction) = RepoSettings::of(&repo)?.remote.and_then(|remote| remote.eviction) {
                found.push((repo, eviction));
            }
        }
    }
}

/// Contents after `after`, in this order.
async fn page(registry: &Registry, repo: RepoId, by: By, after: Option<Cached>, limit: u32) -> Result<Vec<Cached>> {
    Ok(registry.store().read(async |session| list(session, repo, by, after, limit).await).await?)
}

async fn surplus(registry: &Registry, repo: RepoId, eviction: &Eviction) -> Result<u64> {
    if eviction.max_bytes.is_none() {
        return Ok(0);
    }
    Ok(eviction.surplus(registry.store().read(async |session| bytes(session, repo).await).await?))
}

struct Run<'r> {
    registry: &'r Registry,
    repo: &'r Repository,
    /// Whether the upstream answers, once it was asked.
    is_alive: Option<bool>,
}

impl Run<'_> {
    /// Lets go of what is too old. `false`: the upstream does not answer.
    async fn by_age(&mut self, eviction: &Eviction) -> Result<bool> {
        let Some(before) = eviction.came_before(self.registry.now()) else { return Ok(true) };
        let mut after = None;
        loop {
            let mut contents = page(self.registry, self.repo.id, By::Age, after, BATCH).await?;
            after = contents.last().copied();
            contents.retain(|one| one.cached_at < before);
            if contents.is_empty() {
                return Ok(true);
            }
            if self.let_go(contents).await?.is_none() {
                return Ok(false);
            }
        }
    }

    /// Lets go of what nobody has read for long, and of what is too much.
    async fn by_use(&mut self, eviction: &Eviction) -> Result<bool> {
        let before = eviction.unused_before(self.registry.now()).unwrap_or(Timestamp(i64::MIN));
        let mut surplus = surplus(self.registry, self.repo.id, eviction).await?;
        let mut after = None;
        loop {
            let contents = page(self.registry, self.repo.id, By::Use, after, BATCH).await?;
            let mut chosen = 0;
            let contents: Vec<_> =
                contents.into_iter().take_while(|one| goes(one, before, surplus, &mut chosen)).collect();
            after = contents.last().copied();
            if contents.is_empty() {
                return Ok(true);
            }
            match self.let_go(contents).await? {
                Some(released) => surplus = surplus.saturating_sub(released.bytes),
                None => return Ok(false),
            }
        }
    }

    /// `None`: the upstream does not answer, and everything stays.
    async fn let_go(&mut self, contents: Vec<Cached>) -> Result<Option<Released>> {
        let (registry, repo) = (self.registry, self.repo);
        if self.is_alive.is_none()
            && let Some(first) = contents.first()
        {
            self.is_alive = Some(registry.is_alive(repo, first.digest).await?);
        }
        if self.is_alive != Some(true) {
            return Ok(None);
        }
        let write = LetGo { act: registry.act(), tenant: repo.tenant, repo: repo.id, contents };
        Ok(Some(registry.store().write(write).await?))
    }
}

/// Whether it goes, when `chosen` bytes go already.
fn goes(one: &Cached, unused_before: Timestamp, surplus: u64, chosen: &mut u64) -> bool {
    let goes = one.used_at < unused_before || *chosen < surplus;
    *chosen += one.size;
    goes
}

impl Sweep for RemoteEvict {
    async fn due(registry: &Registry) -> Result<Vec<NewJob>> {
        let (now, looked_at) = (registry.now(), &registry.inner.evictions_looked_at);
        if now < Timestamp(looked_at.load(Ordering::Relaxed)).plus(LOOK) {
            return Ok(Vec::new());
        }
        looked_at.store(now.0, Ordering::Relaxed);
        let mut due = Vec::new();
        for (repo, eviction) in evicting(registry).await? {
            if is_due(registry, &repo, &eviction).await? {
                due.push(new_job(registry, &Self { repo_id: repo.id }, &repo.id.to_string())?);
            }
        }
        Ok(due)
    }
}

async fn is_due(registry: &Registry, repo: &Repository, eviction: &Eviction) -> Result<bool> {
    let now = registry.now();
    if let Some(before) = eviction.came_before(now)
        && page(registry, repo.id, By::Age, None, 1).await?.iter().any(|one| one.cached_at < before)
    {
        return Ok(true);
    }
    if let Some(before) = eviction.unused_before(now)
        && page(registry, repo.id, By::Use, None, 1).await?.iter().any(|one| one.used_at < before)
    {
        return Ok(true);
    }
    Ok(surplus(registry, repo.id, eviction).await? > 0)
}
