//! What a client can ask of a repository, whatever the format.

use model::{Code, EntryPath, NameError, Refusal, Role};

/// The HTTP methods that formats know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Read the head only.
    Head,
    /// Store.
    Put,
    /// Withdraw.
    Delete,
}

/// How a listing is wanted, decided by the request's `Accept` and query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presentation {
    /// `application/json`.
    Json,
    /// `text/html`.
    Html,
}

/// A decoded request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The bytes at a path.
    Fetch(EntryPath),
    /// What is in a folder; `None` is the root.
    List(Option<EntryPath>),
    /// A file to be published at a path.
    Store(EntryPath),
    /// The version at a path to be withdrawn.
    Withdraw(EntryPath),
}

impl Operation {
    /// The role that the operation needs on its repository.
    pub fn role(&self) -> Role {
        match self {
            Self::Fetch(_) | Self::List(_) => Role::Read,
            Self::Store(_) => Role::Write,
            Self::Withdraw(_) => Role::Promote,
        }
    }
}

/// Why a URL is no operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The path is not well-formed.
    #[error("{0}")]
    Path(#[from] NameError),
    /// The percent-encoding is broken or hides something.
    #[error("{0}")]
    Encoding(&'static str),
    /// The format has no such address.
    #[error("there is nothing at this address")]
    Unknown,
    /// The address exists, but not for this method.
    #[error("this method is not possible here; allowed: {0}")]
    Method(&'static str),
}

impl From<ParseError> for Refusal {
    fn from(error: ParseError) -> Self {
        let code = match error {
            ParseError::Unknown => Code::NotFound,
            _ => Code::BadRequest,
        };
        Self::new(code, error.to_string())
    }
}
