//! Small blobs move from the database into packs in the blob store.
//!
//! Whoever is reading the old copy has its bytes in memory already; whoever looks afterwards finds
//! the new one. The pack is durable before the row says so.

use model::{CopyId, Sha256Digest, Timestamp};
use serde_json::json;

use crate::args;
use crate::blobs;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;

/// Rows that [`waiting`] looks at, at most.
const LOOKED_AT: u32 = 4096;

/// An inline copy and its bytes.
#[derive(Clone, Debug)]
pub struct Inline {
    /// The copy.
    pub copy: CopyId,
    /// The blob.
    pub digest: Sha256Digest,
    /// A checksum per MiB.
    pub sums: Vec<u8>,
    /// The bytes; never empty (an empty blob needs no room and stays where it is).
    pub bytes: Vec<u8>,
}

/// What waits to be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Bytes of the oldest few thousand good inline copies.
    pub bytes: u64,
    /// When the oldest was made.
    pub oldest: Option<Timestamp>,
}

/// What waits to be moved.
pub async fn waiting(session: &mut Session<'_>) -> Result<Waiting> {
    let sql = "SELECT CAST(coalesce(sum(b.length), 0) AS BIGINT), min(c.created_at) FROM
            (SELECT digest, created_at FROM copies WHERE kind = 'inline' AND state = 'good' ORDER BY id LIMIT $1) AS c
         JOIN blobs b ON b.digest = c.digest WHERE b.length > 0";
    let row = session.row(sql, args![LOOKED_AT]).await?.ok_or_else(|| Error::Defect("no answer".to_owned()))?;
    Ok(Waiting { bytes: row.get(0)?, oldest: row.get(1)? })
}

/// Good inline copies made before `before`, after the copy `after`, in the order of their ids.
pub async fn inline_copies(
    session: &mut Session<'_>,
    after: Option<CopyId>,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<Inline>> {
    let sql = "SELECT c.id, c.digest, c.sums, i.bytes FROM copies c JOIN inline_bytes i ON i.copy_id = c.id
         WHERE c.kind = 'inline' AND c.state = 'good' AND c.created_at < $2 AND ($1 IS NULL OR c.id > $1)
            AND length(i.bytes) > 0 ORDER BY c.id LIMIT $3";
    let rows = session.rows(sql, args![after, before, limit]).await?;
    let inline =
        |row: &crate::Row| Ok(Inline { copy: row.get(0)?, digest: row.get(1)?, sums: row.get(2)?, bytes: row.get(3)? });
    rows.iter().map(inline).collect()
}

/// An inline copy that now also lies in a pack.
#[derive(Clone, Debug)]
pub struct Packed {
    /// The inline copy.
    pub from: CopyId,
    /// The id of the copy in the pack.
    pub to: CopyId,
    /// The blob.
    pub digest: Sha256Digest,
    /// Where in the pack it begins.
    pub start: u64,
}

/// Replaces inline copies by those of a pack that is already durable. Those that vanished or turned
/// out to be damaged meanwhile are left as they are; a pack that nothing needs goes to the trash.
/// Returns how many were replaced.
#[derive(Clone, Debug)]
pub struct Spill {
    /// When, and the event.
    pub act: Act,
    /// The pack's place.
    pub place: String,
    /// What lies in it.
    pub items: Vec<Packed>,
}

impl Write for Spill {
    type Out = u64;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let act = &self.act;
        let mut moved = 0u64;
        for item in &self.items {
            moved += u64::from(self.replace(tx, item).await?);
        }
        if moved == 0 {
            blobs::discard(tx, &self.place, act.at).await?;
            return Ok(0);
        }
        let on = On { repo: None, kind: "pack", id: &self.place };
        record(tx, act, "blob.copies.packed", on, &json!({"copies": moved})).await?;
        tx.touch_copies();
        Ok(moved)
    }
}

impl Spill {
    async fn replace(&self, tx: &mut Tx<'_>, item: &Packed) -> Result<bool> {
        let lock = "SELECT 1 FROM blobs WHERE digest = $1 FOR UPDATE";
        tx.row(lock, args![item.digest]).await?;
        let sql = "INSERT INTO copies (id, digest, kind, place, start, sums, state, created_at)
             SELECT $2, digest, 'pack', $4, $5, sums, 'good', $6 FROM copies
             WHERE id = $1 AND digest = $3 AND kind = 'inline' AND state = 'good'";
        let args = args![item.from, item.to, item.digest, self.place, item.start, self.act.at];
        if tx.execute(sql, args).await? == 0 {
            return Ok(false);
        }
        tx.execute("DELETE FROM inline_bytes WHERE copy_id = $1", args![item.from]).await?;
        tx.execute("DELETE FROM copies WHERE id = $1", args![item.from]).await?;
        Ok(true)
    }
}
