//! A version whose files are gathered appears by itself when nothing has come for a while. The job is made by the
//! transaction that begins the version; where something has come meanwhile, it plans the next look.

use model::{Code, RepoId, VersionId};
use serde::{Deserialize, Serialize};

use super::Job;
use crate::error::{Error, Result};
use crate::registry::Registry;

/// Looks at one deployment.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentAppear {
    /// Where.
    repo_id: RepoId,
    /// Which.
    version_id: VersionId,
}

impl Job for DeploymentAppear {
    const KIND: &'static str = store::deployments::APPEAR;

    async fn run(&self, registry: &Registry) -> Result<()> {
        match registry.appear(registry.act(), (self.repo_id, self.version_id), true).await {
            Err(Error::Refused(why)) if why.code == Code::NotFound => Ok(()),
            looked => looked.map(drop),
        }
    }
}
