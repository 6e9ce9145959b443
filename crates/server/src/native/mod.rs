//! The native protocols: one pipeline for every format and every kind of repository.
//!
//! map → parse → authorize → resolve → execute → respond; the format decides only what addresses
//! mean and how answers look.

mod body;
mod checksum;
mod coming;
mod declared;
mod documents;
mod fetch;
mod frame;
mod list;
mod login;
mod map;
mod moment;
mod newest;
pub(crate) mod oci;
mod receive;
mod refused;
mod relay;
pub(crate) mod repositories;
mod shelf;
mod store_file;
mod stream;
mod tokens;
mod virtuals;

pub(crate) use body::pieces;
pub(crate) use declared::claims;
pub(crate) use fetch::respond;
pub(crate) use login::bounded;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use documents::Place;
use formats::{Asked, Format, Method, Operation, ParseError};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use model::Code;
use model::state::RepoKind;
use refused::Refused;
use registry::{Call, Grant, Promote, Read, Write};

use crate::app::{App, Asking, presented_token};
use crate::edge::Context;
use crate::problem::Problem;

/// Whether a path is that of a repository or of something in one.
pub(crate) fn leads_here(path: &str) -> bool {
    path.strip_prefix("/repository/").is_some_and(|rest| !rest.is_empty())
}

/// Answers everything under `/repository/`.
pub(crate) async fn serve(app: App, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Some(login) = login::of(&parts) {
        let format = Some(login.format);
        let answer = Box::pin(login.answer(&app, &mut parts, body)).await;
        return answer.unwrap_or_else(|problem| Refused { problem, format }.respond(&parts));
    }
    if app.registry.shares_its_database()
        && let Some(response) = Box::pin(presumed(&app, &mut parts)).await
    {
        return response;
    }
    let answer = match <Asking as FromRequestParts<App>>::from_request_parts(&mut parts, &app).await {
        Ok(Asking(call)) => answer(&app, &call, &parts, body).await,
        Err(problem) => Err(problem.into()),
    };
    answer.unwrap_or_else(|refused| refused.respond(&parts))
}

/// The short way of a hot read where only the database knows what holds: one statement.
async fn presumed(app: &App, parts: &mut Parts) -> Option<Response> {
    if !matches!(parts.method, http::Method::GET | http::Method::HEAD) {
        return None;
    }
    let context = <Context as FromRequestParts<App>>::from_request_parts(parts, app).await.ok()?;
    let token = presented_token(&parts.headers).ok()?;
    let address = map::address(parts.uri.path()).filter(|address| address.moment.is_none())?;
    let presumed = app.registry.presume(token.as_deref(), &address.key, context.correlation).await?;
    let format = formats::by_key(presumed.format())?;
    let (path, algorithm) = match parse(format, presumed.kind(), parts, address.rest).ok()? {
        Operation::Fetch(path) => (path, None),
        Operation::Checksum(of, algorithm) => match *of {
            Operation::Fetch(path) => (path, Some(algorithm)),
            _ => return None,
        },
        _ => return None,
    };
    let (grant, found) = match presumed.find(&path).await {
        Ok(found) => found?,
        // The database was waited for once: the long way would wait again.
        Err(error) if error.code() == Some(Code::ServiceUnavailable) => {
            return Some(Refused::from(Problem::from(error)).respond(parts));
        }
        Err(_) => return None,
    };
    let answer = match app.admit(grant.call(), &context) {
        Ok(()) => match algorithm {
            None => fetch::show(&grant, &found, parts).await,
            Some(algorithm) => checksum::of_file(&grant, &found, algorithm, parts).await,
        },
        Err(problem) => Err(problem),
    };
    Some(answer.unwrap_or_else(|problem| Refused { problem, format: Some(format) }.respond(parts)))
}

async fn answer(app: &App, call: &Call, parts: &Parts, body: Body) -> Result<Response, Refused> {
    let Some(address) = map::address(parts.uri.path()) else {
        let (key, moment) = map::slashless(parts.uri.path()).ok_or_else(|| map::unknown(call))?;
        let readable = call.authorize(&key).await.map_err(Problem::from)?;
        return Ok(add_slash(&moment::as_of(readable, moment.as_ref(), parts)?, moment.as_ref(), parts)?);
    };
    let readable = call.authorize::<Read>(&address.key).await.map_err(Problem::from)?;
    let format =
        formats::by_key(&readable.repo().format).ok_or_else(|| Problem::internal_error("a format without code"))?;
    let refused = |problem| Refused { problem, format: Some(format) };
    let readable = moment::as_of(readable, address.moment.as_ref(), parts).map_err(refused)?;
    perform(app, &readable, format, parts, address.rest, body).await.map_err(refused)
}

