//! What can go wrong with a call, typed.

use serde::Deserialize;

/// Why a call failed. Neither tokens nor presigned addresses appear in the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The address cannot be used.
    #[error("{0}")]
    Address(String),
    /// The trust store or TLS cannot be set up.
    #[error("{0}")]
    Trust(String),
    /// Nobody answered: the name, the connection or TLS failed. Nothing was sent.
    #[error("cannot reach {origin}: {why}")]
    Connect {
        /// Scheme, host and port.
        origin: String,
        /// The innermost cause.
        why: String,
    },
    /// Nothing moved for as long as we are ready to wait.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// The connection broke, or the answer is not what was promised.
    #[error("{0}")]
    Broken(String),
    /// The server said no.
    #[error("{0}")]
    Problem(Box<Problem>),
}

impl Error {
    /// The server's refusal, if it is one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// The status of the server's refusal, if it is one.
    pub fn status(&self) -> Option<u16> {
        self.problem().map(|problem| problem.status)
    }
}

/// A refusal, from `application/problem+json` or made from the bare status.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The HTTP status.
    #[serde(default)]
    pub status: u16,
    /// The stable machine code.
    #[serde(default)]
    pub code: String,
    /// A sentence about this kind of problem.
    #[serde(default)]
    pub title: String,
    /// A sentence about this very case; may be empty.
    #[serde(default)]
    pub detail: String,
    /// What to quote to whoever runs the server.
    #[serde(default)]
    pub correlation_id: Option<String>,
    /// Who can lift the block, until when, and where to read more.
    #[serde(default)]
    pub explain: Option<serde_json::Value>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.detail.is_empty() { &self.title } else { &self.detail })
    }
}

impl Problem {
    /// From an answer's status, correlation header and (bounded) body; `plain`: the body is text for
    /// people.
    pub(crate) fn read(status: reqwest::StatusCode, correlation: Option<&str>, body: &[u8], plain: bool) -> Self {
        let bare = Self {
            status: 0,
            code: String::new(),
            title: String::new(),
            detail: if plain { String::from_utf8_lossy(body).trim().to_owned() } else { String::new() },
            correlation_id: None,
            explain: None,
        };
        let mut problem: Self = model::json::from_slice(body).unwrap_or(bare);
        problem.status = status.as_u16();
        if problem.code.is_empty() {
            problem.code = code(problem.status).to_owned();
        }
        if problem.title.is_empty() {
            let reason = status.canonical_reason().unwrap_or("refused");
            problem.title = format!("the server answered {} {reason}", problem.status);
        }
        problem.correlation_id = problem.correlation_id.or_else(|| correlation.map(str::to_owned));
        problem
    }
}

/// The code that goes with a status when the body names none (HEAD has no body).
fn code(status: u16) -> &'static str {
    match status {
        400 => "bad_request",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        409 => "conflict",
        410 => "gone",
        412 => "precondition_failed",
        413 => "payload_too_large",
        416 => "invalid_range",
        429 => "too_many_requests",
        503 => "service_unavailable",
        507 => "insufficient_storage",
        _ => "http_error",
    }
}

/// What the chain of causes ends in.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
