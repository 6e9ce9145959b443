//! Blobs and their copies: which bytes we have, where, and how to check them.

use model::state::{CopyKind, CopyState};
use model::{CopyId, RepoId, Sha256Digest, TenantId, Timestamp};

use crate::args;
use crate::copy::{Copy, Unseen};
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::value::Row;
use crate::when::{When, and_added, shown};

/// A blob that was received and verified and is about to be known.
#[derive(Clone, Debug)]
pub struct NewBlob {
    /// Its name.
    pub digest: Sha256Digest,
    /// Its length in bytes.
    pub length: u64,
    /// A checksum per MiB, 8 bytes each, little endian.
    pub sums: Vec<u8>,
    /// The id of the new copy.
    pub copy: CopyId,
    /// Where its bytes are.
    pub body: NewBody,
}

/// Where the bytes of a new blob are.
#[derive(Clone, Debug)]
pub enum NewBody {
    /// Here; they become a row.
    Inline(Vec<u8>),
    /// Already durable in the blob store.
    Stored {
        /// File, object or pack.
        kind: CopyKind,
        /// The key there.
        place: String,
    },
}

/// Columns of a copy, in the order that [`copy_at`] reads them.
macro_rules! copy_columns {
    () => {
        "c.id, c.kind, c.place, c.start, c.sums, i.bytes"
    };
}
pub(crate) use copy_columns;

/// Reads a copy from the columns that begin at `first`; `None` when the outer join found none.
pub(crate) fn copy_at(row: &Row, first: usize) -> Result<Option<Copy>> {
    let Some(id) = row.get::<Option<CopyId>>(first)? else { return Ok(None) };
    let kind: String = row.get(first + 1)?;
    Ok(Some(Copy {
        id,
        kind: CopyKind::from_word(&kind).ok_or_else(|| Error::Defect(format!("copy kind {kind}")))?,
        place: row.get(first + 2)?,
        start: row.get(first + 3)?,
        sums: row.get(first + 4)?,
        bytes: row.get(first + 5)?,
    }))
}

/// Columns of the counters of rights and of configuration, in the order that [`epochs_at`] reads them.
macro_rules! epochs {
    () => {
        ", (SELECT value FROM epochs WHERE name = 'auth'), (SELECT value FROM epochs WHERE name = 'config')"
    };
}
pub(crate) use epochs;

/// The counters from the columns that begin at `first`.
pub(crate) fn epochs_at(row: &Row, first: usize) -> Result<(u64, u64)> {
    Ok((row.get(first)?, row.get(first + 1)?))
}

/// A blob that a repository may serve.
#[derive(Clone, Debug)]
pub struct Readable {
    /// Its length in bytes.
    pub length: u64,
    /// When it first became known.
    pub created_at: Timestamp,
    /// The good copies, oldest first.
    pub copies: Vec<Copy>,
}

/// Or that the blob `b` is pinned: what is pinned now was not necessarily so at a moment.
macro_rules! or_pinned {
    () => {
        "OR EXISTS (SELECT 1 FROM pins p WHERE p.digest = b.digest AND p.repo_id = $2)"
    };
    ($at:literal) => {
        ""
    };
}

