//! What can go wrong, in the terms of the public contract.

use model::{Code, NameError, Refusal};

/// The registry's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The caller may be told; nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A fault of ours. The text is for the log, never for the caller.
    #[error("{0}")]
    Defect(String),
}

impl Error {
    /// A refusal with its code and sentence.
    pub fn refuse(code: Code, detail: impl Into<String>) -> Self {
        Self::Refused(Refusal::new(code, detail))
    }

    /// The same some time later: what was to be waited for has become less, down to `left`.
    pub(crate) fn later(mut self, passed: std::time::Duration, left: std::time::Duration) -> Self {
        if let Self::Refused(refusal) = &mut self {
            let wait = refusal.retry_after.unwrap_or_default().saturating_sub(passed);
            refusal.retry_after = Some(wait.max(left));
        }
        self
    }

    /// Shorthand for 400.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::refuse(Code::BadRequest, detail)
    }

    /// Shorthand for 400 because of a field of the request.
    pub fn bad_field(field: &'static str, detail: impl Into<String>) -> Self {
        Self::Refused(Refusal::new(Code::BadRequest, detail).about(field))
    }

    /// Shorthand for 404.
    pub fn not_found(what: &str) -> Self {
        Self::refuse(Code::NotFound, format!("{what} was not found"))
    }

    /// The code that the caller sees; `None` for a fault of ours (500).
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused(refusal) => Some(refusal.code),
            Self::Defect(_) => None,
        }
    }
}

impl From<NameError> for Error {
    fn from(error: NameError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Refused(refusal) => Self::Refused(refusal),
            store::Error::Full => Self::refuse(Code::InsufficientStorage, "the database has no room left"),
            store::Error::Unavailable(why) | store::Error::Lost(why) => {
                tracing::warn!(why, "the database is not available");
                Self::refuse(Code::ServiceUnavailable, "the database is not available right now: try again")
            }
            store::Error::Unknown => Self::refuse(
                Code::ServiceUnavailable,
                "the connection to the database broke while it committed: look before you try again",
            ),
            store::Error::Poisoned(why) => {
                tracing::error!(why, "writes have stopped after a failed sync");
                Self::refuse(
                    Code::ServiceUnavailable,
                    "writes have stopped after a failed write to disk: the operator must look",
                )
            }
            store::Error::Unseen(unseen) => Self::Defect(format!("a copy of {} was not looked at", unseen.digest)),
            store::Error::Damaged(why) => {
                tracing::error!(why, "the database is damaged");
                Self::refuse(
                    Code::ServiceUnavailable,
                    "the database is damaged: the operator must restore it from a backup",
                )
            }
            store::Error::Defect(why) => Self::Defect(why),
        }
    }
}

impl From<blobs::Error> for Error {
    fn from(error: blobs::Error) -> Self {
        use blobs::Error as Bytes;
        let code = match &error {
            Bytes::Digest { .. } | Bytes::Length { .. } => Code::UploadVerificationFailed,
            Bytes::TooLong { .. } => Code::PayloadTooLarge,
            Bytes::Range { .. } => Code::InvalidRange,
            Bytes::PartNumber { .. } => Code::BadRequest,
            Bytes::Parts(_) => Code::Conflict,
            Bytes::Full => Code::InsufficientStorage,
            Bytes::Busy => Code::ServiceUnavailable,
            Bytes::Io(_) | Bytes::Unavailable(_) | Bytes::Missing | Bytes::Unreadable(_) | Bytes::Damaged { .. } => {
                tracing::warn!(%error, "the blob store failed");
                return Self::refuse(Code::ServiceUnavailable, "the blob store is not available right now: try again");
            }
            Bytes::KeyTaken | Bytes::Broken | Bytes::Config(_) => return Self::Defect(error.to_string()),
        };
        Self::refuse(code, error.to_string())
    }
}
