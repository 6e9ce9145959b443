//! Publishing and sealing.

use model::VersionId;
use store::versions::{PublishVersion, PublishedVersion, SealLater, SealVersion, Version};

use super::draft::format_of;
use crate::authorize::{Grant, Write};
use crate::error::Result;
use crate::repositories::RepoSettings;

impl Grant<Write> {
    /// Publishes a draft: from the next request on, everybody who may read sees all of it. Published
    /// before: answered again. 409 without entries or manifest, when bytes have no good copy left,
    /// or when a path is taken.
    pub async fn publish_version(&self, id: VersionId) -> Result<PublishedVersion> {
        self.expect_takes_drafts()?;
        let act = self.act();
        let later = act.at.plus(self.settings().seal_after);
        let write = PublishVersion {
            repo: self.repo_id(),
            version: id,
            overwrite: RepoSettings::of(self.repo())?.allow_overwrite,
            seal: format_of(self.repo())?.adds_files().then(|| SealLater { job: self.ambient().id(), at: later }),
            limits: self.settings().limits,
            act,
        };
        Ok(self.store().write(write).await?)
    }

    /// Says that nothing is added to a published version any more. Sealed before: fine.
    pub async fn seal_version(&self, id: VersionId) -> Result<Version> {
        Ok(self.store().write(SealVersion { act: self.act(), repo: self.repo_id(), version: id }).await?)
    }
}
