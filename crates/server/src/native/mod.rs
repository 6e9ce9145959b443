//! The native protocols: one pipeline for every format and every kind of repository.
//!
//! map → parse → authorize → resolve → execute → respond; the format decides only what addresses
//! mean and how answers look.

mod declared;
mod fetch;
mod list;
mod map;
mod store_file;
mod stream;

pub(crate) use fetch::respond;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use formats::{Format, Method, Operation, ParseError};
use http::request::Parts;
use http::{HeaderValue, header};
use model::Code;
use registry::{Call, Promote, Read, Write};

use crate::app::{App, Asking, logged_subject, presented_token};
use crate::edge::Context;
use crate::problem::Problem;

/// Answers everything under `/repository/`.
pub(crate) async fn serve(State(app): State<App>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Some(response) = presumed(&app, &mut parts).await {
        return response;
    }
    let (answer, call) = match <Asking as FromRequestParts<App>>::from_request_parts(&mut parts, &app).await {
        Ok(Asking(call)) => (answer(&call, &parts, body).await, Some(call)),
        Err(problem) => (Err(problem), None),
    };
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    if let Some(subject) = call.as_ref().and_then(logged_subject) {
        response.extensions_mut().insert(subject);
    }
    response
}

/// The short way of a hot read where only the database knows what holds: one statement.
async fn presumed(app: &App, parts: &mut Parts) -> Option<Response> {
    if !matches!(parts.method, http::Method::GET | http::Method::HEAD) || !app.registry.shares_its_database() {
        return None;
    }
    let context = <Context as FromRequestParts<App>>::from_request_parts(parts, app).await.ok()?;
    let token = presented_token(&parts.headers).ok()?;
    let address = map::address(parts.uri.path())?;
    let presumed = app.registry.presume(token.as_deref(), &address.key, context.correlation).await?;
    let format = formats::by_key(presumed.format())?;
    let Ok(Operation::Fetch(path)) = parse(format, parts, address.rest) else { return None };
    let (grant, found) = match presumed.find(&path).await {
        Ok(found) => found?,
        // The database was waited for once: the long way would wait again.
        Err(error) if error.code() == Some(Code::ServiceUnavailable) => {
            return Some(Problem::from(error).into_response());
        }
        Err(_) => return None,
    };
    let answer = match app.spend_request(grant.call(), &context) {
        Ok(()) => fetch::show(&grant, &found, parts).await,
        Err(problem) => Err(problem),
    };
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    if let Some(subject) = logged_subject(grant.call()) {
        response.extensions_mut().insert(subject);
    }
    Some(response)
}

async fn answer(call: &Call, parts: &Parts, body: Body) -> Result<Response, Problem> {
    let address = map::address(parts.uri.path()).ok_or_else(|| map::unknown(call))?;
    let readable = call.authorize::<Read>(&address.key).await?;
    let format =
        formats::by_key(&readable.repo().format).ok_or_else(|| Problem::internal_error("a format without code"))?;
    match parse(format, parts, address.rest)? {
        Operation::Fetch(path) => fetch::fetch(&readable, &path, parts).await,
        Operation::List(folder) => list::list(&readable, folder, parts).await,
        Operation::Store(path) => {
            let grant = call.authorize::<Write>(&address.key).await?;
            store_file::store(&grant, path, parts, body).await
        }
        Operation::Withdraw(path) => {
            let grant = call.authorize::<Promote>(&address.key).await?;
            grant.withdraw(&path).await?;
            Ok(http::StatusCode::NO_CONTENT.into_response())
        }
    }
}

fn parse(format: &dyn Format, parts: &Parts, rest: &str) -> Result<Operation, Problem> {
    let method = match parts.method {
        http::Method::GET => Method::Get,
        http::Method::HEAD => Method::Head,
        http::Method::PUT => Method::Put,
        http::Method::DELETE => Method::Delete,
        _ => return Err(unknown_method(format, rest)),
    };
    format.parse(method, rest).map_err(|error| match error {
        ParseError::Method(allowed) => {
            Problem::method_not_allowed("this method is not possible here").allow(HeaderValue::from_static(allowed))
        }
        other => Problem::from(registry::Error::Refused(other.into())),
    })
}

/// A method that no format knows: what the address offers is what it does not refuse.
fn unknown_method(format: &dyn Format, rest: &str) -> Problem {
    let allowed = match format.parse(Method::Put, rest) {
        Err(ParseError::Method(allowed)) => allowed,
        _ => "GET, HEAD, PUT, DELETE",
    };
    Problem::method_not_allowed("this method is not possible here").allow(HeaderValue::from_static(allowed))
}

/// The value of a header as text, if it is there and is text.
fn text<'p>(parts: &'p Parts, name: &header::HeaderName) -> Option<&'p str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}