macro_rules! readable {
    ($more:expr $(, $at:literal)?) => {
        concat!(
            "SELECT b.length, b.created_at, ",
            copy_columns!(),
            $more,
            " FROM blobs b
         LEFT JOIN copies c ON c.digest = b.digest AND c.state = 'good'
         LEFT JOIN inline_bytes i ON i.copy_id = c.id
         WHERE b.digest = $1 AND (
            EXISTS (SELECT 1 FROM entries e JOIN versions v ON v.id = e.version_id
                    WHERE e.digest = b.digest AND e.repo_id = $2 AND ", shown!("v" $(, $at)?),
            and_added!("e" $(, $at)?), ") ", or_pinned!($($at)?), "
            OR EXISTS (SELECT 1 FROM manifests m JOIN versions v ON v.id = m.version_id
                    WHERE m.blob_digest = b.digest AND v.repo_id = $2 AND ", shown!("v" $(, $at)?), "))
         ORDER BY c.created_at, c.id"
        )
    };
}

/// The blob, when `repo` may serve it: published there, as an entry or beside a manifest, or pinned there now.
pub async fn readable(
    session: &mut Session<'_>,
    repo: RepoId,
    digest: Sha256Digest,
    when: When,
) -> Result<Option<Readable>> {
    let rows = session.rows_as_of(when, [readable!(""), readable!("", "$3")], args![digest, repo]).await?;
    readable_at(&rows)
}

/// The same with the counters of rights and of configuration at that very moment: still one statement.
pub async fn readable_as_of(
    session: &mut Session<'_>,
    repo: RepoId,
    digest: Sha256Digest,
) -> Result<Option<(Readable, (u64, u64))>> {
    let rows = session.rows(readable!(epochs!()), args![digest, repo]).await?;
    let (Some(found), Some(first)) = (readable_at(&rows)?, rows.first()) else { return Ok(None) };
    Ok(Some((found, epochs_at(first, 8)?)))
}

fn readable_at(rows: &[Row]) -> Result<Option<Readable>> {
    let Some(first) = rows.first() else { return Ok(None) };
    let copies = rows.iter().filter_map(|row| copy_at(row, 2).transpose()).collect::<Result<_>>()?;
    Ok(Some(Readable { length: first.get(0)?, created_at: first.get(1)?, copies }))
}

/// The good copies of a blob, oldest first, whoever may read it. For our own work only.
pub async fn copies(session: &mut Session<'_>, digest: Sha256Digest) -> Result<Vec<Copy>> {
    const SQL: &str = concat!(
        "SELECT ",
        copy_columns!(),
        " FROM copies c LEFT JOIN inline_bytes i ON i.copy_id = c.id
         WHERE c.digest = $1 AND c.state = 'good' ORDER BY c.created_at, c.id"
    );
    let rows = session.rows(SQL, args![digest]).await?;
    rows.iter().filter_map(|row| copy_at(row, 0).transpose()).collect()
}

impl NewBlob {
    /// Whether its bytes lie in the blob store.
    pub(crate) fn is_stored(&self) -> bool {
        matches!(self.body, NewBody::Stored { .. })
    }
}

/// Makes a received blob known. Locks its row, if it has one, so that collection and reuse cannot miss each other.
/// When a good copy is there already, the new bytes are not needed: their place goes to the trash. That it is there must
/// have been seen: [`Error::Unseen`] asks for it. Returns whether the new copy was kept.
pub(crate) async fn keep(tx: &mut Tx<'_>, blob: &NewBlob, at: Timestamp) -> Result<bool> {
    let sql = "INSERT INTO blobs (digest, length, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    if tx.execute(sql, args![blob.digest, blob.length, at]).await? == 1 {
        // It has no copies, and nobody can remember any: other blobs' readers are left in peace.
        add_copy(tx, blob, at).await?;
        return Ok(true);
    }
    let sql = "INSERT INTO blobs (digest, length, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (digest) DO UPDATE SET condemned_at = NULL RETURNING length";
    let row = tx.row(sql, args![blob.digest, blob.length, at]).await?;
    let length: u64 = row.ok_or_else(|| Error::Defect("a blob vanished".to_owned()))?.get(0)?;
    if length != blob.length {
        return Err(Error::Defect(format!("two lengths for {}: {length} and {}", blob.digest, blob.length)));
    }
    match known(tx, blob.digest, length).await? {
        Known::Good => {
            if let NewBody::Stored { place, .. } = &blob.body {
                discard(tx, place, at).await?;
            }
            return Ok(false);
        }
        Known::Damaged => tx.touch_copies(),
        Known::None => {}
    }
    add_copy(tx, blob, at).await?;
    Ok(true)
}

/// Which copies there are of a locked blob.
enum Known {
    None,
    Damaged,
    /// At least one that was looked at, or whose bytes are in the database.
    Good,
}

async fn known(tx: &mut Tx<'_>, digest: Sha256Digest, length: u64) -> Result<Known> {
    let sql = "SELECT id, kind = 'inline' FROM copies WHERE digest = $1 AND state = 'good' ORDER BY created_at, id";
    let rows = tx.rows(sql, args![digest]).await?;
    for row in &rows {
        if row.get(1)? || tx.has_seen(row.get(0)?) {
            return Ok(Known::Good);
        }
    }
    if let Some(copy) = copies(tx, digest).await?.into_iter().next() {
        return Err(Error::Unseen(Box::new(Unseen { digest, length, copy })));
    }
    let any = tx.row("SELECT 1 FROM copies WHERE digest = $1 LIMIT 1", args![digest]).await?;
    Ok(if any.is_some() { Known::Damaged } else { Known::None })
}

