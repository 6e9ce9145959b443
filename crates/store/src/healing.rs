//! Damaged copies: what is left of a blob, and how a bad copy is retired for a good one.

use model::{CopyId, EntryPath, RepoId, Sha256Digest};
use serde_json::json;

use crate::blobs::{self, NewBlob, copy_at, copy_columns};
use crate::copy::Copy;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::{args, trash, value::Row};

/// What is known of a blob with a damaged copy.
#[derive(Clone, Debug)]
pub struct Injured {
    /// Its length.
    pub length: u64,
    /// Its good copies, oldest first.
    pub good: Vec<Copy>,
    /// Its damaged copies, oldest first.
    pub damaged: Vec<Copy>,
    /// Whether a good copy is younger than every damaged one: it was made to replace it.
    pub replaced: bool,
}

/// The state of a blob; `None` when nothing of it is damaged.
pub async fn injured(session: &mut Session<'_>, digest: Sha256Digest) -> Result<Option<Injured>> {
    const SQL: &str = concat!(
        "SELECT b.length, c.state, ",
        copy_columns!(),
        " FROM blobs b JOIN copies c ON c.digest = b.digest LEFT JOIN inline_bytes i ON i.copy_id = c.id
         WHERE b.digest = $1 ORDER BY c.created_at, c.id"
    );
    let rows = session.rows(SQL, args![digest]).await?;
    let Some(length) = rows.first().map(|row| row.get(0)).transpose()? else { return Ok(None) };
    let mut found = Injured { length, good: Vec::new(), damaged: Vec::new(), replaced: false };
    for row in &rows {
        let Some(copy) = copy_at(row, 2)? else { continue };
        found.replaced = row.get::<String>(1)? == "good";
        if found.replaced {
            found.good.push(copy);
        } else {
            found.damaged.push(copy);
        }
    }
    Ok((!found.damaged.is_empty()).then_some(found))
}

/// The blobs of damaged copies, which are few: asked for in the order of digests otherwise, SQLite goes through all copies.
macro_rules! damaged {
    () => {
        "WITH damaged AS MATERIALIZED (SELECT digest FROM copies WHERE state = 'damaged') "
    };
}

/// Blobs with a damaged copy and a good one: they can be healed.
pub async fn healable(session: &mut Session<'_>, limit: u32) -> Result<Vec<Sha256Digest>> {
    let sql = concat!(
        damaged!(),
        "SELECT DISTINCT d.digest FROM damaged d
         WHERE EXISTS (SELECT 1 FROM copies g WHERE g.digest = d.digest AND g.state = 'good') ORDER BY d.digest LIMIT $1"
    );
    session.rows(sql, args![limit]).await?.iter().map(|row| row.get(0)).collect()
}

/// Blobs without a good copy, any of them: a copy that was away may be back.
pub async fn lost(session: &mut Session<'_>, limit: u32) -> Result<Vec<Sha256Digest>> {
    let sql = concat!(
        damaged!(),
        "SELECT digest FROM (SELECT DISTINCT d.digest FROM damaged d
         WHERE NOT EXISTS (SELECT 1 FROM copies g WHERE g.digest = d.digest AND g.state = 'good')) AS lost
         ORDER BY random() LIMIT $1"
    );
    session.rows(sql, args![limit]).await?.iter().map(|row| row.get(0)).collect()
}

/// Adds a copy that was made from a good one, if one was made, and removes the damaged ones whose
/// blob then has a good copy. Returns how many went.
#[derive(Clone, Debug)]
pub struct Retire {
    /// When, and the event.
    pub act: Act,
    /// The blob.
    pub digest: Sha256Digest,
    /// The new copy.
    pub fresh: Option<NewBlob>,
    /// The damaged copies.
    pub damaged: Vec<CopyId>,
}

impl Write for Retire {
    type Out = u64;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let act = &self.act;
        tx.row("SELECT 1 FROM blobs WHERE digest = $1 FOR UPDATE", args![self.digest]).await?;
        let damaged = self.still_damaged(tx).await?;
        match &self.fresh {
            Some(fresh) if damaged.is_empty() => {
                if let blobs::NewBody::Stored { place, .. } = &fresh.body {
                    blobs::discard(tx, place, act.at).await?;
                }
            }
            Some(fresh) => blobs::add_copy(tx, fresh, act.at).await?,
            None => {}
        }
        let left = "SELECT 1 FROM copies WHERE digest = $1 AND state = 'good' LIMIT 1";
        if damaged.is_empty() || tx.row(left, args![self.digest]).await?.is_none() {
            return Ok(0);
        }
        for (copy, place, inline) in &damaged {
            remove(tx, *copy, place, *inline, act).await?;
        }
        let ids: Vec<_> = damaged.iter().map(|(copy, ..)| copy.to_string()).collect();
        let (id, detail) = (self.digest.to_string(), json!({"retired": ids, "newCopy": self.fresh.is_some()}));
        record(tx, act, "blob.healed", On { repo: None, kind: "blob", id: &id }, &detail).await?;
        tx.touch_copies();
        Ok(damaged.len() as u64)
    }
}

