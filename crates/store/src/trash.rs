//! The trash: places whose rows are gone. Their bytes are deleted after the commit, exactly those;
//! the names stay, so that no place is ever used twice.

use model::Timestamp;

use crate::args;
use crate::error::Result;
use crate::session::{Session, Tx};
use crate::store::Write;

/// Places whose bytes still wait to be deleted, after the place `after`, in their order.
pub async fn waiting(session: &mut Session<'_>, after: &str, limit: u32) -> Result<Vec<String>> {
    let sql = "SELECT place FROM trash WHERE removed_at IS NULL AND place > $1 ORDER BY place LIMIT $2";
    session.rows(sql, args![*after, limit]).await?.iter().map(|row| row.get(0)).collect()
}

/// Whether anything waits.
pub async fn is_waiting(session: &mut Session<'_>) -> Result<bool> {
    Ok(session.row("SELECT 1 FROM trash WHERE removed_at IS NULL LIMIT 1", &[]).await?.is_some())
}

/// Locks a place that several blobs may share (a pack), to the end of the transaction: whether it is still
/// needed and whether it may be used is decided one at a time. Lock blobs first, then places in their
/// order. There is no row that stands for a place, so PostgreSQL locks its name; SQLite has one writer.
pub(crate) async fn lock_place(tx: &mut Tx<'_>, place: &str) -> Result<()> {
    if tx.is_lite() {
        return Ok(());
    }
    let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
    tx.execute(sql, args![*place]).await.map(drop)
}

/// Whether a locked place is in the trash: nothing may point at it any more.
pub(crate) async fn holds(tx: &mut Tx<'_>, place: &str) -> Result<bool> {
    Ok(tx.row("SELECT 1 FROM trash WHERE place = $1", args![*place]).await?.is_some())
}

/// Inline copies are at no place; without saying so, no index helps.
const SHARED: &str = "SELECT 1 FROM copies WHERE place = $1 AND kind <> 'inline' LIMIT 1";

/// Hands a place over for deletion unless a copy lives there. Locks it: of two who remove the last two
/// copies, the later one sees that nothing is left.
pub(crate) async fn discard_unless_shared(tx: &mut Tx<'_>, place: &str, at: Timestamp) -> Result<()> {
    lock_place(tx, place).await?;
    // A statement of its own: what was committed while the lock was waited for must be seen.
    if tx.row(SHARED, args![*place]).await?.is_none() {
        crate::blobs::discard(tx, place, at).await?;
    }
    Ok(())
}

/// The bytes at these places are gone.
#[derive(Clone, Debug)]
pub struct Removed {
    /// Where.
    pub places: Vec<String>,
    /// Now.
    pub at: Timestamp,
}

impl Write for Removed {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        for place in &self.places {
            let sql = "UPDATE trash SET removed_at = $2 WHERE place = $1 AND removed_at IS NULL";
            tx.execute(sql, args![*place, self.at]).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::SHARED;
    use crate::args;

    /// Whatever the number of copies: the index by place is made for this question.
    #[tokio::test]
    async fn whether_a_place_is_shared_is_found_by_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let (options, ambient) =
            (crate::Options::Sqlite { path: folder.path().join("truth.db") }, model::Ambient::system());
        let store = crate::Store::open(&options, &ambient).await.expect("a store");
        let sql: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {SHARED}").into_boxed_str());
        let look = async |session: &mut crate::Session<'_>| session.rows(sql, args!["p".to_owned()]).await;
        let steps = store.read(look).await.expect("a plan");
        let steps: Vec<String> = steps.iter().map(|step| step.get(3).expect("words")).collect();
        assert!(steps.iter().all(|step| step.starts_with("SEARCH copies USING")), "{steps:?}");
    }
}
