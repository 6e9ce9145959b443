//! Refusals as container clients understand them, and the challenge that tells them where tokens are.

use axum::response::Response;
use formats::oci::{Address, ImageAt, Query, challenge, refuse, scope_for};
use formats::{Method, Refused as Told};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use registry::Call;

use super::super::documents::say;
use super::token;
use crate::edge::{Context, Verbatim};
use crate::problem::Problem;

pub(super) use formats::oci::About;

/// A problem, and what it is about where that is not what was asked for.
pub(super) struct Refused {
    problem: Problem,
    about: Option<About>,
    /// Whether the token that was shown was made for less than its owner may do.
    insufficient: bool,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { problem, about: None, insufficient: false }
    }
}

impl From<registry::Error> for Refused {
    fn from(error: registry::Error) -> Self {
        Problem::from(error).into()
    }
}

impl Refused {
    pub(super) fn about(about: About, problem: Problem) -> Self {
        Self { problem, about: Some(about), insufficient: false }
    }

    /// The code of the problem.
    pub(super) fn problem_code(&self) -> Option<crate::problem::Code> {
        Some(self.problem.code())
    }

    /// A token of ours that cannot do what is asked may have been made for less: then the client is told to get another.
    /// One who may not do it at all is not sent in circles.
    pub(super) async fn weighed(mut self, call: &Call, asked: Option<&Address>, parts: &Parts) -> Refused {
        let scope = asked.and_then(|address| scope_for(address, method(&parts.method), None));
        if let Some(scope) = scope
            && self.problem.status() == StatusCode::FORBIDDEN
            && shows_bearer(parts)
        {
            // Where nobody can say so now, it may try.
            self.insufficient = token::could_do_more(call, scope).await.unwrap_or(true);
        }
        self
    }

    /// The answer to a request for what is at an address; `nobody`: the token of nobody was shown.
    pub(super) fn respond(self, asked: Option<&Address>, parts: &Parts, nobody: bool) -> Response {
        let image = match asked {
            Some(Address::Image(at, step)) => Some((at, step)),
            _ => None,
        };
        let writes = matches!(parts.method, http::Method::PUT | http::Method::POST | http::Method::PATCH);
        let about = self.about.clone().or(image.map(|(_, step)| About::of(step, writes)));
        let insufficient = self.insufficient;
        // Who asks for the past knows that there was something: that it is gone is no absence.
        let gone = self.problem.status() == StatusCode::GONE && image.is_some_and(|(at, _)| at.moment.is_some());
        let mut response = self.answer(&about.unwrap_or(About::Name));
        if gone {
            *response.status_mut() = StatusCode::GONE;
        }
        if insufficient {
            *response.status_mut() = StatusCode::UNAUTHORIZED;
        }
        if response.status() == StatusCode::UNAUTHORIZED {
            let base = parts.extensions.get::<Context>().map(Context::base_url).unwrap_or_default();
            let insufficient = insufficient || nobody;
            // Who shows a token is told of the image alone: podman reads one scope there and complains about two, and a
            // source that cannot be read is a miss, never this refusal.
            let from = if insufficient { None } else { from(parts) };
            let scope = asked.and_then(|address| scope_for(address, method(&parts.method), from.as_ref()));
            if let Ok(challenge) = HeaderValue::try_from(challenge(&base, scope.as_deref(), insufficient)) {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
        }
        response
    }

    /// The answer of the address of tokens: there, Basic is the way.
    pub(super) fn of_token(self) -> Response {
        self.answer(&About::Name)
    }

    fn answer(self, about: &About) -> Response {
        let problem = self.problem;
        let told = Told {
            status: problem.status().as_u16(),
            code: problem.code().as_str(),
            detail: problem.detail(),
            reason: problem.reason(),
        };
        let mut response = say(refuse(about, &told));
        for (name, value) in problem.headers() {
            response.headers_mut().append(name, value.clone());
        }
        response.extensions_mut().insert(Verbatim);
        response
    }
}

/// Refuses a list of all images to a token that was made to read less than its owner may: podman asks with one that was
/// made for nothing, and with the right one once it is told.
pub(super) async fn expect_all_to_read(call: &Call, parts: &Parts) -> Result<(), Refused> {
    if !shows_bearer(parts) || call.identity().is_err() || !call.could_read_more().await? {
        return Ok(());
    }
    let problem = Problem::unauthorized("this token was not made for the list of all images");
    Err(Refused { insufficient: true, ..problem.into() })
}

/// The image that a blob is to be taken from: reading there is asked for with the rest, so that one token
/// does for both.
fn from(parts: &Parts) -> Option<ImageAt> {
    let query = Query::parse(parts.uri.query()?).ok()?;
    ImageAt::of(query.mount.and(query.from)?.as_str())
}

fn shows_bearer(parts: &Parts) -> bool {
    let shown = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    shown.and_then(|text| text.split_once(' ')).is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
}

fn method(method: &http::Method) -> Method {
    match *method {
        http::Method::HEAD => Method::Head,
        http::Method::PUT => Method::Put,
        http::Method::POST => Method::Post,
        http::Method::PATCH => Method::Patch,
        http::Method::DELETE => Method::Delete,
        _ => Method::Get,
    }
}
