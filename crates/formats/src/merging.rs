//! How the members of a virtual repository are put together.

use serde::{Deserialize, Serialize};

use crate::operation::{Operation, PackageAt};
use crate::{Format, Origin};

/// Whose files a package has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Merging {
    /// Those of the first member that knows its name, and of no other.
    Owner,
    /// Those of all members, each file from the first that has it.
    Union,
}

impl dyn Format + '_ {
    /// The package that an operation reads; `None`: it reads none, or a file that belongs to none.
    pub fn package_of(&self, operation: &Operation) -> Option<PackageAt> {
        match operation {
            Operation::Index(at, _)
            | Operation::Part(at, ..)
            | Operation::Newest(at, ..)
            | Operation::Version(at, ..) => Some(at.clone()),
            Operation::Checksum(of, _) => self.package_of(of),
            Operation::Fetch(path) => match self.upstream()?.origin(path)? {
                Origin::Listed(at) => Some(at),
                Origin::Direct(direct) => Some(direct.package),
            },
            _ => None,
        }
    }
}
