//! A table that is locked for as long as the test likes, however slow the machine is.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Stdio};

use rustix::process::Signal;

use crate::{Result, Trouble, environment, nursery};

/// A lock on a table, held by a session of its own until this is dropped.
pub struct Lock {
    session: Child,
    _open: ChildStdin,
}

impl Lock {
    /// Returns once the lock is held. `mode` is PostgreSQL's: `SHARE`, `ACCESS EXCLUSIVE`.
    pub(super) fn take(url: &str, table: &str, mode: &str) -> Result<Lock> {
        let mut command = nursery::guarded(&environment::program("psql", super::BIN)?, "KILL");
        command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", url]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut session = nursery::spawn(command)?;
        let (Some(mut open), Some(said)) = (session.stdin.take(), session.stdout.take()) else {
            return Err(Trouble::new("a session without pipes"));
        };
        writeln!(open, "BEGIN; LOCK TABLE {table} IN {mode} MODE; SELECT 'held';")?;
        let (lock, mut line) = (Lock { session, _open: open }, String::new());
        BufReader::new(said).read_line(&mut line)?;
        if line.trim() == "held" { Ok(lock) } else { Err(Trouble::new(format!("no {mode} lock on {table}"))) }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(nursery::signal(&self.session, Signal::KILL));
        drop(self.session.wait());
    }
}
