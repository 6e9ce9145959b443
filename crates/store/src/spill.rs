//! Small blobs move from the database into packs in the blob store.
//!
//! Whoever is reading the old copy has its bytes in memory already; whoever looks afterwards finds
//! the new one. The pack is durable before the row says so.

use std::sync::LazyLock;

use model::{CopyId, Sha256Digest, Timestamp};
use serde_json::json;

use crate::args;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::trash;
use crate::value::{Argument as _, Kind, Value};

/// Copies that one transaction moves at most: its locks are held for a handful of statements.
pub const AT_ONCE: usize = 200;
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
            (SELECT k.digest, k.created_at FROM inline_bytes i JOIN copies k ON k.id = i.copy_id
             WHERE i.copy_id > $2 AND k.state = 'good' ORDER BY i.copy_id LIMIT $1) AS c
         JOIN blobs b ON b.digest = c.digest WHERE b.length > 0";
    // The bound makes SQLite begin with the small table.
    let row = session
        .row(sql, args![LOOKED_AT, CopyId(uuid::Uuid::nil())])
        .await?
        .ok_or_else(|| Error::Defect("no answer".to_owned()))?;
    Ok(Waiting { bytes: row.get(0)?, oldest: row.get(1)? })
}

/// Good inline copies made before `before`, after the copy `after`, in the order of their ids.
pub async fn inline_copies(
    session: &mut Session<'_>,
    after: Option<CopyId>,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<Inline>> {
    let sql = "SELECT c.id, c.digest, c.sums, i.bytes FROM inline_bytes i JOIN copies c ON c.id = i.copy_id
         WHERE i.copy_id > $1 AND c.state = 'good' AND c.created_at < $2 AND length(i.bytes) > 0
         ORDER BY i.copy_id LIMIT $3";
    let after = after.unwrap_or(CopyId(uuid::Uuid::nil()));
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
/// out to be damaged meanwhile are left as they are, all of them when the pack has gone to the trash; a
/// pack that nothing needs goes there. Returns how many were replaced.
#[derive(Clone, Debug)]
pub struct Spill {
    /// When, and the event.
    pub act: Act,
    /// The pack's place.
    pub place: String,
    /// What lies in it, [`AT_ONCE`] at most: a pack is moved in several transactions.
    pub items: Vec<Packed>,
}

impl Write for Spill {
    type Out = u64;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let act = &self.act;
        if self.items.len() > AT_ONCE {
            return Err(Error::Defect(format!("{} copies in one transaction", self.items.len())));
        }
        tx.rows(&LOCK, &self.digests()).await?;
        trash::lock_place(tx, &self.place).await?;
        let moved = if trash::holds(tx, &self.place).await? { 0 } else { self.move_all(tx).await? };
        if moved == 0 {
            trash::discard_unless_shared(tx, &self.place, act.at).await?;
            return Ok(0);
        }
        let on = On { repo: None, kind: "pack", id: &self.place };
        record(tx, act, "blob.copies.packed", on, &json!({"copies": moved})).await?;
        tx.touch_copies();
        Ok(moved)
    }
}

impl Spill {
    async fn move_all(&self, tx: &mut Tx<'_>) -> Result<u64> {
        let items =
            self.items.iter().map(|item| [item.from.value(), item.to.value(), item.digest.value(), item.start.value()]);
        let none = [Value::Null(Kind::Uuid), Value::Null(Kind::Uuid), Value::Null(Kind::Bytes), Value::Null(Kind::Int)];
        let rows: Vec<Value<'_>> = items.chain(std::iter::repeat(none)).take(AT_ONCE).flatten().collect();
        let mut args = rows.clone();
        args.extend([self.place.value(), self.act.at.value()]);
        let moved = tx.execute(&ADD, &args).await?;
        if moved > 0 {
            tx.execute(&FORGET_BYTES, &rows).await?;
            tx.execute(&FORGET, &rows).await?;
        }
        Ok(moved)
    }

    fn digests(&self) -> Vec<Value<'_>> {
        let digests = self.items.iter().map(|item| item.digest.value());
        digests.chain(std::iter::repeat(Value::Null(Kind::Bytes))).take(AT_ONCE).collect()
    }
}

/// In the order of their digests, so that two transactions cannot wait for each other.
static LOCK: LazyLock<String> = LazyLock::new(|| {
    let digests: Vec<String> = (1..=AT_ONCE).map(|number| format!("${number}")).collect();
    format!("SELECT digest FROM blobs WHERE digest IN ({}) ORDER BY digest FOR UPDATE", digests.join(", "))
});

static ADD: LazyLock<String> = LazyLock::new(|| {
    let (place, at) = (AT_ONCE * 4 + 1, AT_ONCE * 4 + 2);
    with_items(&format!(
        "INSERT INTO copies (id, digest, kind, place, start, sums, state, created_at)
         SELECT i.new_id, c.digest, 'pack', ${place}, i.start, c.sums, 'good', ${at} FROM items i CROSS JOIN copies c
         WHERE c.id = i.old_id AND c.digest = i.digest AND c.kind = 'inline' AND c.state = 'good'"
    ))
});

static FORGET_BYTES: LazyLock<String> = LazyLock::new(|| {
    with_items(
        "DELETE FROM inline_bytes WHERE copy_id IN (SELECT i.old_id FROM items i CROSS JOIN copies n WHERE n.id = i.new_id)",
    )
});

static FORGET: LazyLock<String> = LazyLock::new(|| {
    with_items(
        "DELETE FROM copies WHERE id IN (SELECT i.old_id FROM items i CROSS JOIN copies n WHERE n.id = i.new_id)",
    )
});

/// A statement over [`AT_ONCE`] items; what is missing is NULL and matches nothing. `CROSS JOIN` after them keeps SQLite from
/// going through all copies and asking of each whether it is among the items.
fn with_items(statement: &str) -> String {
    let row = |first: usize| format!("(${}, ${}, ${}, ${})", first, first + 1, first + 2, first + 3);
    let rows: Vec<String> = (0..AT_ONCE).map(|number| row(number * 4 + 1)).collect();
    format!("WITH items (old_id, new_id, digest, start) AS (VALUES {}) {statement}", rows.join(", "))
}
