//! The door of container clients: their addresses lie under `/v2/`, at the root of the host. Behind it
//! are the verbs of every format.

mod blobs;
mod lists;
mod manifests;
mod presumed;
mod refused;
mod token;
mod uploads;
mod virtuals;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::response::Response;
use formats::oci::{Address, ImageAt, MOMENT_SHAPE, NOBODY, Query, Reference, Step};
use formats::{Answer, Named, ParseError};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use registry::{Access, Call, Caller, Grant, Read};
use serde_json::json;

use self::refused::{About, Refused};
use super::documents::say;
use super::moment;
use crate::app::{App, Asking};
use crate::problem::Problem;

/// What is asked for.
enum Asked {
    /// Whether this is a registry, and whether the credentials are good.
    Ping,
    At(Address),
    /// Nothing that exists.
    Nothing(ParseError),
}

impl Asked {
    fn address(&self) -> Option<&Address> {
        match self {
            Self::At(address) => Some(address),
            Self::Ping | Self::Nothing(_) => None,
        }
    }
}

/// A request for something of an image.
struct Wanted<'r> {
    at: &'r ImageAt,
    query: Query,
    parts: &'r Parts,
}

/// Whether a path is one of container clients.
pub(crate) fn leads_here(path: &str) -> bool {
    path.strip_prefix("/v2").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers everything under `/v2`.
pub(crate) async fn serve(app: App, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let asked = asked(parts.uri.path());
    let nobody = drop_nobody(&mut parts);
    if let Asked::At(Address::Token) = asked {
        return match token::answer(&app, &parts, body).await {
            Ok(response) => response,
            Err(refused) => refused.of_token(),
        };
    }
    if let Some(answer) = presumed::answer(&app, &mut parts, &asked).await {
        return respond(answer, &asked, &parts, nobody);
    }
    let answer = match <Asking as FromRequestParts<App>>::from_request_parts(&mut parts, &app).await {
        Ok(Asking(call)) => match Box::pin(answer(&call, &asked, nobody, &parts, body)).await {
            Err(refused) => Err(refused.weighed(&call, asked.address(), &parts).await),
            answered => answered,
        },
        Err(problem) => Err(problem.into()),
    };
    respond(answer, &asked, &parts, nobody)
}

fn respond(answer: Result<Response, Refused>, asked: &Asked, parts: &Parts, nobody: bool) -> Response {
    let mut response = answer.unwrap_or_else(|refused| refused.respond(asked.address(), parts, nobody));
    // `docker manifest` takes a refusal without it for that of something else.
    if matches!(asked, Asked::Ping) {
        response.headers_mut().insert("docker-distribution-api-version", HeaderValue::from_static("registry/2.0"));
    }
    response
}

fn asked(path: &str) -> Asked {
    match path.strip_prefix("/v2").map(|rest| rest.strip_prefix('/').unwrap_or(rest)) {
        None | Some("") => Asked::Ping,
        Some(rest) => match Address::parse(rest) {
            Ok(address) => Asked::At(address),
            Err(error) => Asked::Nothing(error),
        },
    }
}

/// Takes the token of nobody away: whoever shows it is nobody. Returns whether it was there.
fn drop_nobody(parts: &mut Parts) -> bool {
    let shown = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let nobody = shown
        .and_then(|text| text.split_once(' '))
        .is_some_and(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && token.trim() == NOBODY);
    if nobody {
        parts.headers.remove(header::AUTHORIZATION);
    }
    nobody
}

async fn answer(call: &Call, asked: &Asked, nobody: bool, parts: &Parts, body: Body) -> Result<Response, Refused> {
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    match asked {
        Asked::Ping => {
            only(parts, &[Method::GET, Method::HEAD], "GET, HEAD")?;
            expect_token(call, nobody)?;
            Ok(say(Answer::json(&json!({}))))
        }
        Asked::At(Address::Catalogue) => {
            only(parts, &[Method::GET, Method::HEAD], "GET, HEAD")?;
            expect_token(call, nobody)?;
            let query = query.map_err(malformed)?;
            refused::expect_all_to_read(call, parts).await?;
            lists::catalogue(call, &query).await
        }
        Asked::At(Address::Image(at, step)) => {
            let request = Wanted { at, query: query.map_err(malformed)?, parts };
            match step {
                Step::Tags => lists::tags(call, &request).await,
                Step::Referrers(digest) => lists::referrers(call, &request, digest).await,
                Step::Manifest(reference) => manifests::answer(call, &request, reference, body).await,
                Step::Blob(digest) => blobs::answer(call, &request, digest).await,
                Step::Uploads => uploads::begin(call, &request, body).await,
                Step::Upload(id) => Box::pin(uploads::go_on(call, &request, id, body)).await,
            }
        }
        Asked::At(Address::Token) => Err(Problem::not_found("there is nothing at this address").into()),
        Asked::Nothing(error) => {
            // Who may not know what is here is not told what cannot be here either.
            call.identity()?;
            let problem = match error {
                ParseError::Unknown => Problem::not_found("there is nothing at this address"),
                // Whoever pushes to what can be no name looks first, and would be told by nothing but the number: so they
                // go on and read why.
                _ if parts.method == Method::HEAD => Problem::not_found("there is no such name"),
                other => Problem::bad_request(other.to_string()),
            };
            Err(Refused::about(About::Name, problem))
        }
    }
}

/// Clients show their credentials only to who refuses first; who has none gets the token of nobody.
fn expect_token(call: &Call, nobody: bool) -> Result<(), Problem> {
    match call.caller() {
        Caller::Anonymous if !nobody => Err(Problem::unauthorized("this needs a token")),
        _ => Ok(()),
    }
}

impl Wanted<'_> {
    /// Opens the repository that has the image: of a virtual one, the member that its name belongs to.
    async fn open(&self, call: &Call) -> Result<Grant<Read>, Refused> {
        match self.find(call).await? {
            Some(grant) => Ok(grant),
            None => Err(virtuals::nobody(&self.as_of_then(call).await?, self.at).await?.into()),
        }
    }

    /// The same. `None`: no member that the caller may read has it.
    async fn find(&self, call: &Call) -> Result<Option<Grant<Read>>, Refused> {
        let readable = self.as_of_then(call).await?;
        match readable.is_virtual() {
            true => Ok(virtuals::owner(&readable, self.at).await?),
            false => Ok(Some(readable)),
        }
    }

    /// Opens the repository that takes what is published under the image's name.
    async fn open_to_change<A: Access>(&self, call: &Call) -> Result<Grant<A>, Refused> {
        let readable = self.readable(call).await?;
        if self.at.moment.is_some() {
            return Err(moment::only_reading().into());
        }
        let key = match readable.is_virtual() {
            true => virtuals::target(&readable).await?,
            false => self.at.key.clone(),
        };
        Ok(call.authorize::<A>(&key).await?)
    }

    /// Opens the repository that the address names, as of the moment that it says.
    async fn as_of_then(&self, call: &Call) -> Result<Grant<Read>, Refused> {
        let grant = self.readable(call).await?;
        let Some(moment) = &self.at.moment else { return Ok(grant) };
        let instant = moment::read(&grant, moment.at, &self.parts.method, MOMENT_SHAPE);
        Ok(grant.as_of(Some(instant.map_err(|problem| Refused::about(About::Name, problem))?)))
    }

    async fn readable(&self, call: &Call) -> Result<Grant<Read>, Refused> {
        let unknown = |problem| Refused::about(About::Name, problem);
        let readable = call.authorize::<Read>(&self.at.key).await.map_err(|error| unknown(error.into()))?;
        if readable.repo().format != "oci" {
            let why = format!("the repository {} is not one of images", self.at.key);
            return Err(unknown(Problem::not_found(why)));
        }
        Ok(readable)
    }

    fn package(&self) -> formats::PackageAt {
        formats::PackageAt::named(self.at.name.as_str())
    }
}

/// Refuses other methods than these.
fn only(parts: &Parts, methods: &[Method], allowed: &'static str) -> Result<(), Problem> {
    if methods.contains(&parts.method) { Ok(()) } else { Err(not_possible(allowed)) }
}

fn not_possible(allowed: &'static str) -> Problem {
    Problem::method_not_allowed("this method is not possible here").allow(HeaderValue::from_static(allowed))
}

fn malformed(error: ParseError) -> Refused {
    Problem::bad_request(error.to_string()).into()
}

/// The digest that a client sent.
fn digest(text: &str) -> Result<Named, Refused> {
    text.parse().map_err(|error| {
        let why = format!("{}: {error}", text.escape_debug());
        Refused::about(About::Digest, Problem::bad_request(why))
    })
}

/// The reference that a client sent; `None`: nothing can have it.
fn reference(text: &str) -> Option<Reference> {
    Reference::parse(text)
}

/// An answer without a body.
fn bare(status: StatusCode, headers: Vec<(&'static str, String)>) -> Response {
    say(Answer { status: status.as_u16(), headers, ..Answer::default() })
}
