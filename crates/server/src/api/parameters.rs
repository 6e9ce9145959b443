//! Query parameters: one that the table does not name is refused, on every route alike.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;

use super::access;
use super::endpoint::{Access, Endpoint};
use crate::app::App;
use crate::edge::query;
use crate::problem::Problem;

/// What an endpoint takes, and who may know.
struct Parameters {
    app: App,
    access: Access,
    names: Vec<&'static str>,
}

/// The endpoint's handler behind the check. The root is a page for people, whose links bring parameters of their own.
pub(super) fn checked(endpoint: Endpoint, app: &App) -> MethodRouter<App> {
    if endpoint.path == "/" {
        return endpoint.handler;
    }
    let parameters = Parameters { app: app.clone(), access: endpoint.access, names: endpoint.parameters };
    endpoint.handler.route_layer(from_fn_with_state(Arc::new(parameters), check))
}

async fn check(State(parameters): State<Arc<Parameters>>, request: Request, next: Next) -> Response {
    let Some(fault) = request.uri().query().and_then(|query| fault(query, &parameters.names)) else {
        return next.run(request).await;
    };
    let (mut parts, _) = request.into_parts();
    // Who asks comes first: those who may not be here hear that, and nothing of parameters.
    match access::enter(&mut parts, &parameters.app, parameters.access).await {
        Ok(()) => fault.into_response(),
        Err(refused) => refused.into_response(),
    }
}

fn fault(query: &str, known: &[&str]) -> Option<Problem> {
    let pairs = match query::pairs(query) {
        Ok(pairs) => pairs,
        Err(problem) => return Some(problem),
    };
    let (unknown, _) = pairs.into_iter().find(|(name, _)| !known.contains(&name.as_str()))?;
    let offer = match known {
        [] => "this address takes none".to_owned(),
        known => format!("this address takes {}", known.join(", ")),
    };
    Some(query::refuse(&unknown, &format!("an unknown parameter; {offer}")))
}
