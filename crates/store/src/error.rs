//! What can go wrong in the store, in the terms that callers act on.

use model::{Code, Reason, Refusal};

/// The store's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the store did not do what was asked. Whatever the variant: nothing was changed, except
/// after [`Error::Unknown`], [`Error::Poisoned`] and [`Error::Damaged`], when the change may turn out to be there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A rule of the domain says no; the caller may be told.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The disk (or the database's own limit) is full.
    #[error("the database has no room left")]
    Full,
    /// The database does not answer, or asks to try again later.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Another transaction won a conflict; begun again, this one may win. The store tries again by itself,
    /// so a write never answers with it.
    #[error("another transaction won: {0}")]
    Lost(String),
    /// The connection broke while the commit was under way: it may or may not have happened.
    #[error("the outcome of a commit is not known")]
    Unknown,
    /// A sync to disk failed: nothing is acknowledged any more until a restart.
    #[error("the database stopped after a failed write to disk: {0}")]
    Poisoned(String),
    /// A copy of bytes that were brought is known, and nobody has looked whether it is there:
    /// [`crate::Store::deposit`] does, so it never answers with it.
    #[error("a copy of {} was not looked at", .0.digest)]
    Unseen(Box<crate::copy::Unseen>),
    /// The database's own pages are not what was written. On SQLite nothing is written any more until a restart; what
    /// is intact is still read.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// A wall was hit (constraint, trigger) or a promise between our own parts was broken.
    #[error("a defect in the store: {0}")]
    Defect(String),
}

impl Error {
    /// A refusal with its code and sentence.
    pub fn refuse(code: Code, detail: impl Into<String>) -> Self {
        Self::Refused(Refusal::new(code, detail))
    }

    /// Shorthand for "it is not there".
    pub fn not_found(what: &str) -> Self {
        Self::refuse(Code::NotFound, format!("{what} was not found"))
    }

    /// Shorthand for "that contradicts what is there".
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::refuse(Code::Conflict, detail)
    }

    /// Shorthand for "that name is taken, for ever".
    pub fn taken(detail: impl Into<String>) -> Self {
        Self::Refused(Refusal::new(Code::Conflict, detail).because(Reason::Taken))
    }

    /// Whether nothing may be written after it until somebody has looked.
    pub(crate) fn ends_writing(&self) -> bool {
        matches!(self, Self::Poisoned(_) | Self::Damaged(_))
    }

    /// Whether the same request may succeed later without being changed.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Lost(_) | Self::Unknown)
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ffi::{ErrorCode, SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC};
        // The whole text of a statement, a script of steps for instance, is no part of what went wrong with it.
        let (cause, why) = match &error {
            rusqlite::Error::SqlInputError { error, msg, .. } => (Some(*error), msg.clone()),
            other => (other.sqlite_error().copied(), other.to_string()),
        };
        let Some(cause) = cause else { return Self::Defect(why) };
        match cause.code {
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::SystemIoFailure
                if matches!(cause.extended_code, SQLITE_IOERR_FSYNC | SQLITE_IOERR_DIR_FSYNC) =>
            {
                Self::Poisoned(why)
            }
            ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly => Self::Unavailable(why),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged(why),
            _ => Self::Defect(why),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(cause) => match cause.code().as_deref() {
                // insufficient_resources: disk_full
                Some("53100") => Self::Full,
                // serialization_failure, deadlock_detected, lock_not_available
                Some("40001" | "40P01" | "55P03") => Self::Lost(error.to_string()),
                // data_corrupted, index_corrupted
                Some("XX001" | "XX002") => Self::Damaged(error.to_string()),
                // read_only_sql_transaction
                Some("25006") => Self::Unavailable(format!("it takes no writes: {}", cause.message())),
                // insufficient_privilege
                Some("42501") => Self::Unavailable(format!("its role lacks a right: {}", cause.message())),
                // invalid_catalog_name
                Some("3D000") => Self::Unavailable(format!("there is none of that name: {}", cause.message())),
                // invalid_authorization_specification, invalid_password
                Some("28000" | "28P01") => Self::Unavailable(format!("it refuses the login: {}", cause.message())),
                // connection, resources, operator intervention, other rollbacks
                Some(code)
                    if code.starts_with("08")
                        || code.starts_with("53")
                        || code.starts_with("57")
                        || code.starts_with("40") =>
                {
                    Self::Unavailable(error.to_string())
                }
                _ => Self::Defect(error.to_string()),
            },
            sqlx::Error::PoolTimedOut => {
                Self::Unavailable("no connection could be had: does it run, is its address right?".to_owned())
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error.to_string()),
            _ => Self::Defect(error.to_string()),
        }
    }
}
