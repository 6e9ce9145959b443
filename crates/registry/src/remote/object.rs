//! What comes from an upstream and is kept.

use std::fmt;

use formats::{Named, PackageAt};
use model::EntryPath;

use crate::authorize::{Grant, Read};
use crate::error::Result;
use crate::fetch::Found;

/// A thing to be fetched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Object {
    /// The file at a path.
    File(EntryPath),
    /// A version that is named by the digest of its own bytes, which are at a path.
    Version(PackageAt, Named, EntryPath),
    /// A blob that is asked for as one of a package.
    Blob(PackageAt, Named),
}

impl Object {
    /// Under which it is remembered beside questions, none of which begins with a slash.
    pub(super) fn key(&self) -> String {
        match self {
            Self::File(path) | Self::Version(_, _, path) => format!("/{path}"),
            Self::Blob(at, named) => format!("/{}/blobs/{named}", at.name),
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {path}"),
            Self::Version(at, named, _) | Self::Blob(at, named) => write!(f, "{}@{named}", at.name),
        }
    }
}

impl Grant<Read> {
    /// The object, where it is here.
    pub(super) async fn find_object(&self, object: &Object) -> Result<Found> {
        match object {
            Object::File(path) | Object::Version(_, _, path) => self.find(path).await,
            Object::Blob(_, named) => self.find_named(named).await,
        }
    }
}
