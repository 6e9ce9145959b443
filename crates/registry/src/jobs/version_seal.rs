//! A version whose files came one by one takes no more after a while. The job is made by the
//! transaction that publishes the version.

use model::{Code, RepoId, VersionId};
use serde::{Deserialize, Serialize};
use store::versions::SealVersion;

use super::Job;
use crate::error::Result;
use crate::registry::Registry;

/// Seals one version.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VersionSeal {
    /// Where.
    repo_id: RepoId,
    /// Which.
    version_id: VersionId,
}

impl Job for VersionSeal {
    const KIND: &'static str = "version.seal";

    /// A version that was withdrawn takes no entries anyway.
    async fn run(&self, registry: &Registry) -> Result<()> {
        let write = SealVersion { act: registry.act(), repo: self.repo_id, version: self.version_id };
        match registry.store().write(write).await {
            Ok(_) => Ok(()),
            Err(store::Error::Refused(why)) if matches!(why.code, Code::Gone | Code::NotFound) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