async fn perform(
    app: &App,
    readable: &Grant<Read>,
    format: &dyn Format,
    parts: &Parts,
    rest: &str,
    body: Body,
) -> Result<Response, Problem> {
    if let Some(passed_on) = relay::answer(readable, format, parts, rest).await? {
        return Ok(passed_on);
    }
    let operation = match parse(format, readable.repo().kind, parts, rest) {
        Err(problem) if problem.status() == StatusCode::NOT_FOUND && shelf::is_asked_for(parts, rest) => {
            return Box::pin(shelf::show(readable, parts)).await;
        }
        parsed => parsed?,
    };
    moment::expect_of_then(readable, &operation)?;
    if let Operation::Newest(package, part, view) = &operation {
        let meant = (package, part.as_str(), *view);
        return Box::pin(newest::answer(app, readable, format, meant, parts, rest)).await;
    }
    if readable.is_virtual() && virtuals::concerns_members(&operation) {
        return Box::pin(virtuals::perform(app, readable, format, operation, parts, rest, body)).await;
    }
    match &operation {
        Operation::Fetch(path) => fetch::fetch(readable, path, parts).await,
        other if is_read(other) => read(readable, other, &Place::of(readable, parts)?, parts).await,
        // All that it may wait for would be part of every read, and moved with it.
        _ => Box::pin(perform_any(app, readable, format, operation, parts, body)).await,
    }
}

/// Whether a file or an index is asked for.
fn is_read(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Fetch(_)
            | Operation::Index(..)
            | Operation::Part(..)
            | Operation::Checksum(..)
            | Operation::Version(..)
    )
}

async fn perform_any(
    app: &App,
    readable: &Grant<Read>,
    format: &dyn Format,
    operation: Operation,
    parts: &Parts,
    body: Body,
) -> Result<Response, Problem> {
    let call = readable.call();
    let place = || Place::of(readable, parts);
    match operation {
        Operation::Fetch(_)
        | Operation::Index(..)
        | Operation::Part(..)
        | Operation::Checksum(..)
        | Operation::Version(..) => read(readable, &operation, &place()?, parts).await,
        Operation::List(folder) => list::list(readable, format, folder, parts).await,
        Operation::Catalogue(asked) => {
            let shown = readable.catalogue(&asked, &place()?.site()).await?;
            documents::show(&shown, readable, parts).await
        }
        Operation::Say(view) => {
            let said = format.say(view, &place()?.site());
            said.map(documents::say).ok_or_else(|| Problem::not_found("there is nothing here"))
        }
        Operation::Tell(said) => Ok(documents::say(said)),
        Operation::Newest(..) => Err(Problem::internal_error("a name was not looked up")),
        Operation::Writers(package, view) => {
            let grant = call.authorize::<Write>(&readable.repo().key).await?;
            let said = format.writers(view, &grant.writers(&package).await?);
            said.map(documents::say).ok_or_else(|| Problem::not_found("there is nothing here"))
        }
        Operation::Store(path) => {
            let grant = call.authorize::<Write>(&readable.repo().key).await?;
            store_file::store(&grant, path, parts, body).await
        }
        Operation::Withdraw(path) => {
            let grant = call.authorize::<Promote>(&readable.repo().key).await?;
            grant.withdraw(&path).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Operation::Receive(intake) => {
            let grant = call.authorize::<Write>(&readable.repo().key).await?;
            receive::receive(&grant, intake, &parts.headers, body).await
        }
        Operation::Change(changes, said) => {
            readable.change(changes).await?;
            Ok(documents::say(said))
        }
        Operation::Leave(token, said) => {
            call.log_out(token.expose()).await?;
            Ok(documents::say(said))
        }
        Operation::Tokens(deed) => tokens::answer(app, readable, format, deed, parts, body).await,
    }
}

/// Answers with a file or an index of one repository, told as being at `place`.
async fn read(grant: &Grant<Read>, operation: &Operation, place: &Place, parts: &Parts) -> Result<Response, Problem> {
    let site = place.site();
    let shown = match operation {
        Operation::Fetch(path) => return fetch::fetch(grant, path, parts).await,
        Operation::Checksum(of, algorithm) => return checksum::checksum(grant, of, *algorithm, &site, parts).await,
        Operation::Index(package, view) => grant.index(package, *view, &site).await?,
        Operation::Part(package, part, view) => grant.part(package, part, *view, &site).await?,
        Operation::Version(package, version, view) => grant.version_document(package, version, *view, &site).await?,
        _ => return Err(Problem::not_found("there is nothing here")),
    };
    documents::show(&shown, grant, parts).await
}

/// The listing of a repository lies at its address with a slash. Who may read it is told so; the way there is relative,
/// so that it holds behind any proxy and under any prefix.
fn add_slash(grant: &Grant<Read>, moment: Option<&map::Moment<'_>>, parts: &Parts) -> Result<Response, Problem> {
    if !matches!(parts.method, http::Method::GET | http::Method::HEAD) {
        let refused = Problem::method_not_allowed("a repository can only be listed; files go below it");
        return Err(refused.allow(HeaderValue::from_static("GET, HEAD")));
    }
    let query = query_of(parts);
    // A colon in the first segment would stand for a scheme.
    let key = &grant.repo().key;
    let there = moment.map_or(format!("{key}/{query}"), |moment| format!("./{key}@{}/{query}", moment.written));
    found_at(there)
}

/// With its question mark.
fn query_of(parts: &Parts) -> String {
    parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default()
}

fn found_at(there: String) -> Result<Response, Problem> {
    let there = HeaderValue::try_from(there);
    let there = there.map_err(|_| Problem::bad_request("the query cannot be kept in a redirect"))?;
    let headers = [(header::LOCATION, there), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))];
    Ok((StatusCode::PERMANENT_REDIRECT, headers).into_response())
}

