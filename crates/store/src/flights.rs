//! Who is asking an upstream right now. Being second does no harm: what is brought twice is the same, or is refused by a
//! unique key. So no fence is needed, and rows go away.

use model::{EventId, RepoId, Timestamp};

use crate::args;
use crate::error::Result;
use crate::session::Tx;
use crate::store::Write;

/// Takes a flight that nobody has, or prolongs one's own. `false`: somebody else has it.
#[derive(Clone, Debug)]
pub struct Board {
    /// The remote repository.
    pub repo: RepoId,
    /// What is asked for.
    pub name: String,
    /// Who asks; unique to this flight.
    pub holder: EventId,
    /// Now.
    pub at: Timestamp,
    /// Until when, unless prolonged.
    pub until: Timestamp,
}

impl Write for Board {
    type Out = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool> {
        let sql = "INSERT INTO flights (repo_id, name, holder, until) VALUES ($1, $2, $3, $5)
             ON CONFLICT (repo_id, name) DO UPDATE SET holder = $3, until = $5
             WHERE flights.holder = $3 OR flights.until <= $4";
        let args = args![self.repo, self.name, self.holder, self.at, self.until];
        Ok(tx.execute(sql, args).await? == 1)
    }
}

/// It is over.
#[derive(Clone, Debug)]
pub struct Land {
    /// The remote repository.
    pub repo: RepoId,
    /// What was asked for.
    pub name: String,
    /// Who asked.
    pub holder: EventId,
}

impl Write for Land {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let sql = "DELETE FROM flights WHERE repo_id = $1 AND name = $2 AND holder = $3";
        tx.execute(sql, args![self.repo, self.name, self.holder]).await.map(drop)
    }
}
