//! The life of a server's process, whichever it is: it starts, works until it is asked to stop, and ends.

use registry::Registry;
use store::Store;
use tokio_util::sync::CancellationToken;

use super::waiting::{wait_quietly, wait_until_usable};
use super::{
    Background, Lock, build, listen, look_first, offer_bootstrap, open_store, operate, start_logs, stop_token,
    try_listening,
};
use crate::Context;
use crate::commands::failure::Failure;
use crate::config::{Config, ConfigFlags, Process};

impl Process {
    /// Whether it answers clients.
    pub(super) fn answers(self) -> bool {
        matches!(self, Self::Serve | Self::Api)
    }

    /// Whether it runs jobs.
    fn works(self) -> bool {
        matches!(self, Self::Serve | Self::Worker)
    }

    /// Whether it numbers events and keeps the schedule.
    fn beats(self) -> bool {
        matches!(self, Self::Serve | Self::Beat)
    }
}

/// Lives as `process` until a signal ends it.
pub(crate) async fn live(process: Process, flags: &ConfigFlags, context: &Context) -> Result<(), Failure> {
    let config = Config::load(flags, &context.environment)?;
    config.check_for(process)?;
    start_logs(&config.log, context.console.person_watches());
    Lock::look(&config)?;
    look_first(&config).await?;
    try_listening(process, &config, &context.ambient)?;
    let _lock = Lock::of(&config)?;
    let stop = stop_token()?;
    let store = open_store(&config, &context.ambient).await?;
    if !usable(process, &config, &store, context, &stop).await? {
        return Ok(());
    }
    whole(&store).await?;
    let registry = build(&config, store, context).await?;
    tell_closed_upstreams(&registry).await;
    work(process, &config, &registry, stop).await
}

/// Of a database that lacks a part of its schema nothing is served.
pub(crate) async fn whole(store: &Store) -> Result<(), Failure> {
    store.check_walls().await.map_err(|error| Failure::new(format!("the database cannot be used: {error}")))
}

/// Credentials that cannot be opened close their own repository and no other; the operator learns why at the start.
async fn tell_closed_upstreams(registry: &Registry) {
    match registry.closed_upstreams().await {
        Ok(closed) => {
            for (repository, why) in closed {
                let help = why.help();
                tracing::error!(%repository, "the credentials for its upstream cannot be opened: they {why}: {help}");
            }
        }
        Err(error) => tracing::warn!(%error, "the credentials for upstreams could not be looked at"),
    }
}

async fn usable(
    process: Process,
    config: &Config,
    store: &Store,
    context: &Context,
    stop: &CancellationToken,
) -> Result<bool, Failure> {
    if process.answers() {
        return wait_until_usable(config, store, &context.ambient, stop).await;
    }
    wait_quietly(store, stop).await
}

async fn work(process: Process, config: &Config, registry: &Registry, stop: CancellationToken) -> Result<(), Failure> {
    let listening = if process.answers() {
        offer_bootstrap(config, registry).await?;
        Some(listen(config, registry)?)
    } else {
        None
    };
    let mut background = Background::new();
    if process.answers() {
        background.notes(registry);
    }
    if process.works() {
        background.worker(config, registry);
    }
    if process.beats() {
        background.beat(registry);
    }
    match listening {
        Some(listening) => {
            if let Some(address) = listening.address() {
                tracing::info!(%address, "ready");
            }
            listening.serve(stop).await;
        }
        None => {
            tracing::info!("ready");
            operate(config, registry, &stop).await?;
        }
    }
    background.stop().await;
    Ok(())
}
