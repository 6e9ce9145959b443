//! Beginning a version.

use model::state::VersionState;
use model::{PackageId, RepoId, VersionId, VersionName};
use serde_json::json;

use super::{Version, at};
use crate::args;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::packages::{self, Coordinate};
use crate::repositories;
use crate::session::Tx;
use crate::store::Write;

/// Begins a version as a draft, or finds the draft that was begun before. 409 once it was published
/// or withdrawn: a coordinate is never reused.
#[derive(Clone, Debug)]
pub struct CreateDraft {
    /// Who and when.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// The package.
    pub package: Coordinate,
    /// The package's id when it is new.
    pub new_package: PackageId,
    /// The version's id when it is new.
    pub id: VersionId,
    /// Its name.
    pub version: VersionName,
}

/// A draft.
#[derive(Clone, Debug)]
pub struct Drafted {
    /// The draft.
    pub version: Version,
    /// Whether it existed before.
    pub reused: bool,
}

impl Write for CreateDraft {
    type Out = Drafted;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Drafted> {
        let act = &self.act;
        repositories::expect_living(tx, self.repo).await?;
        let package = packages::ensure(tx, self.repo, &self.package, self.new_package, act.at).await?;
        let sql = "INSERT INTO versions (id, repo_id, package_id, version, state, created_by, created_at)
             VALUES ($1, $2, $3, $4, 'draft', $5, $6) ON CONFLICT DO NOTHING";
        let args = args![self.id, self.repo, package, self.version, act.actor, act.at];
        let reused = tx.execute(sql, args).await? == 0;
        let (namespace, name) = (&self.package.namespace, &self.package.name);
        let version = at(tx, self.repo, namespace, name, self.version.as_str()).await?;
        let version = version.ok_or_else(|| Error::Defect("a draft vanished".to_owned()))?;
        if version.state == VersionState::Published {
            let why = format!("{version} is published already and never changes: other files need another version");
            return Err(Error::conflict(why));
        }
        if version.state != VersionState::Draft {
            return Err(Error::conflict(format!("{version} is {}: its name is never used again", version.state)));
        }
        let action = if reused { "package.version.draft.reused" } else { "package.version.draft.created" };
        let id = version.id.to_string();
        let detail = json!({"packageName": self.package.name, "version": self.version});
        record(tx, act, action, On { repo: Some(self.repo), kind: "version", id: &id }, &detail).await?;
        Ok(Drafted { version, reused })
    }
}
