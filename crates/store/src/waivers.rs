//! Waivers: what the rules of a repository keep out and somebody let in for a while. Each is inserted once, and ends.

use model::{RepoId, Timestamp, WaiverId};
use serde_json::json;

use crate::args;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::repositories::expect_living;
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::value::Row;

/// Waivers in force in one repository at most.
const MOST: u64 = 1000;

/// A waiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// Its id.
    pub id: WaiverId,
    /// The package's name, as it was given.
    pub package: String,
    /// The version; `None`: all of them.
    pub version: Option<String>,
    /// Why.
    pub reason: String,
    /// Who gave it.
    pub by: String,
    /// When.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
    /// When it was ended before that.
    pub ended_at: Option<Timestamp>,
}

fn waiver(row: &Row) -> Result<Waiver> {
    Ok(Waiver {
        id: row.get(0)?,
        package: row.get(1)?,
        version: row.get(2)?,
        reason: row.get(3)?,
        by: row.get(4)?,
        created_at: row.get(5)?,
        until: row.get(6)?,
        ended_at: row.get(7)?,
    })
}

/// Those of a repository that are in force at `now`.
pub async fn in_force(session: &mut Session<'_>, repo: RepoId, now: Timestamp) -> Result<Vec<Waiver>> {
    let sql = "SELECT id, package, version, reason, by_subject, created_at, until, ended_at FROM waivers
         WHERE repo_id = $1 AND ended_at IS NULL AND until > $2 ORDER BY id";
    session.rows(sql, args![repo, now]).await?.iter().map(waiver).collect()
}

/// All that a repository ever had, youngest first, those before the id `before`.
pub async fn list(
    session: &mut Session<'_>,
    repo: RepoId,
    before: Option<WaiverId>,
    limit: u32,
) -> Result<Vec<Waiver>> {
    let sql = "SELECT id, package, version, reason, by_subject, created_at, until, ended_at FROM waivers
         WHERE repo_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    let before = before.unwrap_or(WaiverId(uuid::Uuid::max()));
    session.rows(sql, args![repo, before, i64::from(limit)]).await?.iter().map(waiver).collect()
}

/// Gives a waiver. 409 when a repository has too many.
#[derive(Clone, Debug)]
pub struct Waive {
    /// Who and when.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// What: `by` and `created_at` are those of the act.
    pub waiver: Waiver,
}

impl Write for Waive {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let (act, waiver) = (&self.act, &self.waiver);
        expect_living(tx, self.repo).await?;
        let sql = "SELECT count(*) FROM waivers WHERE repo_id = $1 AND ended_at IS NULL AND until > $2";
        let count: u64 = tx.row(sql, args![self.repo, act.at]).await?.map_or(Ok(0), |row| row.get(0))?;
        if count >= MOST {
            return Err(Error::conflict(format!("a repository has at most {MOST} waivers in force: end some")));
        }
        let sql = "INSERT INTO waivers (id, repo_id, package, version, reason, by_subject, created_at, until)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let args =
            args![waiver.id, self.repo, waiver.package, waiver.version, waiver.reason, act.actor, act.at, waiver.until];
        tx.execute(sql, args).await?;
        let detail = json!({"package": waiver.package, "version": waiver.version, "reason": waiver.reason,
            "until": waiver.until});
        let id = waiver.id.to_string();
        record(tx, act, "rule.waived", On { repo: Some(self.repo), kind: "waiver", id: &id }, &detail).await?;
        tx.touch_config().await
    }
}

/// Ends a waiver before its time. 404 when none of that id is in force.
#[derive(Clone, Debug)]
pub struct EndWaiver {
    /// Who and when.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// Which.
    pub id: WaiverId,
}

impl Write for EndWaiver {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let (act, id) = (&self.act, self.id.to_string());
        let sql = "UPDATE waivers SET ended_at = $3 WHERE id = $1 AND repo_id = $2 AND ended_at IS NULL AND until > $3";
        if tx.execute(sql, args![self.id, self.repo, act.at]).await? == 0 {
            return Err(Error::not_found("a waiver in force with this id"));
        }
        record(tx, act, "waiver.ended", On { repo: Some(self.repo), kind: "waiver", id: &id }, &json!({})).await?;
        tx.touch_config().await
    }
}
