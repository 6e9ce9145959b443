//! The page at which somebody says yes to a login that a client has begun.
//!
//! The token that is typed in is the whole credential, so there is nothing that another site could use in the
//! visitor's name; and the page's address alone fetches nothing.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use model::RepoKey;
use registry::{LoginCode, Read};

use super::escape;
use crate::app::App;
use crate::edge::rate::{Class, Key};
use crate::edge::{Context, Path};
use crate::native::bounded;
use crate::problem::Problem;

const PAGE_POLICY: &str = "default-src 'none'; script-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Repository, end and name of a login.
type Address = (String, String, String);

/// The form.
pub(crate) async fn ask(State(app): State<App>, context: Context, Path(address): Path<Address>) -> Response {
    let shown = app.spend(Key::Address(context.client), Class::Request).and_then(|()| found(&app, &address));
    match shown {
        Ok((key, login)) => form(StatusCode::OK, &key, login, None),
        Err(problem) => refused(&problem),
    }
}

/// What was typed into it.
pub(crate) async fn confirm(
    State(app): State<App>,
    context: Context,
    Path(address): Path<Address>,
    body: Body,
) -> Response {
    let (key, login) = match found(&app, &address) {
        Ok(found) => found,
        Err(problem) => return refused(&problem),
    };
    match say_yes(&app, &context, &key, login, body).await {
        Ok(()) => {
            page(StatusCode::OK, "Logged in", "<p>Done. You can close this page and go back to where you began.</p>\n")
        }
        Err(problem) => form(problem.status(), &key, login, Some(problem.detail())),
    }
}

fn found(app: &App, (key, until, code): &Address) -> Result<(RepoKey, LoginCode), Problem> {
    let key = RepoKey::parse(key).map_err(|_| Problem::not_found("there is no login under this address"))?;
    Ok((key, app.registry.login_at(until, code)?))
}

async fn say_yes(app: &App, context: &Context, key: &RepoKey, login: LoginCode, body: Body) -> Result<(), Problem> {
    app.spend_login(context.client)?;
    let sent = bounded(body).await?;
    let token = form_urlencoded::parse(&sent).find(|(key, _)| key == "token").map(|(_, token)| token);
    let token = token.ok_or_else(|| Problem::bad_request("a token is needed"))?;
    let call = app.registry.call(Some(token.trim()), context.correlation).await?;
    app.admit(&call, context)?;
    let readable = call.authorize::<Read>(key).await?;
    let format = formats::by_key(&readable.repo().format);
    if format.and_then(formats::Format::logins).is_none() {
        return Err(Problem::not_found("clients of this repository do not log in through a browser"));
    }
    Ok(call.confirm_login(&login).await?)
}

fn form(status: StatusCode, key: &RepoKey, login: LoginCode, wrong: Option<&str>) -> Response {
    let wrong =
        wrong.map(|why| format!("<p role=\"alert\"><strong>{}</strong></p>\n", escape(why))).unwrap_or_default();
    let until = login.until().to_seconds();
    let body = format!(
        "<p>A package manager asks to be logged in to the repository <code>{key}</code>. Go on only if you have just \
         asked it to.</p>\n{wrong}<form method=\"post\">\n<p><label for=\"token\">One of your tokens</label>\n\
         <input id=\"token\" name=\"token\" type=\"password\" autocomplete=\"off\" spellcheck=\"false\" \
         maxlength=\"200\" required autofocus></p>\n<p><button type=\"submit\">Log in</button></p>\n</form>\n\
         <p>It gets a token of its own that may do what yours may do and ends with it; <code>npm logout</code> ends it \
         sooner. This page is good until <time>{until}</time>.</p>\n"
    );
    page(status, "Log in", &body)
}

fn refused(problem: &Problem) -> Response {
    page(problem.status(), "Log in", &format!("<p role=\"alert\"><strong>{}</strong></p>\n", escape(problem.detail())))
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title} · Artifortress</title>\
         <link rel=\"stylesheet\" href=\"/assets/page.css\">\
         <link rel=\"icon\" type=\"image/svg+xml\" href=\"/assets/icon.svg\"></head>\n<body><main>\n<h1>{title}</h1>\n\
         {body}</main></body>\n</html>\n"
    );
    let headers: [(HeaderName, HeaderValue); 4] = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (status, headers, html).into_response()
}
