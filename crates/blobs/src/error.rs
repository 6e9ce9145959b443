//! What can go wrong with bytes, in the distinctions that callers act upon.

use std::ops::Range;

use model::digest::Sha256Digest;
use rustix::io::Errno;

/// The result of an operation on bytes.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation on bytes failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes received are not those that were announced. Nothing was kept.
    #[error("the content has digest sha256:{actual}, not sha256:{expected} as announced")]
    Digest {
        /// What was announced.
        expected: Sha256Digest,
        /// What the bytes have.
        actual: Sha256Digest,
    },
    /// More or fewer bytes were received than announced. Nothing was kept.
    #[error("the content has {actual} bytes, not {expected} as announced")]
    Length {
        /// What was announced.
        expected: u64,
        /// How many bytes came.
        actual: u64,
    },
    /// More bytes came than the writer may take. Nothing was kept.
    #[error("the content is longer than {limit} bytes")]
    TooLong {
        /// The greatest length that was allowed.
        limit: u64,
    },
    /// No copy lives under this key.
    #[error("the copy is missing")]
    Missing,
    /// What lies in the place of the copy gives no bytes: a folder, a link, a part of the medium that is broken.
    #[error("the copy cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// A block of the copy is not what was written, or is cut off. None of it was handed out.
    #[error("block {block} of the copy is damaged")]
    Damaged {
        /// The number of the 1 MiB block, from the start of the blob.
        block: u64,
    },
    /// The wanted range does not lie inside the blob.
    #[error("the range {}..{} does not lie inside {length} bytes", range.start, range.end)]
    Range {
        /// What was asked for.
        range: Range<u64>,
        /// The length of the blob.
        length: u64,
    },
    /// The fresh key turned out to be in use. Nothing was overwritten and nothing was kept.
    #[error("a copy with this key exists already")]
    KeyTaken,
    /// No room is left where the bytes live.
    #[error("no space is left for bytes")]
    Full,
    /// Every read buffer has been in use for a while.
    #[error("all memory for reading is in use")]
    Busy,
    /// This writer failed before; its bytes are gone.
    #[error("the writer has failed before")]
    Broken,
    /// The operating system refused.
    #[error("the bytes cannot be read or written: {0}")]
    Io(#[from] std::io::Error),
    /// The object store did not answer, or not well, after bounded retries.
    #[error("the object store is unavailable: {0}")]
    Unavailable(String),
    /// A part of a direct upload has a number that is out of range or out of order.
    #[error("part {number} is out of range or out of order: parts are numbered from 1 without gaps")]
    PartNumber {
        /// The number.
        number: u32,
    },
    /// The object store does not put these parts of a direct upload together, whoever asks again.
    #[error("{0}")]
    Parts(&'static str),
    /// The configuration of the store is wrong.
    #[error("the blob store is configured wrongly: {0}")]
    Config(String),
}

impl Error {
    /// Whether it says that this copy is not what it was, rather than out of reach for now.
    pub fn condemns(&self) -> bool {
        matches!(self, Self::Digest { .. } | Self::Damaged { .. }) || self.is_absence()
    }

    /// Whether the copy would look so too where the whole store is away: behind a volume that is gone, or a bucket that is
    /// another one.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Missing | Self::Unreadable(_))
    }

    /// What reading said, where it is about the one file that was read.
    pub(crate) fn of_reading(errno: Errno) -> Self {
        match errno {
            Errno::LOOP | Errno::NOTDIR | Errno::ISDIR | Errno::IO | Errno::UCLEAN | Errno::BADMSG => {
                Self::Unreadable(errno.into())
            }
            other => other.into(),
        }
    }
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOSPC | Errno::DQUOT => Self::Full,
            Errno::NOENT => Self::Missing,
            other => Self::Io(other.into()),
        }
    }
}

impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Io(std::io::Error::other(error))
    }
}
