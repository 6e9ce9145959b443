//! The kinds of jobs. Each is one file: what it carries, and what it does. A job may be run twice
//! (a worker can die after the effect and before the acknowledgement), so each is idempotent by
//! construction: it looks at what is there and does what is still missing.

mod blob_heal;
mod condemned_remove;
mod deployment_appear;
mod follow;
mod idempotency_sweep;
mod inline_spill;
mod pins_expire;
mod remote_evict;
mod trash_sweep;
mod uploads_expire;
mod version_seal;

use serde::Serialize;
use serde::de::DeserializeOwned;
use store::jobs::{Claim, NewJob};

use crate::error::{Error, Result};
use crate::registry::Registry;

pub(crate) use blob_heal::look_again;
pub(crate) use follow::follow;

/// A kind of job.
pub(crate) trait Job: Serialize + DeserializeOwned + Send + Sync {
    /// Its word; never changes, never reused.
    const KIND: &'static str;

    /// Does the work. Another attempt follows an error.
    fn run(&self, registry: &Registry) -> impl Future<Output = Result<()>> + Send;
}

/// A job that the scheduler makes when there is something to do, and only then.
pub(crate) trait Sweep: Job {
    /// The jobs to be enqueued now. Only looks.
    fn due(registry: &Registry) -> impl Future<Output = Result<Vec<NewJob>>> + Send;
}

/// How running a job ended when it did not succeed.
pub(crate) enum Failure {
    /// Another attempt may succeed.
    Again(Error),
    /// No attempt will: the payload cannot be read.
    Never(String),
}

macro_rules! kinds {
    (jobs: $($job:path),+; sweeps: $($sweep:path),+ $(;)?) => {
        /// Runs a claimed job.
        pub(crate) async fn run(registry: &Registry, claim: &Claim) -> std::result::Result<(), Failure> {
            match claim.kind.as_str() {
                $(<$job as Job>::KIND => run_as::<$job>(registry, claim).await,)+
                // A newer program may know it: leave it to that.
                other => Err(Failure::Again(Error::Defect(format!("there is no job {other}")))),
            }
        }

        /// The jobs that are due by schedule.
        pub(crate) async fn due(registry: &Registry) -> Result<Vec<NewJob>> {
            let mut due = Vec::new();
            $(due.extend(<$sweep as Sweep>::due(registry).await?);)+
            Ok(due)
        }
    };
}

kinds! {
    jobs:
        blob_heal::BlobHeal,
        condemned_remove::CondemnedRemove,
        deployment_appear::DeploymentAppear,
        idempotency_sweep::IdempotencySweep,
        inline_spill::InlineSpill,
        pins_expire::PinsExpire,
        remote_evict::RemoteEvict,
        trash_sweep::TrashSweep,
        uploads_expire::UploadsExpire,
        version_seal::VersionSeal;
    sweeps:
        blob_heal::BlobHeal,
        condemned_remove::CondemnedRemove,
        idempotency_sweep::IdempotencySweep,
        inline_spill::InlineSpill,
        pins_expire::PinsExpire,
        remote_evict::RemoteEvict,
        trash_sweep::TrashSweep,
        uploads_expire::UploadsExpire;
}

async fn run_as<J: Job>(registry: &Registry, claim: &Claim) -> std::result::Result<(), Failure> {
    let job: J = serde_json::from_str(&claim.payload)
        .map_err(|error| Failure::Never(format!("the payload cannot be read: {error}")))?;
    job.run(registry).await.map_err(Failure::Again)
}

/// A job of our own, to run at once.
pub(crate) fn new_job<J: Job>(registry: &Registry, job: &J, dedupe: &str) -> Result<NewJob> {
    let payload = serde_json::to_string(job).map_err(|error| Error::Defect(error.to_string()))?;
    Ok(NewJob {
        id: registry.ambient().id(),
        tenant: registry.tenant(),
        kind: J::KIND,
        dedupe: dedupe.to_owned(),
        payload,
        run_at: registry.now(),
    })
}

/// The one job of a sweep, if it is needed.
fn one_if<J: Job>(needed: bool, registry: &Registry, job: &J) -> Result<Vec<NewJob>> {
    if needed { Ok(vec![new_job(registry, job, "")?]) } else { Ok(Vec::new()) }
}
