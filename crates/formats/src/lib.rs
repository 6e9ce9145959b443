//! Package formats: what a URL asks for and what names mean. Pure: no input, no output, no HTTP server.
//!
//! A format is one folder and one line in [`by_key`]. Two formats never import each other.

use model::{EntryPath, NameError, PackageName, VersionName};

mod manifest;
mod operation;
pub mod raw;

pub use manifest::required_in_manifest;
pub use operation::{Method, Operation, ParseError, Presentation};

/// What a format knows.
pub trait Format: Send + Sync {
    /// The word that repositories carry.
    fn key(&self) -> &'static str;

    /// Decodes the rest of a URL path (after the repository, still percent-encoded, without its
    /// leading slash) into an operation. The only place that knows URL shapes.
    fn parse(&self, method: Method, rest: &str) -> Result<Operation, ParseError>;

    /// Whether clients add files to a version after it was published. If not, it is sealed at once.
    fn adds_files(&self) -> bool;

    /// Whether packages have a namespace beside their name.
    fn has_namespaces(&self) -> bool;

    /// The normalised form of a package's name: two names with one form are one package.
    fn normalise(&self, name: &PackageName) -> String;

    /// The path in the repository under which clients fetch an entry of a version.
    fn location(&self, package: &PackageName, version: &VersionName, path: &EntryPath) -> Result<EntryPath, NameError>;
}

/// Every format, in alphabetical order.
pub const ALL: [&dyn Format; 1] = [&raw::Raw];

/// The format with this word.
pub fn by_key(key: &str) -> Option<&'static dyn Format> {
    ALL.into_iter().find(|format| format.key() == key)
}
