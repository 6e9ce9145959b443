//! A copy of a blob, as the store speaks of it.

use model::state::CopyKind;
use model::{CopyId, Sha256Digest};

/// A copy as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Its id.
    pub id: CopyId,
    /// File, object, pack or inline.
    pub kind: CopyKind,
    /// The key in the blob store; for inline copies the copy's own id.
    pub place: String,
    /// Where in that place the blob begins.
    pub start: u64,
    /// A checksum per MiB.
    pub sums: Vec<u8>,
    /// The bytes, for inline copies.
    pub bytes: Option<Vec<u8>>,
}

/// A copy that would make what a client has needless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// The blob.
    pub digest: Sha256Digest,
    /// Its length in bytes.
    pub length: u64,
    /// The copy: good by its row.
    pub copy: Copy,
}