/// Adds the copy of a blob whose row is locked.
pub(crate) async fn add_copy(tx: &mut Tx<'_>, blob: &NewBlob, at: Timestamp) -> Result<()> {
    let own = blob.copy.to_string();
    let (kind, place) = match &blob.body {
        NewBody::Inline(_) => (CopyKind::Inline, &own),
        NewBody::Stored { kind, place } => (*kind, place),
    };
    let sql = "INSERT INTO copies (id, digest, kind, place, start, sums, state, created_at) VALUES ($1, $2, $3, $4, 0, $5, $6, $7)";
    let state = CopyState::Good.word();
    tx.execute(sql, args![blob.copy, blob.digest, *kind.word(), *place, blob.sums, *state, at]).await?;
    if let NewBody::Inline(bytes) = &blob.body {
        tx.execute("INSERT INTO inline_bytes (copy_id, bytes) VALUES ($1, $2)", args![blob.copy, bytes]).await?;
    }
    Ok(())
}

/// Hands a place over for deletion after the commit. It is never used again.
pub(crate) async fn discard(tx: &mut Tx<'_>, place: &str, at: Timestamp) -> Result<()> {
    let sql = "INSERT INTO trash (place, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    tx.execute(sql, args![*place, at]).await?;
    tx.touch_work();
    Ok(())
}

/// Remembers another digest of a blob.
pub(crate) async fn also_named(tx: &mut Tx<'_>, algorithm: &str, value: &[u8], digest: Sha256Digest) -> Result<()> {
    let sql = "INSERT INTO aliases (algorithm, value, digest) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    tx.execute(sql, args![*algorithm, value.to_vec(), digest]).await.map(drop)
}

/// The blob that another digest names; says nothing of who may read it.
pub async fn named(session: &mut Session<'_>, algorithm: &str, value: &[u8]) -> Result<Option<Sha256Digest>> {
    let sql = "SELECT digest FROM aliases WHERE algorithm = $1 AND value = $2";
    session.row(sql, args![*algorithm, value.to_vec()]).await?.map(|row| row.get(0)).transpose()
}

/// A blob whose row is locked.
pub(crate) struct Locked {
    pub(crate) length: u64,
    /// Whether it is about to be collected.
    pub(crate) condemned: bool,
}

/// Locks the blob's row, if it has one, so that it cannot be collected meanwhile. Whether it has good
/// copies is asked by a statement of its own: what a collection did while the lock was waited for must
/// be seen.
pub(crate) async fn lock(tx: &mut Tx<'_>, digest: Sha256Digest) -> Result<Option<Locked>> {
    let sql = "SELECT length, condemned_at FROM blobs WHERE digest = $1 FOR UPDATE";
    let Some(row) = tx.row(sql, args![digest]).await? else { return Ok(None) };
    Ok(Some(Locked { length: row.get(0)?, condemned: row.get::<Option<Timestamp>>(1)?.is_some() }))
}

/// Locks the blob's row. Its length, when it has a good copy.
pub(crate) async fn lock_good(tx: &mut Tx<'_>, digest: Sha256Digest) -> Result<Option<u64>> {
    let Some(locked) = lock(tx, digest).await? else { return Ok(None) };
    let sql = "SELECT 1 FROM copies WHERE digest = $1 AND state = 'good' LIMIT 1";
    Ok(tx.row(sql, args![digest]).await?.map(|_| locked.length))
}

/// The same, where it counts that the copy is there: it must have been seen. [`Error::Unseen`] asks for it.
pub(crate) async fn lock_seen(tx: &mut Tx<'_>, digest: Sha256Digest) -> Result<Option<u64>> {
    let Some(locked) = lock(tx, digest).await? else { return Ok(None) };
    let known = known(tx, digest, locked.length).await?;
    Ok(matches!(known, Known::Good).then_some(locked.length))
}

/// Takes a locked blob back from collection.
pub(crate) async fn revive(tx: &mut Tx<'_>, digest: Sha256Digest) -> Result<()> {
    let sql = "UPDATE blobs SET condemned_at = NULL WHERE digest = $1 AND condemned_at IS NOT NULL";
    tx.execute(sql, args![digest]).await.map(drop)
}

