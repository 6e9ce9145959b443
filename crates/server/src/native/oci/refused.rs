//! Refusals as container clients understand them, and the challenge that tells them where tokens are.

use axum::response::Response;
use formats::oci::{Address, ImageAt, Query, challenge, refuse};
use formats::{Method, Refused as Told};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use model::Reason;

use super::super::documents::say;
use crate::edge::{Context, Verbatim};
use crate::problem::Problem;

pub(super) use formats::oci::About;

/// A problem, and what it is about where that is not what was asked for.
pub(super) struct Refused {
    problem: Problem,
    about: Option<About>,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { problem, about: None }
    }
}

impl From<registry::Error> for Refused {
    fn from(error: registry::Error) -> Self {
        Problem::from(error).into()
    }
}

impl Refused {
    pub(super) fn about(about: About, problem: Problem) -> Self {
        Self { problem, about: Some(about) }
    }

    /// The code of the problem.
    pub(super) fn problem_code(&self) -> Option<crate::problem::Code> {
        Some(self.problem.code())
    }

    /// The answer to a request for what is at an address.
    pub(super) fn respond(self, asked: Option<&Address>, parts: &Parts) -> Response {
        let image = match asked {
            Some(Address::Image(at, step)) => Some((at, step)),
            _ => None,
        };
        let writes = matches!(parts.method, http::Method::PUT | http::Method::POST | http::Method::PATCH);
        let about = self.about.clone().or(image.map(|(_, step)| About::of(step, writes)));
        // A token of ours that cannot do what is asked may have been made for less: the client gets
        // another one, if there is one.
        let forbidden = self.problem.status() == StatusCode::FORBIDDEN;
        let insufficient = forbidden && shows_bearer(parts) && self.problem.reason() != Some(Reason::NotLocal);
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
            let asked = asked.map(|address| (address, method(&parts.method)));
            // Who shows a token is told of the image alone: podman reads one scope there and complains about two, and a
            // source that cannot be read is a miss, never this refusal.
            let from = if insufficient { None } else { from(parts) };
            if let Ok(challenge) = HeaderValue::try_from(challenge(&base, asked, from.as_ref(), insufficient)) {
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
