//! One service around every route: what must hold for each answer, whoever made it.
//!
//! Written by hand instead of as a stack of small layers: it is on the hot path of everything.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};
use std::task::{self, Poll};

use axum::body::Body;
use axum::extract::MatchedPath;
use axum::response::IntoResponse;
use http::header::{EXPECT, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Response, StatusCode, Version};
use model::CorrelationId;
use tower::{Layer, Service};

use super::answer::Record;
use super::connection::{Connection, Framing};
use super::context::{Asker, Context, Host, is_host};
use super::finish::{Answer, Finish, Work};
use super::{Edge, bare, cors, forwarded};
use crate::ops::{RouteSeries, UNMATCHED, method_label};
use crate::problem::Problem;

/// Puts the edge around each route of a router.
#[derive(Clone)]
pub(super) struct Edging(pub(super) Arc<Edge>);

impl<S> Layer<S> for Edging {
    type Service = Edged<S>;

    fn layer(&self, inner: S) -> Edged<S> {
        Edged { inner, around: Around::new(self.0.clone(), None) }
    }
}

/// The service.
#[derive(Clone)]
pub(super) struct Edged<S> {
    inner: S,
    around: Around,
}

/// What is around one route. `series` remembers the counters of the one method with which it is nearly always asked.
#[derive(Clone)]
pub(super) struct Around {
    edge: Arc<Edge>,
    /// `None`: the router says which one it is.
    route: Option<&'static str>,
    series: Arc<OnceLock<Arc<RouteSeries>>>,
}

impl<S> Service<Request<Body>> for Edged<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer<S::Future>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.around.answer(request, |request| self.inner.call(request))
    }
}

impl Around {
    pub(super) fn new(edge: Arc<Edge>, route: Option<&'static str>) -> Self {
        Self { edge, route, series: Arc::new(OnceLock::new()) }
    }

    /// The answer of `route`, with all that holds for every answer.
    pub(super) fn answer<F>(&self, mut request: Request<Body>, route: impl FnOnce(Request<Body>) -> F) -> Answer<F> {
        let edge = self.edge.clone();
        let (correlation, echo) = edge.ids.of(request.headers());
        let context = context(&edge, &request, correlation);
        let finish = Finish {
            record: Some(Record::start(self.series(&request), &context, request.uri())),
            echo: Some(echo),
            origin: if edge.cors.enabled() { edge.cors.allowed(request.headers()) } else { None },
            https: context.https,
            http1: request.version() < Version::HTTP_2,
            head: request.method() == http::Method::HEAD,
            close: request.extensions().get::<Framing>().is_some() || !plainly_coded(request.headers()),
            edge,
        };
        let work = match early(&finish, &request) {
            Some(response) => Work::Ready { response: Some(response) },
            None => {
                request.extensions_mut().insert(context);
                Work::Route { future: route(request) }
            }
        };
        Answer { work, finish }
    }

    fn series(&self, request: &Request<Body>) -> Arc<RouteSeries> {
        let routed = || request.extensions().get::<MatchedPath>().map_or(UNMATCHED, MatchedPath::as_str);
        let route = self.route.unwrap_or_else(routed);
        let method = method_label(request.method());
        let known = self.series.get_or_init(|| self.edge.metrics.series(method, route));
        if *known.route == *route && known.method == method {
            return known.clone();
        }
        self.edge.metrics.series(method, route)
    }
}

/// What is answered without asking a route.
fn early(finish: &Finish, request: &Request<Body>) -> Option<Response<Body>> {
    if let Err(problem) = admit(&finish.edge, request) {
        return Some(problem.into_response());
    }
    if finish.origin.is_some() && cors::is_preflight(request.method(), request.headers()) {
        let mut response = StatusCode::NO_CONTENT.into_response();
        cors::grant(response.headers_mut());
        return Some(response);
    }
    None
}

/// Refuses what no route should see.
fn admit(edge: &Edge, request: &Request<Body>) -> Result<(), Problem> {
    let limits = &edge.config.limits;
    if request.extensions().get::<Framing>() == Some(&Framing::Broken) {
        return Err(Problem::bad_request("the request tells its length in more than one way"));
    }
    if !plainly_coded(request.headers()) {
        return Err(Problem::bad_request("the only transfer coding here is chunked, named once"));
    }
    if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > limits.uri_bytes) {
        return Err(Problem::uri_too_long(bare::URI));
    }
    let headers = request.headers();
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > limits.header_bytes || headers.len() > limits.headers {
        return Err(Problem::headers_too_large(bare::HEADERS));
    }
    if !headers.get_all(EXPECT).iter().all(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Problem::expectation_failed("the only expectation here is 100-continue"));
    }
    admit_host(request)
}

/// A list of codings is read differently by different servers: what ends in `chunked` is not enough.
fn plainly_coded(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let plain = codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    plain && codings.next().is_none()
}

/// One well-formed host: a second one is how a cache and a server come to disagree.
fn admit_host(request: &Request<Body>) -> Result<(), Problem> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    let needed = request.version() == Version::HTTP_11;
    let well = first.is_none_or(|host| is_host(host.as_bytes()))
        && request.uri().authority().is_none_or(|target| is_host(target.as_str().as_bytes()));
    // HTTP/1.1 says that a whole address as the target wins; HTTP/2 has no such rule.
    let two = request.version() == Version::HTTP_2
        && first
            .zip(request.uri().authority())
            .is_some_and(|(host, target)| !host.as_bytes().eq_ignore_ascii_case(target.as_str().as_bytes()));
    if second.is_some() || two || !well || (needed && first.is_none()) {
        return Err(Problem::bad_request("the request needs one well-formed Host"));
    }
    Ok(())
}

fn context(edge: &Edge, request: &Request<Body>, correlation: CorrelationId) -> Context {
    let connection = request.extensions().get::<Arc<Connection>>();
    let (peer, tls) =
        connection.map_or((IpAddr::V4(Ipv4Addr::UNSPECIFIED), false), |socket| (socket.peer.ip(), socket.tls));
    let config = &edge.config;
    let origin = forwarded::origin(peer, request.headers(), &config.trusted_proxies, config.forwarding);
    let host = match (origin.host, request.uri().authority(), request.headers().get(HOST)) {
        (Some(forwarded), _, _) => Host::Header(forwarded),
        (None, Some(target), _) => Host::Target(target.clone()),
        (None, None, Some(host)) => Host::Header(host.clone()),
        (None, None, None) => Host::None,
    };
    Context {
        correlation,
        client: origin.client,
        https: origin.https.unwrap_or(tls),
        external: edge.external.clone(),
        host,
        asker: Asker::default(),
    }
}
