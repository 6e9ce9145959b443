//! The registry that every room adds its own metrics to.

use std::sync::{Arc, Mutex, PoisonError};

use model::Ambient;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::process::Process;
use super::requests::{RequestMetrics, RouteSeries};

/// What was built.
#[derive(Clone, Debug)]
pub struct BuildInfo {
    /// The program's version.
    pub version: &'static str,
    /// The commit, or `unknown`.
    pub commit: &'static str,
}

/// A handle on all metrics of the process; cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Mutex<Registry>,
    requests: RequestMetrics,
    connections: Gauge,
    accepted: Counter,
}

impl Metrics {
    /// The metrics of requests, connections, process and build.
    pub fn new(ambient: &Ambient, build: &BuildInfo) -> Self {
        let mut registry = Registry::default();
        let requests = RequestMetrics::register(&mut registry);
        let (connections, accepted) = (Gauge::default(), Counter::default());
        registry.register("http_connections", "Open connections", connections.clone());
        registry.register("http_connections_accepted", "Connections accepted", accepted.clone());
        let labels = vec![("version", build.version), ("commit", build.commit)];
        registry.register("artifortress_build", "What was built", Info::new(labels));
        registry.register_collector(Box::new(Process::starting(ambient.now())));
        Self(Arc::new(Inner { registry: Mutex::new(registry), requests, connections, accepted }))
    }

    /// Lets a room add its own metrics. Names are an interface; labels must be bounded.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.0.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Everything in OpenMetrics text format.
    pub fn render(&self) -> String {
        let mut out = String::new();
        let registry = self.0.registry.lock().unwrap_or_else(PoisonError::into_inner);
        if text::encode(&mut out, &registry).is_err() {
            tracing::error!("a metric could not be written");
        }
        out
    }

    pub(crate) fn series(&self, method: &'static str, route: &str) -> Arc<RouteSeries> {
        self.0.requests.series(method, route)
    }

    pub(crate) fn refused(&self, status: u16) {
        self.0.requests.refused(status);
    }

    pub(crate) fn connection_opened(&self) {
        self.0.accepted.inc();
        self.0.connections.inc();
    }

    pub(crate) fn connection_closed(&self) {
        self.0.connections.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_process_build_and_what_rooms_add() {
        let metrics = Metrics::new(&Ambient::system(), &BuildInfo { version: "1.2.3", commit: "abc" });
        let depth = Gauge::<i64>::default();
        metrics.register(|registry| registry.register("queue_depth", "Waiting jobs", depth.clone()));
        depth.set(7);
        let text = metrics.render();
        for line in [
            r#"artifortress_build_info{version="1.2.3",commit="abc"} 1"#,
            "queue_depth 7",
            "process_resident_memory_bytes ",
            "process_cpu_seconds_total ",
            "process_open_fds ",
            "process_max_fds ",
            "process_threads ",
            "process_start_time_seconds ",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
