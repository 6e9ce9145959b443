//! SQLite: one writer thread that groups commits, and a read-only connection per reading thread.

mod checkpoint;
mod group;
mod reader;
mod writer;

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::Result;

pub(crate) use group::Waiting;
pub(crate) use reader::{poll_once, read};
pub(crate) use writer::Writer;

/// Statements kept prepared per connection; above the number of statements that we have.
const STATEMENT_CACHE: usize = 512;

/// Opens the connection that may write, creating the database when it is missing. What a statement or
/// a savepoint may have to undo is kept in memory: a file for it cost two writes for each page touched.
pub(crate) fn open_writer(path: &Path) -> Result<Connection> {
    let conn = Connection::open(path)?;
    settle(&conn)?;
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -4000;
         PRAGMA temp_store = MEMORY;",
    )?;
    Ok(conn)
}

/// Opens a connection that can only read.
pub(crate) fn open_reader(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    settle(&conn)?;
    conn.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -2000;")?;
    Ok(conn)
}

/// Opens a connection that can only read, for a look: makes no file beside the database. Without a log nobody has the
/// database open, and nobody is expected to change it meanwhile.
pub(crate) fn open_still(path: &Path) -> Result<Connection> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if Path::new(&log).exists() {
        return open_reader(path);
    }
    let still = format!("file:{}?immutable=1", for_uri(path));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let conn = Connection::open_with_flags(still, flags)?;
    settle(&conn)?;
    Ok(conn)
}

/// A path as a URI has it: everything but plain characters by its code.
fn for_uri(path: &Path) -> String {
    let code = |byte: &u8| match byte {
        b'/' | b'.' | b'-' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(*byte).to_string(),
        other => format!("%{other:02X}"),
    };
    path.as_os_str().as_bytes().iter().map(code).collect()
}

fn settle(conn: &Connection) -> Result<()> {
    conn.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    conn.busy_timeout(Duration::from_secs(5))?;
    Ok(())
}
