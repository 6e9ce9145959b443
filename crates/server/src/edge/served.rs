//! What a listener serves: a router, and before it the few ways that nearly every request goes.
//!
//! A router copies its services and cuts parameters for each request; where packages are read and written that was a
//! twentieth of a small read's CPU.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::routing::future::RouteFuture;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::Service;

use super::Edge;
use super::finish::Answer;
use super::layers::{Around, Edging};

type Handling = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;
type Handler = Arc<dyn Fn(Request<Body>) -> Handling + Send + Sync>;

/// All addresses and what answers there.
pub struct Routes {
    router: Router,
    ways: Vec<Way>,
}

/// One handler of every method for all that lies below an address.
struct Way {
    route: &'static str,
    leads_to: fn(&str) -> bool,
    handler: Handler,
}

impl Routes {
    /// Lets `handler` answer all paths for which `leads_to` holds; the router is not asked. Metrics and log call them
    /// `route`.
    pub fn straight<F>(
        mut self,
        route: &'static str,
        leads_to: fn(&str) -> bool,
        handler: impl Fn(Request<Body>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let handler = move |request| -> Handling {
            let answer = handler(request);
            Box::pin(async move { Ok(answer.await) })
        };
        self.ways.push(Way { route, leads_to, handler: Arc::new(handler) });
        self
    }
}

impl From<Router> for Routes {
    fn from(router: Router) -> Self {
        Self { router, ways: Vec::new() }
    }
}

/// The same with the edge around each of them.
#[derive(Clone)]
pub struct Served {
    router: Router,
    ways: Arc<[(Way, Around)]>,
}

/// Puts the edge around all routes, their fallbacks included.
pub fn layers(edge: &Arc<Edge>, routes: impl Into<Routes>) -> Served {
    let Routes { router, ways } = routes.into();
    let around = |way: Way| {
        let around = Around::new(edge.clone(), Some(way.route));
        (way, around)
    };
    Served { router: router.layer(Edging(edge.clone())), ways: ways.into_iter().map(around).collect() }
}

/// A router without the edge.
impl From<Router> for Served {
    fn from(router: Router) -> Self {
        Self { router, ways: Arc::new([]) }
    }
}

impl Served {
    pub(super) fn call(&self, request: Request<Body>) -> Serving {
        let path = request.uri().path();
        match self.ways.iter().find(|(way, _)| (way.leads_to)(path)) {
            Some((way, around)) => {
                Serving::Straight { future: around.answer(request, |request| (way.handler)(request)) }
            }
            None => Serving::Routed { future: self.router.clone().call(request) },
        }
    }
}

pin_project! {
    /// An answer in the making.
    #[project = ServingProjected]
    pub(super) enum Serving {
        Straight { #[pin] future: Answer<Handling> },
        Routed { #[pin] future: RouteFuture<Infallible> },
    }
}

impl Future for Serving {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            ServingProjected::Straight { future } => future.poll(cx),
            ServingProjected::Routed { future } => future.poll(cx),
        }
    }
}
