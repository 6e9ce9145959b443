//! Leases: one holder at a time, and a fencing number that tells a late one from the present one.
//!
//! Only PostgreSQL has rows here. A SQLite database belongs to one process for as long as that
//! process lives (it locks the folder), so there the lease is held by running: nothing is written,
//! nothing is renewed, and an idle server stays idle. A write that must not be done by a late holder
//! takes an `Option<Held>`; `None` is believed on SQLite alone.

use model::Timestamp;

use crate::args;
use crate::error::{Error, Result};
use crate::session::Tx;
use crate::store::Write;

/// Proof of having been the holder. Whether one still is, the database says: see [`guard`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What is held.
    pub name: String,
    /// By whom; unique to one run of one process.
    pub holder: String,
    /// Raised by every change of holder.
    pub fence: u64,
}

/// Takes a lease that is free, expired or already one's own. `None`: somebody else holds it.
#[derive(Clone, Debug)]
pub struct Acquire {
    /// What to hold.
    pub name: String,
    /// Who asks; unique to one run of one process.
    pub holder: String,
    /// Now.
    pub at: Timestamp,
    /// Until when, unless renewed.
    pub until: Timestamp,
}

impl Write for Acquire {
    type Out = Option<Held>;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Option<Held>> {
        let sql = "INSERT INTO leases (name, holder, fence, until) VALUES ($1, $2, 1, $4)
             ON CONFLICT (name) DO UPDATE SET holder = $2, until = $4,
                fence = leases.fence + CASE WHEN leases.holder = $2 THEN 0 ELSE 1 END
             WHERE leases.holder = $2 OR leases.until <= $3 RETURNING fence";
        let row = tx.row(sql, args![self.name, self.holder, self.at, self.until]).await?;
        row.map(|row| Ok(Held { name: self.name.clone(), holder: self.holder.clone(), fence: row.get(0)? })).transpose()
    }
}

/// Holds on for longer. `false`: it has expired or belongs to somebody else; stop and acquire anew.
#[derive(Clone, Debug)]
pub struct Renew {
    /// What was acquired.
    pub held: Held,
    /// Now.
    pub at: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

impl Write for Renew {
    type Out = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool> {
        let Held { name, holder, fence } = &self.held;
        let sql = "UPDATE leases SET until = $5 WHERE name = $1 AND holder = $2 AND fence = $3 AND until > $4";
        Ok(tx.execute(sql, args![*name, *holder, *fence, self.at, self.until]).await? == 1)
    }
}

/// Lets go, so that the next one need not wait. The row stays: its fence must go on rising.
#[derive(Clone, Debug)]
pub struct Release {
    /// What was acquired.
    pub held: Held,
    /// Now.
    pub at: Timestamp,
}

impl Write for Release {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let Held { name, holder, fence } = &self.held;
        let sql = "UPDATE leases SET until = $4 WHERE name = $1 AND holder = $2 AND fence = $3 AND until > $4";
        tx.execute(sql, args![*name, *holder, *fence, self.at]).await.map(drop)
    }
}

/// Refuses a write of a holder who was replaced, and keeps replacements out until the write ends.
/// A holder whose time is over but whom nobody has replaced may go on: nobody else is at work.
pub(crate) async fn guard(tx: &mut Tx<'_>, held: Option<&Held>) -> Result<()> {
    let Some(Held { name, holder, fence }) = held else {
        return if tx.is_lite() { Ok(()) } else { Err(Error::Defect("a shared database needs a lease".to_owned())) };
    };
    let sql = "SELECT 1 FROM leases WHERE name = $1 AND holder = $2 AND fence = $3 FOR UPDATE";
    match tx.row(sql, args![*name, *holder, *fence]).await? {
        Some(_) => Ok(()),
        None => Err(Error::conflict(format!("the lease {name} has passed to somebody else"))),
    }
}
