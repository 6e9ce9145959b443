//! Images and other artifacts of container registries.
//!
//! Source: OCI distribution specification 1.1. Its addresses lie under `/v2/` at the root of the host,
//! the repository's key in front of the image's name. A manifest is a version, named by its digest;
//! its entries are its own bytes and the blobs that it is made of. A tag is a ref.

mod address;
mod answer;
mod lockfile;
mod manifest;
mod name;
mod parts;
mod publish;
mod remote;
mod setup;
mod spelling;
mod token;

use model::{EntryPath, NameError, PackageName, VersionName};

use crate::{Asked, Format, Lockfile, Merging, Operation, PackageAt, ParseError, Place, Setup, Unreadable, Upstream};

pub use address::{Address, ImageAt, MOMENT_SHAPE, Query, Step};
pub use answer::{About, Referrer, catalogue, referrers, refuse, tags, token as token_answer};
pub use lockfile::image;
pub use manifest::{INDEX, Kept, LONGEST, Manifest};
pub use name::{Name, Reference};
pub use publish::{MANIFEST, Push, location};
pub use token::{NOBODY, Right, challenge, rights, scope_for};

/// What is told to who asks for something that cannot be an image's name.
const NAME_RULE: &str = "an image is named repository/name: lower-case letters and digits, with '.', '_', '__' or '-' \
                         between them, in components with '/' between that no file system reserves, 255 characters at \
                         most";

/// The format of images.
#[derive(Clone, Copy, Debug)]
pub struct Oci;

impl Format for Oci {
    fn key(&self) -> &'static str {
        "oci"
    }

    fn parse(&self, _: &Asked<'_>) -> Result<Operation, ParseError> {
        Err(ParseError::Unknown)
    }

    fn normalise(&self, name: &PackageName) -> String {
        name.as_str().to_owned()
    }

    fn location(&self, package: &PackageName, version: &VersionName, path: &EntryPath) -> Result<EntryPath, NameError> {
        EntryPath::parse(&format!("{package}/manifests/{}/{path}", version.as_str().replace(':', "/")))
    }

    fn setups(&self, place: &Place<'_>) -> Vec<Setup> {
        setup::all(place)
    }

    fn is_name(&self, at: &PackageAt) -> bool {
        Name::parse(&at.name).is_some()
    }

    fn names(&self) -> &'static [&'static str] {
        &["tool", "team/tool"]
    }

    fn lockfile(&self, name: &str, bytes: &[u8]) -> Option<Result<Lockfile, Unreadable>> {
        lockfile::read(name, bytes)
    }

    fn upstream(&self) -> Option<&'static dyn Upstream> {
        Some(&Oci)
    }

    fn merging(&self) -> Option<Merging> {
        Some(Merging::Owner)
    }

    /// A tag stands for one image, and an image is whole in one place.
    fn unites(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
