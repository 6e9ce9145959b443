//! A look at a database that changes nothing in it: before a start, and for whoever doubts it.

use std::path::Path;
use std::rc::Rc;

use rusqlite::Connection;

use super::ledger::Ledger;
use super::{MigrationState, walls};
use crate::error::{Error, Result};
use crate::lite::{open_still, poll_once};
use crate::pg::Pg;
use crate::session::{Session, lend};
use crate::store::Options;
use crate::tenants::{Stamps, stamps};

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The ledger of steps, and the names of what they made: milliseconds.
    Schema,
    /// Also every page of a SQLite file: reads all of it.
    Pages,
}

/// What a sound database says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Whether its schema is this program's.
    pub state: MigrationState,
    /// What it is stamped with.
    pub stamps: Stamps,
}

/// Looks at a database without writing anything or making anything, also while a server uses it. `None`: there is none
/// yet. An error when it is damaged, another program's, too new for this one, or lacks a part of its schema.
pub async fn inspect(options: &Options, depth: Depth) -> Result<Option<Inspection>> {
    match options {
        Options::Sqlite { path } => inspect_file(path, depth),
        Options::Postgres { url, .. } => Pg::connect(url.expose(), 1)?.read(look).await,
    }
}

pub(super) fn inspect_file(path: &Path, depth: Depth) -> Result<Option<Inspection>> {
    // SQLite makes a file of no length before its first write.
    if !path.exists() || path.metadata().is_ok_and(|file| file.is_file() && file.len() == 0) {
        return Ok(None);
    }
    let conn = Rc::new(open_still(path)?);
    if depth == Depth::Pages {
        check_pages(&conn)?;
    }
    lend(&conn, || poll_once(look(&mut Session::lite())))?
}

async fn look(session: &mut Session<'_>) -> Result<Option<Inspection>> {
    let ledger = Ledger::of(session).await?;
    let state = ledger.check()?;
    if ledger.version() == 0 {
        return Ok(None);
    }
    walls::check(session, ledger.version()).await?;
    Ok(Some(Inspection { state, stamps: stamps(session).await? }))
}

fn check_pages(conn: &Connection) -> Result<()> {
    let mut check = conn.prepare("PRAGMA quick_check(3)")?;
    let lines: Vec<String> = check.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    match lines.as_slice() {
        [word] if word == "ok" => Ok(()),
        _ => Err(Error::Damaged(lines.join("; ").replace('\n', " "))),
    }
}
