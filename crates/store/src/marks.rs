//! Marks on versions: yanked, deprecated, unlisted, each for an interval.

use model::state::MarkKind;
use model::{MarkId, RepoId, Timestamp, VersionId};
use serde_json::json;

use crate::args;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::value::Row;
use crate::{packages, versions};

/// A mark and the interval during which it holds.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Its id.
    pub id: MarkId,
    /// The entry that it is on; `None`: the whole version.
    pub path: Option<String>,
    /// Which.
    pub kind: MarkKind,
    /// What people are told; may be empty.
    pub text: String,
    /// Who set it.
    pub by: String,
    /// Since when.
    pub from: Timestamp,
    /// Until when; `None`: it is in force.
    pub to: Option<Timestamp>,
}

fn mark(row: &Row) -> Result<Mark> {
    let (path, kind): (String, String) = (row.get(1)?, row.get(2)?);
    Ok(Mark {
        id: row.get(0)?,
        path: Some(path).filter(|path| !path.is_empty()),
        kind: MarkKind::from_word(&kind).ok_or_else(|| Error::Defect(format!("mark {kind}")))?,
        text: row.get(3)?,
        by: row.get(4)?,
        from: row.get(5)?,
        to: row.get(6)?,
    })
}

/// The marks in force on a version.
pub async fn in_force(session: &mut Session<'_>, version: VersionId) -> Result<Vec<Mark>> {
    let sql = "SELECT id, path, kind, text, by_subject, from_at, to_at FROM marks
         WHERE version_id = $1 AND to_at IS NULL ORDER BY path, kind";
    session.rows(sql, args![version]).await?.iter().map(mark).collect()
}

/// Marks a published version, changes the mark's text, or lifts it. Returns whether anything changed.
#[derive(Clone, Debug)]
pub struct SetMark {
    /// Who and when.
    pub act: Act,
    /// Where.
    pub repo: RepoId,
    /// The version.
    pub version: VersionId,
    /// The new mark's id.
    pub id: MarkId,
    /// Which.
    pub kind: MarkKind,
    /// What people are told; `None` lifts the mark.
    pub text: Option<String>,
}

impl Write for SetMark {
    type Out = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool> {
        let version = versions::lock(tx, self.repo, self.version).await?;
        version.expect_published()?;
        let sql = "SELECT text FROM marks WHERE version_id = $1 AND path = '' AND kind = $2 AND to_at IS NULL";
        let before = tx.row(sql, args![self.version, *self.kind.word()]).await?;
        let before: Option<String> = before.map(|row| row.get(0)).transpose()?;
        if before == self.text {
            return Ok(false);
        }
        self.replace(tx).await?;
        let id = self.version.to_string();
        let on = On { repo: Some(self.repo), kind: "version", id: &id };
        record(tx, &self.act, self.action(), on, &json!({"text": self.text})).await?;
        packages::raise(tx, version.package).await?;
        Ok(true)
    }
}

impl SetMark {
    async fn replace(&self, tx: &mut Tx<'_>) -> Result<()> {
        let act = &self.act;
        let sql = "UPDATE marks SET to_at = $3, to_event = $4
             WHERE version_id = $1 AND path = '' AND kind = $2 AND to_at IS NULL";
        tx.execute(sql, args![self.version, *self.kind.word(), act.at, act.event]).await?;
        let Some(text) = &self.text else { return Ok(()) };
        let sql = "INSERT INTO marks (id, version_id, path, kind, text, from_at, from_event, by_subject)
             VALUES ($1, $2, '', $3, $4, $5, $6, $7)";
        let args = args![self.id, self.version, *self.kind.word(), *text, act.at, act.event, act.actor];
        tx.execute(sql, args).await.map(drop)
    }

    fn action(&self) -> &'static str {
        match (self.kind, self.text.is_some()) {
            (MarkKind::Yanked, true) => "package.version.yanked",
            (MarkKind::Yanked, false) => "package.version.unyanked",
            (MarkKind::Deprecated, true) => "package.version.deprecated",
            (MarkKind::Deprecated, false) => "package.version.undeprecated",
            (MarkKind::Unlisted, true) => "package.version.unlisted",
            (MarkKind::Unlisted, false) => "package.version.listed",
        }
    }
}
