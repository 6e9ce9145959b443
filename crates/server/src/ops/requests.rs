//! The request metrics, by route template and known method only, so that no client can add a series.

use std::collections::HashMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use http::Method;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The route of a request that no route answers.
pub(crate) const UNMATCHED: &str = "unmatched";

const BUCKETS: [f64; 14] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// Statuses whose counter a series keeps at hand.
const STATUSES: [u16; 30] = [
    200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409, 410, 411, 412, 413, 416,
    422, 423, 429, 499, 500, 503, 507,
];

/// The method as a label: itself when known, else `OTHER`.
pub(crate) fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct RouteLabels {
    method: &'static str,
    route: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct AnswerLabels {
    route: RouteLabels,
    status: u16,
}

impl EncodeLabelSet for RouteLabels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        use prometheus_client::encoding::EncodeLabel;
        ("method", self.method).encode(encoder.encode_label())?;
        ("route", &*self.route).encode(encoder.encode_label())
    }
}

impl EncodeLabelSet for AnswerLabels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        use prometheus_client::encoding::EncodeLabel;
        self.route.encode(encoder)?;
        ("status", self.status).encode(encoder.encode_label())
    }
}

#[derive(Clone, Debug)]
struct Latencies;

impl MetricConstructor<Histogram> for Latencies {
    fn new_metric(&self) -> Histogram {
        Histogram::new(BUCKETS)
    }
}

/// The families, and the series made so far.
#[derive(Debug)]
pub(crate) struct RequestMetrics {
    total: Family<AnswerLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, Latencies>,
    inprogress: Family<RouteLabels, Gauge>,
    made: RwLock<HashMap<RouteLabels, Arc<RouteSeries>>>,
    refused: Arc<RouteSeries>,
}

impl RequestMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let total = Family::<AnswerLabels, Counter>::default();
        let seconds = Family::<RouteLabels, Histogram, Latencies>::new_with_constructor(Latencies);
        let inprogress = Family::<RouteLabels, Gauge>::default();
        registry.register("http_requests", "Requests answered", total.clone());
        registry.register("http_request_duration_seconds", "Time from head to the end of the answer", seconds.clone());
        registry.register("http_requests_inprogress", "Requests being answered", inprogress.clone());
        let labels = RouteLabels { method: "OTHER", route: UNMATCHED.into() };
        let refused = Arc::new(RouteSeries::new(labels, &total, &seconds, &inprogress));
        Self { total, seconds, inprogress, made: RwLock::default(), refused }
    }

    /// The series of a route; made at its first use.
    pub(crate) fn series(&self, method: &'static str, route: &str) -> Arc<RouteSeries> {
        let labels = RouteLabels { method, route: route.into() };
        if let Some(series) = self.made.read().unwrap_or_else(PoisonError::into_inner).get(&labels) {
            return series.clone();
        }
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(RouteSeries::new(labels.clone(), &self.total, &self.seconds, &self.inprogress));
        made.entry(labels.clone()).or_insert_with(new).clone()
    }

    /// Counts bytes that never became a request.
    pub(crate) fn refused(&self, status: u16) {
        self.refused.count(status);
    }
}

/// The handles of one route and method: counting takes no lookup.
#[derive(Debug)]
pub(crate) struct RouteSeries {
    pub(crate) method: &'static str,
    pub(crate) route: Arc<str>,
    pub(crate) inprogress: Gauge<i64, AtomicI64>,
    seconds: Histogram,
    total: Family<AnswerLabels, Counter>,
    counters: [OnceLock<Counter>; STATUSES.len()],
}

impl RouteSeries {
    fn new(
        labels: RouteLabels,
        total: &Family<AnswerLabels, Counter>,
        seconds: &Family<RouteLabels, Histogram, Latencies>,
        inprogress: &Family<RouteLabels, Gauge>,
    ) -> Self {
        Self {
            inprogress: inprogress.get_or_create_owned(&labels),
            seconds: seconds.get_or_create_owned(&labels),
            total: total.clone(),
            counters: std::array::from_fn(|_| OnceLock::new()),
            method: labels.method,
            route: labels.route,
        }
    }

    /// Counts one answer.
    pub(crate) fn finished(&self, status: u16, took: Duration) {
        self.count(status);
        self.seconds.observe(took.as_secs_f64());
    }

    fn count(&self, status: u16) {
        let known = STATUSES.binary_search(&status).ok().and_then(|at| self.counters.get(at));
        match known {
            Some(counter) => counter.get_or_init(|| self.counter(status)).inc(),
            None => self.counter(status).inc(),
        };
    }

    fn counter(&self, status: u16) -> Counter {
        let route = RouteLabels { method: self.method, route: self.route.clone() };
        self.total.get_or_create_owned(&AnswerLabels { route, status })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statuses_at_hand_are_sorted() {
        assert!(STATUSES.is_sorted());
    }

    #[test]
    fn an_answer_is_counted_under_method_route_and_status() {
        let mut registry = Registry::default();
        let metrics = RequestMetrics::register(&mut registry);
        let series = metrics.series("GET", "/v1/x/{id}");
        series.finished(200, Duration::from_millis(2));
        series.finished(418, Duration::from_millis(2));
        assert!(Arc::ptr_eq(&series, &metrics.series("GET", "/v1/x/{id}")));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains(r#"http_requests_total{method="GET",route="/v1/x/{id}",status="200"} 1"#), "{text}");
        assert!(text.contains(r#"status="418"} 1"#));
        assert!(text.contains(r#"http_request_duration_seconds_count{method="GET",route="/v1/x/{id}"} 2"#));
        assert!(text.contains(r#"http_requests_inprogress{method="GET",route="/v1/x/{id}"} 0"#));
    }

    #[test]
    fn a_method_that_nobody_knows_is_other() {
        assert_eq!(method_label(&Method::from_bytes(b"BREW").unwrap()), "OTHER");
        assert_eq!(method_label(&Method::TRACE), "OTHER");
        assert_eq!(method_label(&Method::GET), "GET");
    }
}
