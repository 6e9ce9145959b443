//! Logging in through a package manager: the password is a token, or somebody says yes in a browser; the answer is
//! a new token that dies with the one used.
//!
//! The native requests that are understood without credentials, also beside old ones that have ended. Which format
//! they are in is told by the request alone, so that nothing is learned about repositories without a token.

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::Response;
use formats::{Format, LoginStep, Logins};
use http::header;
use http::request::Parts;
use registry::{Read, TokenSecret};

use super::documents::say;
use super::{asked, map, text};
use crate::app::{App, challenged};
use crate::edge::rate::{Class, Key};
use crate::edge::{Context, gather};
use crate::problem::Problem;

/// The longest body of a login, a form or a wish for a token, in bytes.
const BODY: usize = 64 << 10;

/// How this request logs in, and to what.
pub(super) struct LoggingIn {
    pub(super) format: &'static dyn Format,
    logins: &'static dyn Logins,
    step: LoginStep,
}

/// How this request logs in, if it does. Not every client says its name when it does: without one the address
/// tells, where a request without credentials, or to this address, could have no other meaning.
pub(super) fn of(parts: &Parts) -> Option<LoggingIn> {
    let address = map::address(parts.uri.path()).filter(|address| address.moment.is_none())?;
    let asked = asked(parts, address.rest)?;
    let client = text(parts, &header::USER_AGENT).unwrap_or_default();
    let in_format = |format: &'static dyn Format| {
        let logins = format.logins()?;
        let step = logins.step(&asked)?;
        (!matches!(step, LoginStep::Begin) || logins.has_browser(client)).then_some(LoggingIn { format, logins, step })
    };
    match formats::by_client(client) {
        Some(format) => in_format(format),
        None => formats::ALL.into_iter().find_map(in_format).filter(|login| match &login.step {
            LoginStep::Ask(name) => name.expose().rsplit('/').next().is_some_and(TokenSecret::looks_like),
            LoginStep::Password | LoginStep::Begin => !parts.headers.contains_key(header::AUTHORIZATION),
        }),
    }
}

/// The whole of a short body.
pub(crate) async fn bounded(body: Body) -> Result<Vec<u8>, Problem> {
    gather(body, BODY).await
}

impl LoggingIn {
    pub(super) async fn answer(self, app: &App, parts: &mut Parts, body: Body) -> Result<Response, Problem> {
        let context = <Context as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        let address = map::address(parts.uri.path());
        let address = address.ok_or_else(|| Problem::not_found("the repository was not found"))?;
        match &self.step {
            LoginStep::Password => {
                app.spend_login(context.client)?;
                self.log_in(app, &context, &address, body).await
            }
            LoginStep::Begin => {
                app.spend(Key::Address(context.client), Class::Request)?;
                let (base, key) = (context.base_url(), &address.key);
                let begun = app.registry.invite(key);
                let page = format!("{base}/login/{key}/{}", begun.page);
                Ok(say(self.logins.invite(&page, &format!("{base}/repository/{key}"), begun.name.expose())))
            }
            LoginStep::Ask(name) => {
                app.spend(Key::Address(context.client), Class::Request)?;
                let (format, correlation) = (self.format.key(), context.correlation);
                let minted = app.registry.redeem_login(&address.key, name.expose(), format, correlation).await?;
                Ok(say(minted.map_or_else(|| self.logins.wait(), |minted| self.logins.admit(minted.secret.text()))))
            }
        }
    }

    /// Mints a token for whoever the body names.
    async fn log_in(
        &self,
        app: &App,
        context: &Context,
        address: &map::Address<'_>,
        body: Body,
    ) -> Result<Response, Problem> {
        let login = self.logins.read(&bounded(body).await?);
        let login = login.ok_or_else(|| Problem::bad_request("a login is a name and a token as the password"))?;
        let call = app.registry.call(Some(login.token.expose()), context.correlation).await;
        let call = call.map_err(|error| match error.code() {
            Some(model::Code::Unauthorized) => challenged("the password must be a token that is in force"),
            _ => Problem::from(error),
        })?;
        let readable = call.authorize::<Read>(&address.key).await?;
        if readable.repo().format != self.format.key() {
            return Err(Problem::not_found("the repository speaks another protocol"));
        }
        let minted = call.log_in(self.format.key()).await?;
        Ok(say(self.logins.welcome(minted.subject.as_str(), minted.secret.text())))
    }
}
