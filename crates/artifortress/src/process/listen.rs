//! The listeners: one for clients, one for operators.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use model::Ambient;
use registry::Registry;
use server::App;
use server::edge::rate::{RateLimiter, RateLimits};
use server::edge::{Edge, EdgeConfig, Limits, Listener, Served, Timeouts, TlsFiles, layers};
use server::ops::{BuildInfo, Metrics, Readiness, ops_routes};
use tokio_util::sync::CancellationToken;

use super::health;
use crate::commands::failure::Failure;
use crate::config::{Config, Process};

/// Bound sockets, ready to serve.
pub(crate) struct Listening {
    clients: (Listener, Served),
    operators: Option<(Listener, Served)>,
    readiness: Arc<Readiness>,
}

/// Binds the listeners over `registry`.
pub(crate) fn listen(config: &Config, registry: &Registry) -> Result<Listening, Failure> {
    let ambient = registry.ambient().clone();
    let metrics = metrics(&ambient);
    let readiness = readiness(registry);
    let rate = RateLimits {
        requests: config.rate.requests_per_minute,
        logins: config.rate.logins_per_minute,
        ..RateLimits::default()
    };
    let app = App {
        registry: registry.clone(),
        limiter: Arc::new(RateLimiter::new(ambient.clone(), rate)),
        readiness: Arc::clone(&readiness),
        environment: config.server.environment.0.as_str().into(),
    };
    let edge = Edge::new(edge_config(config, config.server.listen), ambient, metrics.clone());
    let clients = (bind(&edge, "listen")?, layers(&edge, server::routes(app)));
    let operators = operators(config, registry, metrics, &readiness)?;
    Ok(Listening { clients, operators, readiness })
}

/// Binds what `process` would listen at, and lets go of it: an address that is taken and TLS files that are no use are told
/// before the database is touched.
pub(crate) fn try_listening(process: Process, config: &Config, ambient: &Ambient) -> Result<(), Failure> {
    let metrics = metrics(ambient);
    let edge = |config| Edge::new(config, ambient.clone(), metrics.clone());
    if process.answers() {
        bind(&edge(edge_config(config, config.server.listen)), "listen")?;
    }
    if let Some(address) = config.server.ops_listen {
        bind(&edge(EdgeConfig { tls: None, ..edge_config(config, address) }), "ops_listen")?;
    }
    Ok(())
}

/// Binds only the operators' listener, if there is to be one.
pub(super) fn operators_only(config: &Config, registry: &Registry) -> Result<Option<(Listener, Served)>, Failure> {
    operators(config, registry, metrics(registry.ambient()), &readiness(registry))
}

fn operators(
    config: &Config,
    registry: &Registry,
    metrics: Metrics,
    readiness: &Arc<Readiness>,
) -> Result<Option<(Listener, Served)>, Failure> {
    let Some(address) = config.server.ops_listen else { return Ok(None) };
    let plain = EdgeConfig { tls: None, ..edge_config(config, address) };
    let edge = Edge::new(plain, registry.ambient().clone(), metrics.clone());
    Ok(Some((bind(&edge, "ops_listen")?, layers(&edge, ops_routes(metrics, Arc::clone(readiness))))))
}

pub(super) fn metrics(ambient: &Ambient) -> Metrics {
    Metrics::new(ambient, &BuildInfo { version: env!("CARGO_PKG_VERSION"), commit: "unknown" })
}

fn readiness(registry: &Registry) -> Arc<Readiness> {
    Arc::new(Readiness::new(registry.ambient().clone(), health::dependencies(registry)))
}

pub(super) fn bind(edge: &Arc<Edge>, key: &str) -> Result<Listener, Failure> {
    Listener::bind(Arc::clone(edge))
        .map_err(|error| Failure::new(format!("nothing can listen as `{key}` says: {error}")))
}

impl Listening {
    /// Where clients connect.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.clients.0.local_addr().ok()
    }

    /// Serves until `stop`; then says `not_ready`, drains and returns.
    pub(crate) async fn serve(self, stop: CancellationToken) {
        let readiness = self.readiness;
        let leaving = async {
            stop.cancelled().await;
            readiness.leave();
        };
        let clients = self.clients.0.serve(self.clients.1, leaving);
        let operators = async {
            if let Some((listener, routes)) = self.operators {
                listener.serve(routes, stop.cancelled()).await;
            }
        };
        tokio::join!(clients, operators);
    }
}

pub(super) fn edge_config(config: &Config, listen: SocketAddr) -> EdgeConfig {
    let seconds = Duration::from_secs;
    let http = &config.http;
    let tls = config.tls.cert.clone().zip(config.tls.key.clone());
    EdgeConfig {
        listen,
        limits: Limits { connections: http.max_connections as usize, ..Limits::default() },
        timeouts: Timeouts {
            header: seconds(http.header_seconds),
            idle: seconds(http.idle_seconds),
            body_idle: seconds(http.body_idle_seconds),
            write_stall: seconds(http.body_idle_seconds),
            drain: seconds(http.drain_seconds),
            ..Timeouts::default()
        },
        tls: tls.map(|(cert, key)| TlsFiles { cert, key, reload: seconds(5) }),
        external_url: config.server.external_url.as_ref().map(|url| url.0.clone()),
        trusted_proxies: config
            .server
            .trusted_proxies
            .iter()
            .filter_map(|network| network.to_string().parse().ok())
            .collect(),
        cors_origins: config.cors.origins.iter().map(|origin| origin.0.clone()).collect(),
        hsts: config.server.hsts.then(|| HeaderValue::from_static("max-age=31536000")),
        ..EdgeConfig::default()
    }
}
