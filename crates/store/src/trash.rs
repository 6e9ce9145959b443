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
