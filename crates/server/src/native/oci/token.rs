//! Tokens: credentials are exchanged for a token that lives for a while and can do no more than they can.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use formats::oci::{NOBODY, Right, rights, token_answer};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, header};
use model::{Scope, ScopeRepo};
use registry::Call;

use super::super::bounded;
use super::super::documents::say;
use super::{Refused, not_possible};
use crate::app::{App, presented_token};
use crate::edge::Context;
use crate::edge::rate::{Class, Key};
use crate::problem::Problem;

/// How long a token lives: longer than an upload or download usually takes.
const LIFE: Duration = Duration::from_secs(3600);

pub(super) async fn answer(app: &App, parts: &Parts, body: Body) -> Result<Response, Refused> {
    let context = parts.extensions.get::<Context>();
    let context = context.ok_or_else(|| Problem::internal_error("the request did not come through the edge"))?;
    // Who shows no token pays before the body is read, and gets it back for credentials in the form.
    let (address, shows) = (Key::Address(context.client), matches!(presented_token(&parts.headers), Ok(Some(_))));
    if !shows {
        app.spend(address, Class::Request)?;
    }
    let form = match parts.method {
        Method::GET | Method::HEAD => Form::of(parts.uri.query().unwrap_or_default().as_bytes()),
        Method::POST => Form::of(&bounded(body).await?),
        _ => return Err(not_possible("GET, POST").into()),
    };
    let headers = form.credentials(parts)?;
    if !headers.contains_key(header::AUTHORIZATION) {
        let issued = app.registry.ambient().now().to_seconds();
        return Ok(fresh(say(token_answer(NOBODY, LIFE.as_secs(), &issued))));
    }
    if !shows {
        app.limiter.refund(address, Class::Request);
    }
    let call = app.begin(&headers, context).await?;
    let minted = call.mint_for_a_while(wanted(&call, &form.scopes).await?, LIFE, "container client").await?;
    let now = app.registry.ambient().now();
    let seconds = minted.expires_at.since(now).as_secs();
    Ok(fresh(say(token_answer(minted.secret.text(), seconds, &now.to_seconds()))))
}

/// Whether a token of the caller's own that is asked for with this scope could do more than the one that is shown.
pub(super) async fn could_do_more(call: &Call, scope: String) -> Result<bool, Problem> {
    Ok(call.could_mint_more(&wanted(call, &[scope]).await?).await?)
}

fn fresh(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What is asked for, in our own scopes.
async fn wanted(call: &Call, scopes: &[String]) -> Result<Vec<Scope>, Problem> {
    let mut wanted = Vec::new();
    for right in rights(scopes.iter().map(String::as_str)) {
        match right {
            Right::On(key, role) => {
                wanted.extend(call.scopes_through(&key, role).await?);
                wanted.push(Scope::Repo(ScopeRepo::One(key), role));
            }
            Right::Catalogue => wanted.extend(call.identity()?.reading()),
        }
    }
    Ok(wanted)
}

/// What a client sends beside its header: a query, or the form of the OAuth2 variant.
#[derive(Default)]
struct Form {
    scopes: Vec<String>,
    password: Option<String>,
}

impl Form {
    fn of(text: &[u8]) -> Self {
        let mut form = Self::default();
        for (key, value) in form_urlencoded::parse(text) {
            match key.as_ref() {
                "scope" => form.scopes.push(value.into_owned()),
                "password" | "refresh_token" if !value.is_empty() => form.password = Some(value.into_owned()),
                _ => {}
            }
        }
        form
    }

    /// The headers with the credentials, wherever they came.
    fn credentials(&self, parts: &Parts) -> Result<HeaderMap, Problem> {
        let mut headers = HeaderMap::new();
        // All of them: two are refused.
        for shown in parts.headers.get_all(header::AUTHORIZATION) {
            headers.append(header::AUTHORIZATION, shown.clone());
        }
        if !headers.is_empty() {
            return Ok(headers);
        }
        if let Some(password) = self.password.as_ref().filter(|_| parts.method == Method::POST) {
            let mut value = HeaderValue::try_from(format!("Bearer {password}"))
                .map_err(|_| Problem::bad_request("the password is not one of ours"))?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        Ok(headers)
    }
}
