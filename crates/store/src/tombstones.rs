//! Tombstones: a version is withdrawn, kept for a while, and restored if need be.

use model::state::VersionState;
use model::{Code, EventId, RepoId, Timestamp, TombstoneId, VersionId};
use serde_json::json;

use crate::args;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::versions::Version;
use crate::{packages, versions};

/// A tombstone in force.
#[derive(Clone, Debug)]
pub struct Tombstone {
    /// Its id.
    pub id: TombstoneId,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// Since when.
    pub from: Timestamp,
    /// Until when the version can be restored.
    pub retain_until: Timestamp,
}

/// The tombstone in force on a version, if any.
pub async fn in_force(session: &mut Session<'_>, version: VersionId) -> Result<Option<Tombstone>> {
    let sql = "SELECT id, reason, by_subject, from_at, retain_until FROM tombstones
         WHERE version_id = $1 AND to_at IS NULL";
    let Some(row) = session.row(sql, args![version]).await? else { return Ok(None) };
    Ok(Some(Tombstone {
        id: row.get(0)?,
        reason: row.get(1)?,
        by: row.get(2)?,
        from: row.get(3)?,
        retain_until: row.get(4)?,
    }))
}

/// Whether any version of the package whose path this is was withdrawn.
pub async fn is_any_at(session: &mut Session<'_>, repo: RepoId, path: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM locations l JOIN versions v ON v.package_id = l.package_id
         WHERE l.repo_id = $1 AND l.path = $2 AND v.state IN ('tombstoned', 'collected') LIMIT 1";
    Ok(session.row(sql, args![repo, *path]).await?.is_some())
}

/// Withdraws a version, a draft too. Withdrawn before: answered again.
#[derive(Clone, Debug)]
pub struct PutTombstone {
    /// Who and when.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// Which version.
    pub version: VersionId,
    /// The tombstone's id.
    pub id: TombstoneId,
    /// Why.
    pub reason: String,
    /// Until when it can be restored.
    pub retain_until: Timestamp,
}

/// A withdrawn version.
#[derive(Clone, Debug)]
pub struct Withdrawn {
    /// The version.
    pub version: Version,
    /// Its tombstone.
    pub tombstone: Tombstone,
    /// Whether it was withdrawn before.
    pub idempotent: bool,
}

impl Write for PutTombstone {
    type Out = Withdrawn;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Withdrawn> {
        let version = versions::lock(tx, self.repo, self.version).await?;
        match version.state {
            VersionState::Collected => {
                return Err(Error::refuse(Code::Gone, format!("{version} is gone for good")));
            }
            VersionState::Tombstoned => return withdrawn(tx, version, true).await,
            VersionState::Draft | VersionState::Published => {}
        }
        self.withdraw(tx).await?;
        let id = self.version.to_string();
        let on = On { repo: Some(self.repo), kind: "version", id: &id };
        let detail = json!({
            "packageName": version.at.name, "version": version.version, "from": version.state,
            "reason": self.reason, "retentionUntil": self.retain_until,
        });
        record(tx, &self.act, "package.version.tombstoned", on, &detail).await?;
        packages::raise(tx, version.package).await?;
        let version = versions::lock(tx, self.repo, self.version).await?;
        withdrawn(tx, version, false).await
    }
}

async fn withdrawn(tx: &mut Tx<'_>, version: Version, idempotent: bool) -> Result<Withdrawn> {
    let tombstone = in_force(tx, version.id).await?;
    let tombstone = tombstone.ok_or_else(|| Error::Defect(format!("{version} has no tombstone")))?;
    Ok(Withdrawn { version, tombstone, idempotent })
}

impl PutTombstone {
    async fn withdraw(&self, tx: &mut Tx<'_>) -> Result<()> {
        let act = &self.act;
        tx.execute("UPDATE versions SET state = 'tombstoned' WHERE id = $1", args![self.version]).await?;
        let sql = "INSERT INTO tombstones (id, version_id, reason, by_subject, from_at, from_event, retain_until)
             VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let args = args![self.id, self.version, self.reason, act.actor, act.at, act.event, self.retain_until];
        tx.execute(sql, args).await.map(drop)
    }
}

/// Publishes a withdrawn version again, while it is retained. Published: fine.
#[derive(Clone, Debug)]
pub struct Restore {
    /// Who and when.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// Which version.
    pub version: VersionId,
}

impl Write for Restore {
    type Out = Version;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Version> {
        let (act, version) = (&self.act, versions::lock(tx, self.repo, self.version).await?);
        match version.state {
            VersionState::Published => return Ok(version),
            VersionState::Draft => return Err(Error::conflict(format!("{version} is a draft"))),
            VersionState::Collected => {
                return Err(Error::refuse(Code::Gone, format!("{version} is gone for good")));
            }
            VersionState::Tombstoned => {}
        }
        if version.published_at.is_none() {
            return Err(Error::conflict(format!("{version} was withdrawn as a draft: there is nothing to restore")));
        }
        let current = withdrawn(tx, version.clone(), true).await?;
        if current.tombstone.retain_until <= act.at {
            let until = current.tombstone.retain_until;
            return Err(Error::refuse(Code::Gone, format!("{version} could be restored until {until}")));
        }
        tx.execute("UPDATE versions SET state = 'published' WHERE id = $1", args![self.version]).await?;
        let sql = "UPDATE tombstones SET to_at = $2, to_event = $3 WHERE id = $1";
        tx.execute(sql, args![current.tombstone.id, act.at, act.event]).await?;
        let id = self.version.to_string();
        let on = On { repo: Some(self.repo), kind: "version", id: &id };
        record(tx, act, "package.version.restored", on, &json!({"version": version.version})).await?;
        packages::raise(tx, version.package).await?;
        versions::lock(tx, self.repo, self.version).await
    }
}

/// Withdraws the living versions of a repository, as many as there are ids, from the package `from`
/// on. Returns the name of the package to go on with; `None` when all are withdrawn.
#[derive(Clone, Debug)]
pub struct PutTombstones {
    /// Who and when; the event id is not used.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// The first package's normalised name; empty at first.
    pub from: String,
    /// An event and a tombstone for each version at most.
    pub ids: Vec<(EventId, TombstoneId)>,
    /// Why.
    pub reason: String,
    /// Until when they can be restored.
    pub retain_until: Timestamp,
}

impl Write for PutTombstones {
    type Out = Option<String>;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Option<String>> {
        let sql = "SELECT v.id, p.name FROM packages p JOIN versions v ON v.package_id = p.id
             WHERE p.repo_id = $1 AND p.name >= $2 AND v.state IN ('draft', 'published') ORDER BY p.name, v.id LIMIT $3";
        let limit = self.ids.len() as u64;
        let rows = tx.rows(sql, args![self.repo, self.from, limit]).await?;
        for (row, (event, id)) in rows.iter().zip(&self.ids) {
            let one = PutTombstone {
                act: Act { event: *event, ..self.act.clone() },
                repo: self.repo,
                version: row.get(0)?,
                id: *id,
                reason: self.reason.clone(),
                retain_until: self.retain_until,
            };
            one.apply(tx).await?;
        }
        match rows.last() {
            Some(last) if rows.len() == self.ids.len() => last.get(1).map(Some),
            _ => Ok(None),
        }
    }
}
