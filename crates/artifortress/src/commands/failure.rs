//! How a command fails: an exit code, one clear sentence, and what helps to go on.

use outbound::{Error, Problem};

use super::words::in_flags;
use crate::config::ConfigError;
use crate::console::Console;

/// The exit codes; an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It worked.
    Ok,
    /// It did not.
    Failed,
    /// It was asked for in a way that makes no sense.
    Usage,
    /// What was named does not exist, or not any more.
    NotFound,
    /// Who asked may not.
    Denied,
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Denied => 4,
        }
    }
}

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// One clear sentence.
    pub message: String,
    /// Further lines: codes, advice.
    pub more: Vec<String>,
}

impl Failure {
    /// A plain failure.
    pub fn new(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into(), more: Vec::new() }
    }

    /// A command that makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(message) }
    }

    /// Something that does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { exit: Exit::NotFound, ..Self::new(message) }
    }

    /// Adds a line of advice.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.more.push(advice.into());
        self
    }

    /// Puts what it was about in front of the sentence.
    #[must_use]
    pub fn about(mut self, what: impl std::fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Writes it to standard error, the sentence first.
    pub fn tell(&self, console: &Console) {
        console.complain(&format!("artifortress: {}", self.message));
        self.more.iter().for_each(|line| console.complain(&format!("  {line}")));
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::Problem(problem) => from_problem(problem),
            Error::Address(_) => Self::usage(error.to_string()),
            Error::Connect { .. } => {
                let message = error.to_string();
                let advice = if message.contains("CaUsedAsEndEntity") {
                    "the server shows the certificate of an authority (CA:TRUE) as its own: it needs one that is signed by it"
                } else if message.contains("certificate") {
                    "is it the server's own authority that signed its certificate? see --ca-file"
                } else {
                    "is the server running, and is its address right? see --server"
                };
                Self::new(message).advise(advice)
            }
            _ => Self::new(error.to_string()),
        }
    }
}

fn from_problem(problem: &Problem) -> Failure {
    let exit = match problem.status {
        404 | 410 => Exit::NotFound,
        401 | 403 => Exit::Denied,
        _ => Exit::Failed,
    };
    let mut failure = Failure { exit, ..Failure::new(problem.to_string()) };
    let correlation = problem.correlation_id.as_deref().map_or(String::new(), |id| format!(", correlation id {id}"));
    failure.more.push(format!("code {} ({}){correlation}", problem.code, problem.status));
    failure.more.extend(in_flags(&failure.message));
    if let Some(explain) = &problem.explain {
        failure.more.push(format!("explained: {explain}"));
    }
    if problem.status == 401 {
        failure.more.push("log in with `artifortress login`, or set ARTIFORTRESS_TOKEN".to_owned());
    }
    failure
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let more = error.problems.iter().map(ToString::to_string).collect();
        Self { exit: Exit::Usage, message: "the configuration is refused".to_owned(), more }
    }
}
