//! The edge: everything between a socket and a handler, the same for every route.
//!
//! [`Listener`] accepts, speaks TLS and HTTP, keeps time and drains; [`layers`] is the one service
//! around the routes: correlation, addresses, security headers, CORS, panics, the access log and
//! metrics. Beside them live the pieces that routes need: strict [`Json`], [`Query`] and [`Path`] extractors,
//! [`range`], [`conditional`], [`disposition`] and the [`rate`] limiter.

mod accept;
mod answer;
mod bare;
mod body;
pub mod conditional;
mod config;
mod connection;
mod context;
mod correlation;
mod cors;
pub mod disposition;
mod door;
mod finish;
mod forwarded;
mod headers;
mod json;
mod layers;
mod pace;
mod pages;
mod path;
mod phase;
mod pieces;
pub(crate) mod query;
pub mod range;
pub mod rate;
mod scan;
mod served;
mod socket;
mod tls;
mod wire;
mod words;

use std::sync::Arc;

use model::Ambient;

pub use accept::{Listener, serve};
pub use answer::{RouteTemplate, Verbatim};
pub use body::{BodyError, body_problem};
pub use config::{EdgeConfig, Forwarding, Http2Limits, Limits, Timeouts, TlsFiles};
pub use connection::Connection;
pub use context::Context;
pub use json::{Json, NoBody};
pub(crate) use json::{gather, whole};
pub(crate) use pages::Pages;
pub use path::Path;
pub use pieces::Piece;
pub use query::Query;
pub use served::{Routes, Served, layers};

use crate::ops::Metrics;

/// What the listener and the layers share: settings, time and chance, counters.
#[derive(Debug)]
pub struct Edge {
    pub(crate) config: EdgeConfig,
    pub(crate) metrics: Metrics,
    pub(crate) ids: correlation::Ids,
    pub(crate) cors: cors::Cors,
    pub(crate) external: Option<Arc<str>>,
}

impl Edge {
    /// Fixes the settings for the life of the process.
    pub fn new(config: EdgeConfig, ambient: Ambient, metrics: Metrics) -> Arc<Self> {
        let cors = cors::Cors::new(&config.cors_origins);
        let external = config.external_url.as_deref().map(|url| Arc::from(url.trim_end_matches('/')));
        Arc::new(Self { cors, external, metrics, ids: correlation::Ids::new(ambient), config })
    }
}
