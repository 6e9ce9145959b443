//! A refusal in the shape that the client shows its user.

use axum::response::{IntoResponse, Response};
use formats::{Format, Refused as Told};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use hyper::ext::ReasonPhrase;

use super::documents::say;
use super::text;
use crate::edge::Context;
use crate::problem::Problem;

/// Longer sentences are cut: a status line is short.
const REASON: usize = 200;

/// A problem, and the format of the repository where the caller may know it.
pub(super) struct Refused {
    pub(super) problem: Problem,
    pub(super) format: Option<&'static dyn Format>,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { problem, format: None }
    }
}

impl Refused {
    /// The answer. Who may not know of the repository is answered by the client's own name alone, so
    /// that a hidden repository and none look the same.
    pub(super) fn respond(self, parts: &Parts) -> Response {
        let client = formats::by_client(text(parts, &header::USER_AGENT).unwrap_or_default());
        let Some(format) = self.format.or(client) else { return self.problem.into_response() };
        let problem = self.offer(client, parts);
        let reason = if format.tells_by_reason() { reason(problem.detail()) } else { None };
        let told = Told {
            status: problem.status().as_u16(),
            code: problem.code().as_str(),
            detail: problem.detail(),
            reason: problem.reason(),
        };
        let Some(answer) = format.refuse(&told) else {
            return with(problem.into_response(), reason);
        };
        let status = StatusCode::from_u16(answer.status).unwrap_or(problem.status());
        let mut response = say(answer);
        *response.status_mut() = status;
        for (name, value) in problem.headers() {
            response.headers_mut().append(name, value.clone());
        }
        with(response, reason)
    }

    /// Adds the challenge that the client's protocol knows to a 401.
    fn offer(self, client: Option<&'static dyn Format>, parts: &Parts) -> Problem {
        let base = parts.extensions.get::<Context>().map(Context::base_url).unwrap_or_default();
        let challenge = client.and_then(|format| format.challenge(&base));
        match challenge.and_then(|challenge| HeaderValue::try_from(challenge).ok()) {
            Some(challenge) if self.problem.status() == StatusCode::UNAUTHORIZED => self.problem.challenge(challenge),
            _ => self.problem,
        }
    }
}

/// A sentence as a reason phrase: what HTTP/1.1 cannot carry there is a question mark.
fn reason(detail: &str) -> Option<ReasonPhrase> {
    let plain = detail.chars().take(REASON).map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' });
    ReasonPhrase::try_from(plain.collect::<String>()).ok()
}

fn with(mut response: Response, reason: Option<ReasonPhrase>) -> Response {
    if let Some(reason) = reason {
        response.extensions_mut().insert(reason);
    }
    response
}
