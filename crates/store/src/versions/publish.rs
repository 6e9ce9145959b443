//! Publishing a draft: everything appears together or not at all.

use model::state::VersionState;
use model::{JobId, RepoId, Timestamp, VersionId};
use serde_json::json;

use super::{Version, lock};
use crate::admission::{self, Allowance, Limits};
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::jobs::{self, NewJob};
use crate::session::Tx;
use crate::store::Write;
use crate::{args, locations, packages};

/// The kind of the job that seals a version. Its payload: `{"repoId", "versionId"}`.
pub const SEAL: &str = "version.seal";

/// Publishes a draft. Published before: answered again.
#[derive(Clone, Debug)]
pub struct PublishVersion {
    /// Who and when.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// The draft.
    pub version: VersionId,
    /// Whether its paths may be taken over from earlier versions of the same package.
    pub overwrite: bool,
    /// When it is sealed; `None`: at once.
    pub seal: Option<SealLater>,
    /// The limits to use where the tenant has none of its own.
    pub limits: Limits,
}

/// The job that seals a version whose files come one by one.
#[derive(Clone, Copy, Debug)]
pub struct SealLater {
    /// The job's id.
    pub job: JobId,
    /// When.
    pub at: Timestamp,
}

/// A published version.
#[derive(Clone, Debug)]
pub struct PublishedVersion {
    /// The version.
    pub version: Version,
    /// Whether it was published before.
    pub idempotent: bool,
}

impl Write for PublishVersion {
    type Out = PublishedVersion;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<PublishedVersion> {
        let version = lock(tx, self.repo, self.version).await?;
        if version.state == VersionState::Published {
            return Ok(PublishedVersion { version, idempotent: true });
        }
        version.expect_draft()?;
        if self.overwrite {
            // Whoever takes a path over locks the package first, as a native upload does.
            packages::lock(tx, version.package).await?;
        }
        let entries = self.check(tx, &version).await?;
        self.publish(tx).await?;
        locations::occupy_all(tx, version.id, entries, self.overwrite).await?;
        schedule_seal(tx, &self.act, self.repo, self.version, self.seal).await?;
        self.charge(tx).await?;
        let id = self.version.to_string();
        let detail = json!({"packageName": version.at.name, "version": version.version, "entries": entries});
        let on = On { repo: Some(self.repo), kind: "version", id: &id };
        record(tx, &self.act, "package.version.published", on, &detail).await?;
        packages::raise(tx, version.package).await?;
        Ok(PublishedVersion { version: lock(tx, self.repo, self.version).await?, idempotent: false })
    }
}

impl PublishVersion {
    /// Everything is there: entries with good bytes, a manifest. Returns how many entries.
    async fn check(&self, tx: &mut Tx<'_>, version: &Version) -> Result<u64> {
        let sql = "SELECT (SELECT count(*) FROM entries WHERE version_id = $1),
             (SELECT count(*) FROM manifests WHERE version_id = $1)";
        let row = tx.row(sql, args![self.version]).await?.ok_or_else(|| Error::Defect("no counts".to_owned()))?;
        let (entries, manifests): (u64, u64) = (row.get(0)?, row.get(1)?);
        if entries == 0 {
            return Err(Error::conflict(format!("{version} has no entries yet")));
        }
        if manifests == 0 {
            return Err(Error::conflict(format!("{version} has no manifest yet")));
        }
        let sql = "SELECT location FROM entries WHERE version_id = $1 GROUP BY location HAVING count(*) > 1 LIMIT 1";
        if let Some(row) = tx.row(sql, args![self.version]).await? {
            let location: String = row.get(0)?;
            return Err(Error::conflict(format!("{version} has two entries at {location}")));
        }
        let sql = "SELECT e.path FROM entries e WHERE e.version_id = $1
             AND NOT EXISTS (SELECT 1 FROM copies c WHERE c.digest = e.digest AND c.state = 'good') ORDER BY e.path LIMIT 1";
        match tx.row(sql, args![self.version]).await? {
            None => Ok(entries),
            Some(row) => {
                let path: String = row.get(0)?;
                Err(Error::conflict(format!("the bytes of {path} have no good copy left: upload them again")))
            }
        }
    }

    async fn publish(&self, tx: &mut Tx<'_>) -> Result<()> {
        let act = &self.act;
        let sql = "UPDATE entries SET added_at = $2, added_event = $3 WHERE version_id = $1";
        tx.execute(sql, args![self.version, act.at, act.event]).await?;
        let sealed = self.seal.is_none().then_some(act.at);
        let sql = "UPDATE versions SET state = 'published', published_by = $2, published_at = $3, published_event = $4,
             sealed_at = $5 WHERE id = $1";
        tx.execute(sql, args![self.version, act.actor, act.at, act.event, sealed]).await.map(drop)
    }

    /// From now on the version holds what its entries and its manifest's blob need of the bytes allowance,
    /// not the pins.
    async fn charge(&self, tx: &mut Tx<'_>) -> Result<()> {
        let sql = "DELETE FROM pins WHERE repo_id = $1 AND digest IN (SELECT digest FROM entries WHERE version_id = $2
                UNION ALL SELECT blob_digest FROM manifests WHERE version_id = $2 AND blob_digest IS NOT NULL)
             RETURNING charged";
        let mut held: u64 = 0;
        for row in tx.rows(sql, args![self.repo, self.version]).await? {
            held += row.get::<u64>(0)?;
        }
        let sql = "SELECT CAST((SELECT coalesce(sum(size), 0) FROM entries WHERE version_id = $1)
             + (SELECT coalesce(sum(b.length), 0) FROM manifests m JOIN blobs b ON b.digest = m.blob_digest
                WHERE m.version_id = $1) AS BIGINT)";
        let row = tx.row(sql, args![self.version]).await?.ok_or_else(|| Error::Defect("no sum".to_owned()))?;
        let (needed, tenant): (u64, _) = (row.get(0)?, self.act.tenant);
        if held > needed {
            return admission::give_back(tx, tenant, Allowance::Bytes, held - needed).await;
        }
        let spread = self.act.event.0.as_u128();
        admission::take(tx, tenant, Allowance::Bytes, needed - held, &self.limits, spread).await
    }
}

/// Enqueues the job that seals a version, where it is not sealed at once.
pub(crate) async fn schedule_seal(
    tx: &mut Tx<'_>,
    act: &Act,
    repo: RepoId,
    version: VersionId,
    seal: Option<SealLater>,
) -> Result<()> {
    let Some(seal) = seal else { return Ok(()) };
    let job = NewJob {
        id: seal.job,
        tenant: act.tenant,
        kind: SEAL,
        dedupe: version.to_string(),
        payload: json!({"repoId": repo, "versionId": version}).to_string(),
        run_at: seal.at,
    };
    jobs::enqueue(tx, &job, act.at).await.map(drop)
}
