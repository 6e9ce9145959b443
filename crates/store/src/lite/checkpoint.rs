//! The log is copied into the database beside the writer: while a thread of its own copies what is there, commits go on,
//! and the writer copies no more than what came meanwhile. Then the log begins anew.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::open_writer;
use crate::error::{Error, Result};

/// Pages in the log from which on it is copied: 16 MiB.
const LONG: i32 = 4000;

thread_local! {
    /// Pages in the log after this thread's last commit.
    static PAGES: Cell<i32> = const { Cell::new(0) };
}

/// The copying of the log. Dropping it waits for what is being copied.
pub(super) struct Checkpoints {
    ask: Option<SyncSender<()>>,
    /// Set by the thread when it has copied what it was asked to.
    copied: Arc<AtomicBool>,
    asked: bool,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Begins to count the pages that `writer` commits, on the thread that commits them.
    pub(super) fn start(path: PathBuf, writer: &Connection) -> Result<Self> {
        // It takes the place of SQLite's own hook, which would copy before the commit is acknowledged.
        writer.wal_hook(Some(|_, pages| {
            PAGES.set(pages);
            Ok(())
        }));
        let (ask, asked) = sync_channel(1);
        let copied = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&copied);
        let thread = std::thread::Builder::new()
            .name("store-log".to_owned())
            .spawn(move || run(&path, &asked, &flag))
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self { ask: Some(ask), copied, asked: false, thread: Some(thread) })
    }

    /// To be called by the writer between two transactions.
    pub(super) fn look(&mut self, writer: &Connection) {
        if PAGES.get() < LONG {
            return;
        }
        if !self.asked {
            self.asked = self.ask.as_ref().is_some_and(|ask| ask.try_send(()).is_ok());
        } else if self.copied.swap(false, Ordering::Acquire) {
            copy(writer);
            self.asked = false;
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.ask = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn run(path: &std::path::Path, asked: &Receiver<()>, copied: &AtomicBool) {
    // Opened when it is first needed: a store that is seldom written to has no use for it.
    let mut conn = None;
    while asked.recv().is_ok() {
        if conn.is_none() {
            conn = open_writer(path).inspect_err(|error| tracing::warn!(%error, "the log cannot be copied")).ok();
        }
        conn.iter().for_each(copy);
        copied.store(true, Ordering::Release);
    }
}

/// Copies what nobody reads in the log any more, waiting for no one. What fails stays in the log, and is copied another time.
fn copy(conn: &Connection) {
    if let Err(error) = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the log could not be copied into the database");
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Commits 300 pages `times` times; returns the length of the log in bytes.
    fn grow(writer: &Connection, checkpoints: &mut Checkpoints, times: u32, log: &std::path::Path) -> Option<u64> {
        for _ in 0..times {
            writer.execute("INSERT INTO rows (bytes) VALUES (zeroblob(300 * 4096))", []).ok()?;
            checkpoints.look(writer);
        }
        Some(std::fs::metadata(log).ok()?.len())
    }

    #[test]
    fn the_log_begins_anew_when_it_was_copied() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, log) = (folder.path().join("some.db"), folder.path().join("some.db-wal"));
        let writer = open_writer(&path).expect("a database");
        writer.execute_batch("CREATE TABLE rows (id INTEGER PRIMARY KEY, bytes BLOB)").expect("a table");
        let mut checkpoints = Checkpoints::start(path.clone(), &writer).expect("a thread");
        // A little more than a long log: it is copied from now on.
        let long = grow(&writer, &mut checkpoints, 15, &log).expect("written");
        assert!(long > 15 * 300 * 4096, "{long}");
        let begun = Instant::now();
        while !checkpoints.copied.load(Ordering::Acquire) && begun.elapsed() < Duration::from_secs(60) {
            std::thread::yield_now();
        }
        assert!(std::fs::metadata(&path).expect("a file").len() > 12 * 300 * 4096, "the thread copied it");
        // The writer copies the rest, and what comes then overwrites the log.
        let same = grow(&writer, &mut checkpoints, 12, &log).expect("written");
        assert!(same < long + 2 * 301 * 4200, "{same} after {long}");
        drop(checkpoints);
        let rows: i64 = writer.query_row("SELECT count(*) FROM rows", [], |row| row.get(0)).expect("a count");
        assert_eq!(rows, 27);
    }
}