/// Keeps a locked blob for a repository at least until then. Whether the pin is new: then the caller takes `charged` of
/// the bytes allowance for it, and whoever removes the pin passes it on or gives it back. A blob that is pinned there
/// already is paid for.
pub(crate) async fn pin(
    tx: &mut Tx<'_>,
    repo: RepoId,
    digest: Sha256Digest,
    until: Timestamp,
    charged: u64,
) -> Result<bool> {
    let new = "INSERT INTO pins (repo_id, digest, until, charged) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    if tx.execute(new, args![repo, digest, until, charged]).await? == 1 {
        return Ok(true);
    }
    let known =
        "UPDATE pins SET until = CASE WHEN until > $3 THEN until ELSE $3 END WHERE repo_id = $1 AND digest = $2";
    match tx.execute(known, args![repo, digest, until]).await? {
        1 => Ok(false),
        // A version was published with it since the statement before.
        _ => Err(crate::pg::again()),
    }
}

/// Whether `repo` holds the blob, and a good copy of it is there: pinned there, or in a version there
/// that is a draft or published.
pub(crate) async fn held_in(tx: &mut Tx<'_>, repo: RepoId, digest: Sha256Digest) -> Result<bool> {
    let sql = "SELECT 1 WHERE EXISTS (SELECT 1 FROM copies WHERE digest = $2 AND state = 'good')
         AND (EXISTS (SELECT 1 FROM pins WHERE repo_id = $1 AND digest = $2)
         OR EXISTS (SELECT 1 FROM entries e JOIN versions v ON v.id = e.version_id
                    WHERE e.digest = $2 AND e.repo_id = $1 AND v.state IN ('draft', 'published'))
         OR EXISTS (SELECT 1 FROM manifests m JOIN versions v ON v.id = m.version_id
                    WHERE m.blob_digest = $2 AND v.repo_id = $1 AND v.state IN ('draft', 'published')))";
    Ok(tx.row(sql, args![repo, digest]).await?.is_some())
}

/// Which repositories a caller may read: those that everybody may read, and these.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// All of the tenant.
    pub every: bool,
    /// Or these.
    pub keys: std::collections::BTreeSet<model::RepoKey>,
    /// Also those of an upstream over which rules decide: what is asked for was seen to be let in.
    pub ruled: bool,
}

/// Whether a repository within `reach` holds the blob where its readers see it: pinned or published there. One statement, whether the blob exists or not; it walks the repositories of the
/// reach and probes an index for each, so that what lies outside makes no difference to its work. Only
/// looks: who goes on must lock the blob and look again.
pub(crate) async fn within_reach(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    digest: Sha256Digest,
    reach: &Reach,
) -> Result<bool> {
    let sql = "SELECT 1 FROM repositories r
         WHERE r.tenant_id = $1 AND r.retired_at IS NULL
            AND ($5 OR r.kind <> 'remote' OR r.rules = '[]')
            AND ($3 OR r.anonymous_read OR replace($4, '/' || r.key || '/', '') <> $4)
            AND (EXISTS (SELECT 1 FROM pins p WHERE p.repo_id = r.id AND p.digest = $2)
               OR EXISTS (SELECT 1 FROM entries e JOIN versions v ON v.id = e.version_id
                  WHERE e.digest = $2 AND e.repo_id = r.id AND v.state = 'published')) LIMIT 1";
    // No key holds a slash, so each is found exactly.
    let keys: String = reach.keys.iter().flat_map(|key| ["/", key.as_str(), "/"]).collect();
    Ok(tx.row(sql, args![tenant, digest, reach.every, keys, reach.ruled]).await?.is_some())
}

/// Marks a copy as damaged: it is never served again. Says whether a good one is left.
#[derive(Clone, Debug)]
pub struct MarkDamaged {
    /// Who and when.
    pub act: Act,
    /// The blob.
    pub digest: Sha256Digest,
    /// The copy.
    pub copy: CopyId,
    /// What was found.
    pub why: String,
}

impl Write for MarkDamaged {
    type Out = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool> {
        let sql = "UPDATE copies SET state = 'damaged' WHERE id = $1 AND digest = $2 AND state = 'good'";
        if tx.execute(sql, args![self.copy, self.digest]).await? == 1 {
            let id = self.digest.to_string();
            let detail = serde_json::json!({"copyId": self.copy.to_string(), "why": self.why});
            record(tx, &self.act, "blob.copy.damaged", On { repo: None, kind: "blob", id: &id }, &detail).await?;
            tx.touch_copies();
        }
        let left = "SELECT 1 FROM copies WHERE digest = $1 AND state = 'good' LIMIT 1";
        Ok(tx.row(left, args![self.digest]).await?.is_some())
    }
}
