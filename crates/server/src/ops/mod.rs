//! What operators see: metrics, health, and the listener that serves them.

mod health;
mod metrics;
mod process;
mod requests;
mod routes;

pub use health::{Check, Dependency, DependencyReport, Health, Readiness, ReadyState, Report};
pub use metrics::{BuildInfo, Metrics};
pub(crate) use requests::{RouteSeries, UNMATCHED, method_label};
pub use routes::{health_routes, ops_routes};
