//! Taking a body in: a push decoder with constant memory, then a look at the staged files that says
//! what is to be published.
//!
//! `push` is called with the body as it comes and hands file bytes on; once the body has ended and its
//! files are staged and verified, `plan` reads what it needs from them. It may block and runs off the
//! async workers.

use std::io::{Read, Seek};
use std::sync::Arc;

use bytes::Bytes;
use model::line::Line;
use model::{EntryPath, RefName, Refusal, Sha256Digest, VersionName};

use crate::change::Change;
use crate::checksum::Claim;
use crate::content::Named;
use crate::operation::PackageAt;
use crate::say::Answer;

/// One body, being taken in.
pub trait Intake: Send + Sync + std::fmt::Debug {
    /// Takes the next bytes of the body. What belongs to a file goes to `out`. After an error the body
    /// is not read on.
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Piece>) -> Result<(), Refusal>;

    /// The body has ended. What is still held back goes to `out`; a body that stops short is refused.
    fn end(&mut self, out: &mut Vec<Piece>) -> Result<(), Refusal>;

    /// What the body says of a file that is here already, once it has ended: refused with 422 where that
    /// is wrong, with 409 where there is no such file.
    fn claim(&self) -> Option<Claim> {
        None
    }

    /// The version to which the body belongs, where the address says so: while it comes, a version that is
    /// being gathered waits.
    fn belongs_to(&self) -> Option<(&PackageAt, &str)> {
        None
    }

    /// The line to which the body belongs, where the address does not say to which build. Its claim is then of a file of any
    /// of them. Its release has one file, and the names of that and of the version give way to those of the build.
    fn line(&self) -> Option<Arc<dyn Line>> {
        None
    }

    /// What is to be done. `files`: those that were begun, in their order.
    fn plan(self: Box<Self>, files: &mut [StagedFile]) -> Result<Plan, Refusal>;
}

/// What a decoder finds in a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// A file begins.
    Begin(NewFile),
    /// Its next bytes.
    Bytes(Bytes),
    /// It has ended.
    End,
}

/// A file that begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewFile {
    /// Which digests are wanted beside SHA-256.
    pub sums: Wanted,
    /// The digest that was announced: refused when it is another.
    pub sha256: Option<Sha256Digest>,
    /// The length that was announced: refused when it is another.
    pub length: Option<u64>,
}

/// Digests to be computed while receiving.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// MD5.
    pub md5: bool,
    /// SHA-1.
    pub sha1: bool,
    /// SHA-512.
    pub sha512: bool,
    /// BLAKE2b with 256 bits.
    pub blake2: bool,
}

/// What was computed; those that were not wanted are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// MD5.
    pub md5: Option<[u8; 16]>,
    /// SHA-1.
    pub sha1: Option<[u8; 20]>,
    /// SHA-512.
    pub sha512: Option<[u8; 64]>,
    /// BLAKE2b with 256 bits.
    pub blake2: Option<[u8; 32]>,
}

/// Something to read from at any place.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// A file that was received, verified and staged. Reading it blocks.
pub struct StagedFile {
    /// Its length in bytes.
    pub length: u64,
    /// Its name in the store.
    pub sha256: Sha256Digest,
    /// Its other digests.
    pub sums: Sums,
    /// Its bytes.
    pub bytes: Box<dyn ReadSeek>,
}

/// What a request does, all of it or nothing.
#[derive(Debug, Default)]
pub struct Plan {
    /// Something to publish.
    pub release: Option<Release>,
    /// Changes to what was published before.
    pub changes: Vec<Change>,
    /// The package whose versions, those that the caller is deploying, are complete and appear now.
    pub completes: Option<PackageAt>,
    /// The state that they were made from; 409 when it is another by now.
    pub seen: Option<Seen>,
    /// What the client is told then.
    pub answer: Answer,
}

/// The state of a package that a client has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which package.
    pub package: PackageAt,
    /// Its generation: [`crate::Head::generation`].
    pub state: u64,
}

/// A version to be published, or files to join one.
#[derive(Clone, Debug)]
pub struct Release {
    /// The package.
    pub package: PackageAt,
    /// The package's name as people write it.
    pub display: String,
    /// Whether a package that is known under another spelling of the name is refused.
    pub exact_name: bool,
    /// The version.
    pub version: VersionName,
    /// Its files; each path and each location once.
    pub files: Vec<ReleaseFile>,
    /// The metadata, JSON: insert-only like the rest. Taken with the first files of a version.
    pub manifest: String,
    /// Refs that point at the version from now on.
    pub refs: Vec<RefName>,
    /// Whether files may join a version that is published and not sealed.
    pub joins: bool,
    /// The name of the version that this one belongs to; that need not exist.
    pub subject: Option<String>,
    /// Whether the same version may come again, also one that was withdrawn: its name is the digest of
    /// what it is.
    pub again: bool,
}

/// A file of a release.
#[derive(Clone, Debug)]
pub struct ReleaseFile {
    /// Its path in the version.
    pub path: EntryPath,
    /// The path in the repository under which clients fetch it.
    pub location: EntryPath,
    /// Its bytes.
    pub source: Source,
    /// Its media type.
    pub media_type: Option<String>,
    /// More that the format keeps of it, JSON.
    pub attributes: Option<String>,
}

/// Where the bytes of a file come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A staged file, by its number.
    Staged(usize),
    /// Made while the package was looked at: in memory, so bounded by whoever made it.
    Derived(Vec<u8>),
    /// Uploaded to the repository before, or published there. What is not there is refused with 404,
    /// or left out where it is not required; another length with 422.
    Held {
        /// The content.
        content: Named,
        /// Its length in bytes.
        size: u64,
        /// Whether it must be there.
        required: bool,
    },
}
