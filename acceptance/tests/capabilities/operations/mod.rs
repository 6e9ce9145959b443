//! What operators rely on.

mod access_log;
mod cors;
mod doctor;
mod drain;
mod full;
mod health;
mod metrics;
mod rate;
mod tls;
