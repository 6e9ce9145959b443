//! Lines of builds: files come under one name again and again, and each is kept under that of a build.

use crate::names::{EntryPath, NameError, VersionName};
use crate::time::Timestamp;

/// The line to which a file belongs whose name does not say of which build it is.
pub trait Line: Send + Sync + std::fmt::Debug {
    /// The namespace of the package, and its normalised name.
    fn package(&self) -> (&str, &str);

    /// Between which names those of the line's builds lie, the second not among them. Others may lie there too.
    fn bounds(&self) -> (String, String);

    /// The same for the builds of the same time as this one: of them, those with longer names are younger.
    fn beside(&self, build: &str) -> (String, String);

    /// Those of these names that are builds of the line, the youngest first.
    fn builds<'n>(&self, names: &[&'n str]) -> Vec<&'n str>;

    /// The name of a build that is begun now, after the youngest that there is.
    fn next(&self, youngest: Option<&str>, now: Timestamp) -> String;

    /// The file as one of this build.
    fn built(&self, build: &str) -> Result<Built, NameError>;
}

/// A file of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The version.
    pub version: VersionName,
    /// The file's path in the version.
    pub path: EntryPath,
    /// Its path in the repository.
    pub location: EntryPath,
    /// The metadata of the version, JSON.
    pub manifest: String,
}