impl Retire {
    /// In the order of their places, as places are locked.
    async fn still_damaged(&self, tx: &mut Tx<'_>) -> Result<Vec<(CopyId, String, bool)>> {
        let sql = "SELECT id, place, kind FROM copies WHERE digest = $1 AND state = 'damaged' ORDER BY place, id";
        let rows = tx.rows(sql, args![self.digest]).await?;
        let of = |row: &Row| Ok((row.get(0)?, row.get(1)?, row.get::<String>(2)? == "inline"));
        let found: Vec<(CopyId, String, bool)> = rows.iter().map(of).collect::<Result<_>>()?;
        Ok(found.into_iter().filter(|(copy, ..)| self.damaged.contains(copy)).collect())
    }
}

/// Removes the row of a copy. Its place goes to the trash unless another copy lives there (a pack).
pub(crate) async fn remove(tx: &mut Tx<'_>, copy: CopyId, place: &str, inline: bool, act: &Act) -> Result<()> {
    if inline {
        tx.execute("DELETE FROM inline_bytes WHERE copy_id = $1", args![copy]).await?;
    }
    tx.execute("DELETE FROM copies WHERE id = $1", args![copy]).await?;
    if inline { Ok(()) } else { trash::discard_unless_shared(tx, place, act.at).await }
}

/// Says, once for each loss, that no good copy of a blob is left. Returns whether it was said now. What only remote
/// repositories have is not lost: it comes again from the upstream when somebody wants it.
#[derive(Clone, Debug)]
pub struct DeclareLost {
    /// When, and the event.
    pub act: Act,
    /// The blob.
    pub digest: Sha256Digest,
}

impl Write for DeclareLost {
    type Out = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool> {
        tx.row("SELECT 1 FROM blobs WHERE digest = $1 FOR UPDATE", args![self.digest]).await?;
        let left = "SELECT 1 FROM copies WHERE digest = $1 AND state = 'good' LIMIT 1";
        let left = tx.row(left, args![self.digest]).await?.is_some();
        if left || self.comes_again(tx).await? || self.was_said(tx).await? {
            return Ok(false);
        }
        let id = self.digest.to_string();
        record(tx, &self.act, "blob.lost", On { repo: None, kind: "blob", id: &id }, &json!({})).await?;
        Ok(true)
    }
}

impl DeclareLost {
    async fn comes_again(&self, tx: &mut Tx<'_>) -> Result<bool> {
        let sql = "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM entries e JOIN repositories r ON r.id = e.repo_id
                WHERE e.digest = $1 AND r.kind <> 'remote')
             AND (EXISTS (SELECT 1 FROM entries WHERE digest = $1)
                OR EXISTS (SELECT 1 FROM observations WHERE digest = $1))";
        Ok(tx.row(sql, args![self.digest]).await?.is_some())
    }

    /// What was said last of the blob: that it is damaged, healed or lost.
    async fn was_said(&self, tx: &mut Tx<'_>) -> Result<bool> {
        let sql = "SELECT action FROM (
                SELECT action, at, id FROM events WHERE resource_id = $1 AND seq IS NOT NULL
                UNION ALL SELECT action, at, id FROM events WHERE resource_id = $1 AND seq IS NULL
             ) AS said WHERE action IN ('blob.lost', 'blob.copy.damaged', 'blob.healed') ORDER BY at DESC, id DESC LIMIT 1";
        let last = tx.row(sql, args![self.digest.to_string()]).await?;
        Ok(last.map(|row| row.get::<String>(0)).transpose()?.is_some_and(|action| action == "blob.lost"))
    }
}

/// Takes bytes that came again for a path where they are. Whether they were needed: no good copy was left.
pub(crate) async fn take(tx: &mut Tx<'_>, act: &Act, repo: RepoId, path: &EntryPath, blob: &NewBlob) -> Result<bool> {
    if !blobs::keep(tx, blob, act.at).await? {
        return Ok(false);
    }
    let id = blob.digest.to_string();
    let detail = json!({"path": path, "newCopy": true});
    record(tx, act, "blob.healed", On { repo: Some(repo), kind: "blob", id: &id }, &detail).await?;
    Ok(true)
}

/// How many copies are damaged, and how many blobs have no good copy left.
pub async fn casualties(session: &mut Session<'_>) -> Result<(u64, u64)> {
    let sql = "SELECT count(*), count(DISTINCT CASE WHEN NOT EXISTS
            (SELECT 1 FROM copies g WHERE g.digest = d.digest AND g.state = 'good') THEN d.digest END)
         FROM copies d WHERE d.state = 'damaged'";
    let row = session.row(sql, &[]).await?.ok_or_else(|| Error::Defect("no answer".to_owned()))?;
    Ok((row.get(0)?, row.get(1)?))
}
