//! The caller's tokens, as a package manager's own commands list, make and end them: the same tokens, rights and
//! journal as at `/v1/auth/pats`.

use axum::body::Body;
use axum::response::Response;
use formats::{Format, TokenDeed, TokenLine};
use http::request::Parts;
use model::Scope;
use registry::{Grant, Read, TokenInfo};

use super::documents::say;
use super::login::bounded;
use crate::app::App;
use crate::edge::Context;
use crate::problem::Problem;

/// Tokens in a list.
const PAGE: u32 = 100;

/// A token with what it may do, apart from why.
struct Shown(TokenInfo, Vec<Scope>);

impl Shown {
    fn line(&self) -> TokenLine<'_> {
        let Self(token, scopes) = self;
        let (created_at, expires_at) = (token.created_at, token.expires_at);
        TokenLine { id: token.id, name: &token.name, scopes, created_at, expires_at }
    }
}

pub(super) async fn answer(
    app: &App,
    readable: &Grant<Read>,
    format: &dyn Format,
    deed: TokenDeed,
    parts: &Parts,
    body: Body,
) -> Result<Response, Problem> {
    let call = readable.call();
    let tokens = format.tokens().ok_or_else(|| Problem::internal_error("a format that manages no tokens does"))?;
    match deed {
        TokenDeed::List(after) => {
            let mut found = call.living_tokens(after, PAGE + 1).await?;
            let more = found.len() > PAGE as usize;
            found.truncate(PAGE as usize);
            let scopes = |token: &TokenInfo| token.scopes.iter().map(|held| held.scope.clone()).collect();
            let found: Vec<_> = found.into_iter().map(|token| (scopes(&token), token)).collect();
            let shown: Vec<_> = found.into_iter().map(|(scopes, token)| Shown(token, scopes)).collect();
            let lines: Vec<_> = shown.iter().map(Shown::line).collect();
            Ok(say(tokens.list(&lines, more)))
        }
        TokenDeed::Make => {
            let context = parts.extensions.get::<Context>();
            let context =
                context.ok_or_else(|| Problem::internal_error("the request did not come through the edge"))?;
            call.identity()?;
            app.spend_login(context.client)?;
            let wanted = tokens.wanted(&bounded(body).await?).map_err(registry::Error::from)?;
            // The body may have taken its time.
            call.expect_unchanged().await?;
            let made = call.make_token(&readable.repo().key, &wanted).await?;
            let (id, created_at, expires_at) = (made.id, made.created_at, made.expires_at);
            let line = TokenLine { id, name: &made.name, scopes: &made.scopes, created_at, expires_at };
            Ok(say(tokens.made(&line, made.secret.text())))
        }
        TokenDeed::End(named, said) => {
            call.end_token(named.expose()).await?;
            Ok(say(said))
        }
    }
}
