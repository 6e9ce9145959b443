//! What operators rely on.

mod cors;
mod drain;
mod health;
mod metrics;
mod rate;
mod tls;