/// The request as formats see it, of a repository whose packages are ours; `None`: a method that none of them knows.
fn asked<'p>(parts: &'p Parts, rest: &'p str) -> Option<Asked<'p>> {
    let method = match parts.method {
        http::Method::GET => Method::Get,
        http::Method::HEAD => Method::Head,
        http::Method::PUT => Method::Put,
        http::Method::DELETE => Method::Delete,
        http::Method::POST => Method::Post,
        http::Method::PATCH => Method::Patch,
        _ => return None,
    };
    Some(Asked {
        method,
        rest,
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        accept: text(parts, &header::ACCEPT).unwrap_or_default(),
        content_type: text(parts, &header::CONTENT_TYPE).unwrap_or_default(),
        as_written: false,
    })
}

fn parse(format: &dyn Format, kind: RepoKind, parts: &Parts, rest: &str) -> Result<Operation, Problem> {
    let as_written = kind == RepoKind::Remote;
    let Some(asked) = asked(parts, rest) else { return Err(unknown_method(format, as_written, rest)) };
    format.parse(&Asked { as_written, ..asked }).map_err(|error| match error {
        ParseError::Method(allowed) => {
            Problem::method_not_allowed("this method is not possible here").allow(HeaderValue::from_static(allowed))
        }
        other => Problem::from(registry::Error::Refused(other.into())),
    })
}

/// A method that no format knows: what the address offers is what it does not refuse.
fn unknown_method(format: &dyn Format, as_written: bool, rest: &str) -> Problem {
    let allowed = match format.parse(&Asked { as_written, ..Asked::plain(Method::Patch, rest) }) {
        Err(ParseError::Method(allowed)) => allowed,
        _ => "GET, HEAD, PUT, DELETE",
    };
    Problem::method_not_allowed("this method is not possible here").allow(HeaderValue::from_static(allowed))
}

/// The value of a header as text, if it is there and is text.
fn text<'p>(parts: &'p Parts, name: &header::HeaderName) -> Option<&'p str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    /// What a GET of the npm address means there.
    fn meant(kind: RepoKind, rest: &str) -> String {
        let npm = formats::by_key("npm").expect("a format");
        let (parts, ()) = Request::new(()).into_parts();
        match parse(npm, kind, &parts, rest).expect("an operation") {
            Operation::Index(package, _) => package.name,
            other => panic!("{rest}: {other:?}"),
        }
    }

    #[test]
    fn names_count_as_written_where_another_server_has_the_packages() {
        assert_eq!(meant(RepoKind::Remote, "JSONStream"), "JSONStream");
        assert_eq!(meant(RepoKind::Local, "JSONStream"), "jsonstream");
    }
}
