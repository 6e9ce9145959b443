//! When each token was last seen: a counter, not an event, written in batches.

use model::{Timestamp, TokenId};

use crate::args;
use crate::error::Result;
use crate::session::Tx;
use crate::store::Write;

/// Notes uses of tokens. Later ones win; unknown tokens are left out.
#[derive(Clone, Debug)]
pub struct NoteUses {
    /// The tokens and when each was last seen, in the order of their ids (so that two processes
    /// that write at once wait for each other, and not in a circle).
    pub uses: Vec<(TokenId, Timestamp)>,
}

impl Write for NoteUses {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let sql = "INSERT INTO token_uses (token_id, last_used_at) SELECT id, $2 FROM tokens WHERE id = $1
             ON CONFLICT (token_id) DO UPDATE SET last_used_at = $2 WHERE token_uses.last_used_at < $2";
        for (token, at) in &self.uses {
            tx.execute(sql, args![*token, *at]).await?;
        }
        Ok(())
    }
}
