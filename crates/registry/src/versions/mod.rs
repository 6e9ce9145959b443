//! Versions: put together as drafts, published, marked, withdrawn, read back.

mod draft;
mod look;
mod mark;
mod packages;
mod publish;
mod refs;
mod search;
mod shelf;
mod withdraw;

use model::state::VersionState;
use model::{Code, Role, VersionId};
use store::versions::Version;

use crate::authorize::Grant;
use crate::error::{Error, Result};

pub(crate) use draft::format_of;
pub use draft::{DeclaredEntry, NewDraft};
pub use look::VersionView;
pub use packages::Listed;
pub use search::{Found as SearchFound, Query as SearchQuery, SearchCursor};
pub use shelf::OnShelf;

impl<A> Grant<A> {
    /// Whether the caller may know of drafts.
    pub(crate) fn sees_drafts(&self) -> bool {
        self.call().may(self.repo(), Role::Write) || self.call().may(self.repo(), Role::Promote)
    }

    /// The version with this id; 404 also for a draft that the caller may not know of.
    pub(crate) async fn find_version(&self, id: VersionId) -> Result<Version> {
        let repo = self.repo_id();
        let found = self.store().read(async |session| store::versions::find(session, repo, id).await).await?;
        found.filter(|version| self.shows(version)).ok_or_else(|| Error::not_found("the version"))
    }

    pub(crate) fn shows(&self, version: &Version) -> bool {
        version.published_at.is_some() || self.sees_drafts()
    }
}

/// Refuses with 410 what was withdrawn.
pub(crate) fn expect_not_gone(version: &Version) -> Result<()> {
    match version.state {
        VersionState::Draft | VersionState::Published => Ok(()),
        VersionState::Tombstoned => Err(Error::refuse(Code::Gone, format!("{version} was withdrawn"))),
        VersionState::Collected => Err(Error::refuse(Code::Gone, format!("{version} is gone for good"))),
    }
}
