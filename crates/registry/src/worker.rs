//! The worker: claims jobs, runs them, says how it went.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use model::{JobId, Timestamp};
use store::jobs::{Begin, Claim, ClaimJobs, Fail, Finish, HandBack, Prolong, next_due};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::jobs::{self, Failure};
use crate::registry::Registry;

/// Jobs that run at the same time.
const AT_ONCE: usize = 2;
/// The longest that one attempt may take.
const PATIENCE: Duration = Duration::from_secs(3600);
/// After a sign of work, this long is waited for more of it.
const GATHER: Duration = Duration::from_millis(20);
/// After an error of the database, this long.
const TROUBLE: Duration = Duration::from_secs(2);
/// The first pause after a failure; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(960);

/// How a worker works.
#[derive(Clone, Copy, Debug)]
pub struct WorkerSettings {
    /// Jobs claimed at once.
    pub batch: u32,
    /// The longest sleep, where other processes may enqueue jobs.
    pub poll: Duration,
    /// How long a claim holds without a sign of life.
    pub lease: Duration,
    /// Attempts before a job is dead.
    pub max_attempts: u32,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        let (poll, lease) = (Duration::from_secs(5), Duration::from_secs(300));
        Self { batch: 100, poll, lease, max_attempts: 8 }
    }
}

/// What a worker has in hand.
pub struct Worker {
    registry: Registry,
    settings: WorkerSettings,
    name: String,
    waiting: VecDeque<Claim>,
    running: JoinSet<(Claim, std::result::Result<(), Failure>)>,
    handles: HashMap<JobId, (u64, AbortHandle)>,
}

impl Worker {
    /// Works until `shutdown` is cancelled; then lets what runs come to its end and hands the rest back.
    pub async fn run(registry: Registry, settings: WorkerSettings, shutdown: CancellationToken) {
        let name: uuid::Uuid = registry.ambient().id();
        let mut worker = Self {
            registry,
            settings,
            name: name.to_string(),
            waiting: VecDeque::new(),
            running: JoinSet::new(),
            handles: HashMap::new(),
        };
        worker.work(&shutdown).await;
        worker.drain().await;
    }

