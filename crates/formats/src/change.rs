//! What a request changes in what was published: marks, refs, withdrawals.

use model::state::MarkKind;
use model::{RefName, Role};

use crate::operation::PackageAt;

/// One change to one package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which package.
    pub package: PackageAt,
    /// What.
    pub what: What,
}

/// What a change does. Versions go by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Sets a mark with its text, or lifts it.
    Mark {
        /// The version.
        version: String,
        /// Which.
        kind: MarkKind,
        /// What people are told; `None` lifts the mark.
        text: Option<String>,
    },
    /// Points a ref at a version.
    Point {
        /// The ref.
        name: RefName,
        /// The version.
        version: String,
    },
    /// Ends a ref.
    Drop {
        /// The ref.
        name: RefName,
    },
    /// Withdraws a version; it was withdrawn before: fine.
    Withdraw {
        /// The version.
        version: String,
        /// Whether one that was withdrawn before is fine, for clients that ask twice; else it is not there.
        repeated: bool,
    },
    /// Withdraws every published version but these.
    KeepOnly {
        /// The versions that stay.
        versions: Vec<String>,
    },
}

impl Change {
    /// The role that it needs.
    pub fn role(&self) -> Role {
        match self.what {
            What::Mark { .. } | What::Point { .. } | What::Drop { .. } => Role::Write,
            What::Withdraw { .. } | What::KeepOnly { .. } => Role::Promote,
        }
    }
}
