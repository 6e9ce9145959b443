//! Work beside the requests: workers, the beat, notes; and the operators' listener of processes that
//! have no other.

use std::time::Duration;

use registry::{Beat, BeatSettings, Registry, Worker, WorkerSettings, keep_notes};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::listen::operators_only;
use crate::commands::failure::Failure;
use crate::config::Config;

/// Tasks that run until they are told to stop.
pub(crate) struct Background {
    tasks: JoinSet<()>,
    over: CancellationToken,
}

impl Background {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self { tasks: JoinSet::new(), over: CancellationToken::new() }
    }

    /// Denials, privileged reads and uses of tokens: every process that answers requests needs this.
    pub(crate) fn notes(&mut self, registry: &Registry) {
        self.tasks.spawn(keep_notes(registry.clone(), self.over.clone()));
    }

    /// Runs jobs.
    pub(crate) fn worker(&mut self, config: &Config, registry: &Registry) {
        let settings = WorkerSettings {
            batch: config.worker.batch_size,
            poll: Duration::from_secs(config.worker.poll_seconds),
            lease: Duration::from_secs(config.worker.lease_seconds),
            max_attempts: config.worker.max_attempts,
        };
        self.tasks.spawn(Worker::run(registry.clone(), settings, self.over.clone()));
    }

    /// Sequences events, dispatches them and keeps the schedule, while it leads.
    pub(crate) fn beat(&mut self, registry: &Registry) {
        self.tasks.spawn(Beat::run(registry.clone(), BeatSettings::default(), self.over.clone()));
    }

    /// Lets everything come to its end.
    pub(crate) async fn stop(mut self) {
        self.over.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Serves only operators until `stop`: metrics and health of a worker or beat.
pub(crate) async fn operate(config: &Config, registry: &Registry, stop: &CancellationToken) -> Result<(), Failure> {
    match operators_only(config, registry)? {
        Some((listener, routes)) => listener.serve(routes, stop.cancelled()).await,
        None => stop.cancelled().await,
    }
    Ok(())
}