    async fn work(&mut self, shutdown: &CancellationToken) {
        let store = self.registry.store().clone();
        let mut beat = Instant::now() + self.settings.lease / 3;
        while !shutdown.is_cancelled() {
            let mut woken = std::pin::pin!(store.work().notified());
            woken.as_mut().enable();
            let pause = match self.take_up().await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(%error, "jobs could not be claimed");
                    TROUBLE
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = woken => sleep(GATHER).await,
                Some(ended) = self.running.join_next() => self.settle(ended).await,
                () = tokio::time::sleep_until(beat), if self.has_work() => {
                    self.prolong().await;
                    beat = Instant::now() + self.settings.lease / 3;
                }
                () = sleep(pause) => {}
            }
        }
    }

    fn has_work(&self) -> bool {
        !self.running.is_empty() || !self.waiting.is_empty()
    }

    /// Starts what can be started. Returns how long to sleep when nothing happens.
    async fn take_up(&mut self) -> Result<Duration> {
        if self.waiting.is_empty() && self.running.len() < AT_ONCE {
            let now = self.registry.now();
            match self.registry.store().read(next_due).await? {
                None => return Ok(self.settings.poll),
                Some(due) if due > now => return Ok(due.since(now).min(self.settings.poll)),
                Some(_) => self.waiting.extend(self.claim(now).await?),
            }
        }
        while self.running.len() < AT_ONCE {
            let Some(claim) = self.waiting.front() else { break };
            let begun = self.registry.store().write(Begin { job: claim.id, fence: claim.fence }).await?;
            // `None`: it passed to another worker while it waited here.
            if let (Some(mut claim), Some(attempt)) = (self.waiting.pop_front(), begun) {
                claim.attempt = attempt;
                self.start(claim);
            }
        }
        Ok(self.settings.poll)
    }

    async fn claim(&self, now: Timestamp) -> Result<Vec<Claim>> {
        let write = ClaimJobs {
            act: self.registry.act(),
            holder: self.name.clone(),
            until: now.plus(self.settings.lease),
            limit: self.settings.batch,
            max_attempts: self.settings.max_attempts,
        };
        Ok(self.registry.store().write(write).await?)
    }

    fn start(&mut self, claim: Claim) {
        let registry = self.registry.clone();
        let (job, fence) = (claim.id, claim.fence);
        let handle = self.running.spawn(async move {
            let work = AssertUnwindSafe(jobs::run(&registry, &claim)).catch_unwind();
            let outcome = match timeout(PATIENCE, work).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_)) => Err(Failure::Again(crate::Error::Defect("the job panicked".to_owned()))),
                Err(_) => Err(Failure::Again(crate::Error::Defect("the job took too long".to_owned()))),
            };
            (claim, outcome)
        });
        self.handles.insert(job, (fence, handle));
    }

    /// Says how a job went. When even that fails, the claim runs out and another attempt follows.
    async fn settle(
        &mut self,
        ended: std::result::Result<(Claim, std::result::Result<(), Failure>), tokio::task::JoinError>,
    ) {
        // Given up because it had passed to another worker.
        let Ok((claim, outcome)) = ended else { return };
        self.handles.remove(&claim.id);
        let (job, fence) = (claim.id, claim.fence);
        let (store, at) = (self.registry.store(), self.registry.now());
        let noted = match outcome {
            Ok(()) => store.write(Finish { job, fence, at }).await.map(drop),
            Err(failure) => {
                let (error, retry_at) = match failure {
                    Failure::Again(error) => (error.to_string(), Some(at.plus(self.pause(claim.attempt)))),
                    Failure::Never(why) => (why, None),
                };
                tracing::warn!(kind = claim.kind, attempt = claim.attempt, error, "a job failed");
                let max_attempts = self.settings.max_attempts;
                let write = Fail { act: self.registry.act(), job, fence, error, retry_at, max_attempts };
                store.write(write).await.map(drop)
            }
        };
        if let Err(error) = noted {
            tracing::warn!(%error, kind = claim.kind, "the end of a job could not be noted");
        }
    }

    /// Full jitter: anything up to the doubled pause, so that what failed together comes back apart.
    fn pause(&self, attempt: u32) -> Duration {
        let most = FIRST_PAUSE.saturating_mul(1 << attempt.min(16)).min(LONGEST_PAUSE);
        let chance = u32::from_le_bytes(self.registry.ambient().bytes());
        most.mul_f64(f64::from(chance) / f64::from(u32::MAX)).max(Duration::from_millis(100))
    }

    /// A sign of life for everything in hand. What has passed to somebody else is given up.
    async fn prolong(&mut self) {
        let until = self.registry.now().plus(self.settings.lease);
        let store = self.registry.store();
        let held = |job, fence| store.write(Prolong { job, fence, until });
        let mut lost = Vec::new();
        for (job, (fence, handle)) in &self.handles {
            if let Ok(false) = held(*job, *fence).await {
                handle.abort();
                lost.push(*job);
            }
        }
        for claim in &self.waiting {
            if let Ok(false) = held(claim.id, claim.fence).await {
                lost.push(claim.id);
            }
        }
        self.handles.retain(|job, _| !lost.contains(job));
        self.waiting.retain(|claim| !lost.contains(&claim.id));
    }

    async fn drain(&mut self) {
        for claim in std::mem::take(&mut self.waiting) {
            let back = HandBack { job: claim.id, fence: claim.fence };
            if let Err(error) = self.registry.store().write(back).await {
                tracing::warn!(%error, kind = claim.kind, "a claim could not be handed back: it runs out by itself");
            }
        }
        while let Some(ended) = self.running.join_next().await {
            self.settle(ended).await;
        }
    }
}
