//! Sealing: from then on nothing is added.

use model::{RepoId, VersionId};
use serde_json::json;

use super::{Version, lock};
use crate::args;
use crate::error::Result;
use crate::events::{Act, On, record};
use crate::session::Tx;
use crate::store::Write;

/// Seals a published version. Sealed before: fine.
#[derive(Clone, Debug)]
pub struct SealVersion {
    /// Who and when.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// Which.
    pub version: VersionId,
}

impl Write for SealVersion {
    type Out = Version;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Version> {
        let version = lock(tx, self.repo, self.version).await?;
        version.expect_published()?;
        if version.sealed_at.is_some() {
            return Ok(version);
        }
        tx.execute("UPDATE versions SET sealed_at = $2 WHERE id = $1", args![self.version, self.act.at]).await?;
        let id = self.version.to_string();
        let on = On { repo: Some(self.repo), kind: "version", id: &id };
        record(tx, &self.act, "package.version.sealed", on, &json!({})).await?;
        lock(tx, self.repo, self.version).await
    }
}
