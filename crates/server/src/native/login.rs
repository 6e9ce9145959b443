//! Logging in through a package manager: the password is a token, the answer a new one that dies with it.
//!
//! The one native request that carries its credentials in the body. Which format it is in is told by the
//! client's name alone, so that nothing is learned about repositories without a token.

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::Response;
use formats::Format;
use futures_util::StreamExt;
use http::header;
use http::request::Parts;
use registry::Read;

use super::documents::say;
use super::{asked, map, text};
use crate::app::{App, challenged};
use crate::edge::{Context, body_problem};
use crate::problem::Problem;

/// The longest body, in bytes.
const BODY: usize = 16 << 10;

/// The format in which this request logs in, if it does.
pub(super) fn of(parts: &Parts) -> Option<&'static dyn Format> {
    let format = formats::by_client(text(parts, &header::USER_AGENT)?)?;
    let address = map::address(parts.uri.path())?;
    format.is_login(&asked(parts, address.rest)?).then_some(format)
}

async fn bounded(body: Body) -> Result<Vec<u8>, Problem> {
    let (mut kept, mut pieces) = (Vec::new(), body.into_data_stream());
    while let Some(piece) = pieces.next().await {
        kept.extend_from_slice(&piece.map_err(|error| body_problem(&error))?);
        if kept.len() > BODY {
            return Err(Problem::payload_too_large(format!("a login has at most {BODY} bytes")));
        }
    }
    Ok(kept)
}

/// Mints a token for whoever the body names.
pub(super) async fn log_in(
    app: &App,
    format: &'static dyn Format,
    parts: &mut Parts,
    body: Body,
) -> Result<Response, Problem> {
    let context = <Context as FromRequestParts<App>>::from_request_parts(parts, app).await?;
    app.spend_login(context.client)?;
    let body = bounded(body).await?;
    let login = format.login(&body);
    let login = login.ok_or_else(|| Problem::bad_request("a login is a name and a token as the password"))?;
    let call = app.registry.call(Some(login.token.expose()), context.correlation).await;
    let call = call.map_err(|error| match error.code() {
        Some(model::Code::Unauthorized) => challenged("the password must be a token that is in force"),
        _ => Problem::from(error),
    })?;
    let address = map::address(parts.uri.path()).ok_or_else(|| map::unknown(&call))?;
    let readable = call.authorize::<Read>(&address.key).await?;
    if readable.repo().format != format.key() {
        return Err(Problem::not_found("the repository speaks another protocol"));
    }
    let minted = call.log_in(format.key()).await?;
    let welcome = format.welcome(minted.subject.as_str(), minted.secret.text());
    welcome.map(say).ok_or_else(|| Problem::internal_error("a format takes logins and answers none"))
}
