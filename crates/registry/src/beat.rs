//! The beat: one process gives events their numbers, turns them into jobs and keeps the schedule.
//!
//! With PostgreSQL the leader is whoever holds a lease row; the others stand by. Embedded, the one
//! process that owns the database leads by being there: it holds no row and writes nothing unless
//! something happened, so an idle server costs nothing.

use std::time::Duration;

use store::Engine;
use store::jobs::{Enqueue, NewJob};
use store::leases::{Acquire, Held, Release, Renew};
use store::sequence::{Advance, LEASE, is_behind};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::admins::watch_admins;
use crate::error::{Error, Result};
use crate::jobs;
use crate::registry::Registry;

/// Events dealt with in one transaction.
const BATCH: u32 = 500;
/// After a sign of work, this long is waited for more of it: one commit for many events.
const GATHER: Duration = Duration::from_millis(50);
/// How often the leader looks where other processes write.
const LOOK: Duration = Duration::from_millis(150);
/// How often the schedule is looked at.
const SCHEDULE: Duration = Duration::from_secs(30);
/// How often half-received files of crashed processes are swept, and a look is had whether an admin is left.
const HOURLY: Duration = Duration::from_secs(3600);
/// Half-received files younger than this may still be growing.
const STAGING_AGE: Duration = Duration::from_secs(24 * 3600);
/// After an error of the database, this long is waited.
const TROUBLE: Duration = Duration::from_secs(1);

/// How the beat leads.
#[derive(Clone, Copy, Debug)]
pub struct BeatSettings {
    /// How long leadership lasts without a sign of life; renewed at a third of it.
    pub lease: Duration,
}

impl Default for BeatSettings {
    fn default() -> Self {
        Self { lease: Duration::from_secs(15) }
    }
}

/// The scheduler of one process.
pub struct Beat {
    registry: Registry,
    settings: BeatSettings,
    name: String,
    schedule_at: Instant,
    hourly_at: Instant,
}

impl Beat {
    /// Leads or stands by until `shutdown` is cancelled.
    pub async fn run(registry: Registry, settings: BeatSettings, shutdown: CancellationToken) {
        let name: uuid::Uuid = registry.ambient().id();
        let now = Instant::now();
        let mut beat = Self { registry, settings, name: name.to_string(), schedule_at: now, hourly_at: now };
        while !shutdown.is_cancelled() {
            let pause = match beat.reign(&shutdown).await {
                Ok(()) => settings.lease / 3,
                Err(error) => {
                    tracing::warn!(%error, "the beat stumbled");
                    TROUBLE
                }
            };
            drop(timeout(pause, shutdown.cancelled()).await);
        }
    }

    /// Leads for as long as it can. Returns at once when somebody else leads.
    async fn reign(&mut self, shutdown: &CancellationToken) -> Result<()> {
        if self.registry.store().engine() == Engine::Sqlite {
            return self.lead(None, shutdown).await;
        }
        let (at, until) = self.term();
        let acquire = Acquire { name: LEASE.to_owned(), holder: self.name.clone(), at, until };
        let Some(held) = self.registry.store().write(acquire).await? else { return Ok(()) };
        tracing::info!(fence = held.fence, "this process leads");
        let end = self.lead(Some(held.clone()), shutdown).await;
        let at = self.registry.now();
        if let Err(error) = self.registry.store().write(Release { held, at }).await {
            tracing::warn!(%error, "the lease could not be released: it runs out by itself");
        }
        end
    }

    async fn lead(&mut self, held: Option<Held>, shutdown: &CancellationToken) -> Result<()> {
        let store = self.registry.store().clone();
        let mut renew_at = Instant::now() + self.settings.lease / 3;
        while !shutdown.is_cancelled() {
            let mut woken = std::pin::pin!(store.work().notified());
            woken.as_mut().enable();
            self.catch_up(held.as_ref()).await?;
            self.keep_schedule().await?;
            if let Some(held) = held.as_ref().filter(|_| Instant::now() >= renew_at) {
                if !self.renew(held).await? {
                    return Err(Error::Defect("leadership has passed to another process".to_owned()));
                }
                renew_at = Instant::now() + self.settings.lease / 3;
            }
            let next = self.schedule_at.min(self.hourly_at);
            let next = if held.is_some() { next.min(Instant::now() + LOOK).min(renew_at) } else { next };
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = woken => sleep(GATHER).await,
                () = tokio::time::sleep_until(next) => {}
            }
        }
        Ok(())
    }

    /// Looks first: nothing to do means nothing is written. A step that was not full ends it: what was
    /// committed meanwhile has left its sign and is gathered first, or else the numbers of a busy
    /// server would cost a commit for each of its own.
    async fn catch_up(&self, held: Option<&Held>) -> Result<()> {
        let store = self.registry.store();
        while store.read(is_behind).await? {
            let at = self.registry.now();
            let step = Advance { held: held.cloned(), at, limit: BATCH, follow: jobs::follow };
            let done = store.write(step).await?;
            if done.sequenced.max(done.dispatched) < u64::from(BATCH) {
                break;
            }
        }
        Ok(())
    }

    async fn keep_schedule(&mut self) -> Result<()> {
        let now = Instant::now();
        if now >= self.schedule_at {
            self.schedule_at = now + SCHEDULE;
            self.enqueue(jobs::due(&self.registry).await?, false).await?;
        }
        if now >= self.hourly_at {
            self.hourly_at = now + HOURLY;
            self.enqueue(jobs::look_again(&self.registry).await?, true).await?;
            self.sweep_staging().await;
            watch_admins(&self.registry).await;
        }
        Ok(())
    }

    async fn enqueue(&self, jobs: Vec<NewJob>, revive: bool) -> Result<()> {
        if !jobs.is_empty() {
            self.registry.store().write(Enqueue { jobs, revive, at: self.registry.now() }).await?;
        }
        Ok(())
    }

    /// Needs no job: nothing has to be remembered, and the next time does as well as this one.
    async fn sweep_staging(&self) {
        let before = self.registry.now().minus(STAGING_AGE);
        match self.registry.blobs().sweep_staging(before).await {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "half-received files were swept"),
            Err(error) => tracing::warn!(%error, "half-received files could not be swept"),
        }
    }

    async fn renew(&self, held: &Held) -> Result<bool> {
        let (at, until) = self.term();
        Ok(self.registry.store().write(Renew { held: held.clone(), at, until }).await?)
    }

    fn term(&self) -> (model::Timestamp, model::Timestamp) {
        let now = self.registry.now();
        (now, now.plus(self.settings.lease))
    }
}
