//! What is known of a package: all that its indexes are made of.

use model::{Sha256Digest, Timestamp, VersionId};

/// What an index says before and after its versions.
#[derive(Clone, Debug)]
pub struct Head {
    /// The namespace; empty where the format has none.
    pub namespace: String,
    /// The normalised name.
    pub name: String,
    /// The name as people write it.
    pub display: String,
    /// Raised by every change to what readers see of the package.
    pub generation: u64,
    /// The published versions, in the order of their publishing.
    pub versions: Vec<VersionHead>,
    /// Refs in force: name and the version's name, in the order of the names.
    pub refs: Vec<(String, String)>,
    /// What was asked for by [`crate::Format::around`]: package and ref, in the order of both.
    pub around: Vec<(String, String)>,
}

/// Refs of other packages that an index tells of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Around {
    /// The namespace of the packages.
    pub namespace: String,
    /// What the names of the refs begin with.
    pub refs: &'static str,
}

/// The little that is known of each version without looking into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionHead {
    /// Its id; nil: it is known from an upstream.
    pub id: VersionId,
    /// Its name.
    pub version: String,
    /// When it was published; `None`: an upstream does not tell.
    pub published_at: Option<Timestamp>,
    /// When its youngest file was added.
    pub changed_at: Timestamp,
    /// What people are told of why it was yanked; `None`: it is not.
    pub yanked: Option<String>,
    /// What people are told instead of using it.
    pub deprecated: Option<String>,
    /// Whether it is left out of lists.
    pub unlisted: bool,
}

/// A version with what was published in it.
#[derive(Clone, Debug)]
pub struct VersionFacts {
    /// The rest.
    pub head: VersionHead,
    /// The metadata, JSON, as it was published.
    pub manifest: String,
    /// Its files in the order of their paths.
    pub files: Vec<FileFacts>,
}

/// A file of a version.
#[derive(Clone, Debug)]
pub struct FileFacts {
    /// Its path in the version.
    pub path: String,
    /// The path in the repository under which clients fetch it.
    pub location: String,
    /// Its content; `None`: it is at an upstream that does not tell.
    pub digest: Option<Sha256Digest>,
    /// Its length in bytes; `None`: as above.
    pub size: Option<u64>,
    /// More that the format keeps of it, JSON.
    pub attributes: Option<String>,
    /// When it was added; `None`: as above.
    pub added_at: Option<Timestamp>,
    /// What people are told of why this file alone was yanked.
    pub yanked: Option<String>,
}

/// A package in a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The namespace.
    pub namespace: String,
    /// The normalised name.
    pub name: String,
    /// The name as people write it.
    pub display: String,
    /// Its youngest published version.
    pub version: String,
    /// When that was published, wherever it comes from; `None`: an upstream does not tell.
    pub published_at: Option<Timestamp>,
    /// What lists show of that version's metadata; `None` where the list does not ask for it. See
    /// [`crate::Format::brief`].
    pub brief: Option<String>,
}
