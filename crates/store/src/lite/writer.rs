//! The one thread that writes: it takes what is waiting, applies it as one group, commits once.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::checkpoint::Checkpoints;
use super::group::{Group, Member, Undo};
use super::open_writer;
use crate::error::{Error, Result};
use crate::fresh::{Fresh, Touched};

/// Members of a group at most; more wait for the next.
const GROUP_MEMBERS: usize = 256;
/// How long a group may grow while more is waiting.
const GROUP_TIME: Duration = Duration::from_millis(4);
/// How long a group stays open, at most, for clients who were answered just before.
const GROUP_WAIT: Duration = Duration::from_millis(1);
/// Groups that use savepoints after one that had to be applied again, so that clients who are refused
/// halfway over and over cost the others little.
const CAREFUL_GROUPS: u32 = 64;
/// Writes that may wait for the writer before callers are held back.
const QUEUE: usize = 4096;

/// A handle on the writer thread. Dropping it lets the thread finish what it took and end.
pub(crate) struct Writer {
    queue: Option<SyncSender<Box<dyn Member>>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread does after a commit and before it acknowledges.
pub(crate) type AfterCommit = Box<dyn Fn(&Touched) + Send>;

impl Writer {
    /// Starts the thread on the database at `path`. It sets `stopped` when a sync fails or
    /// the database is damaged, and writes nothing once that is set, by whomever.
    pub(crate) fn start(
        path: PathBuf,
        fresh: Arc<Fresh>,
        stopped: Arc<OnceLock<Error>>,
        after: AfterCommit,
    ) -> Result<Self> {
        let (queue, waiting) = sync_channel(QUEUE);
        let conn = open_writer(&path)?;
        let checkpoints = Checkpoints::start(path, &conn)?;
        let body = move || run(conn, checkpoints, &waiting, &stopped, &fresh, &after);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(body)
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Hands a write over. A full queue is an overload: the caller is told to come back.
    pub(crate) fn submit(&self, member: Box<dyn Member>) -> Result<()> {
        let queue = self.queue.as_ref().ok_or_else(|| Error::Unavailable("the store is closed".to_owned()))?;
        queue.try_send(member).map_err(|_| Error::Unavailable("the store is overloaded or closed".to_owned()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn run(
    conn: Connection,
    mut checkpoints: Checkpoints,
    waiting: &Receiver<Box<dyn Member>>,
    stopped: &OnceLock<Error>,
    fresh: &Fresh,
    after: &AfterCommit,
) {
    let conn = Rc::new(conn);
    let mut pace = Pace::default();
    while let Ok(first) = waiting.recv() {
        if let Some(why) = stopped.get() {
            first.answer(Err(why.clone()));
            continue;
        }
        let mut group = Group::begin(Rc::clone(&conn), pace.undo(), first);
        gather(&mut group, waiting, &pace);
        pace.gathered(&group);
        let begun = Instant::now();
        let settled = group.commit(&mut |touched| {
            fresh.apply(touched);
            after(touched);
        });
        pace.commit = begun.elapsed();
        if let Err(error) = settled
            && error.ends_writing()
        {
            drop(stopped.set(error));
        }
        checkpoints.look(&conn);
    }
}

/// Takes what is waiting. Those who were just answered are likely to come back at once, so the group
/// stays open for as many as they were: as long as half a commit takes, never for a single client.
fn gather(group: &mut Group, waiting: &Receiver<Box<dyn Member>>, pace: &Pace) {
    let begun = Instant::now();
    let mut others = 0;
    while group.len() < GROUP_MEMBERS && begun.elapsed() < GROUP_TIME {
        match waiting.try_recv() {
            Ok(next) => {
                group.add(next);
                others += 1;
            }
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => break,
        }
    }
    let expected = (pace.answered + others).min(GROUP_MEMBERS);
    let until = begun + (pace.commit / 2).min(GROUP_WAIT);
    while group.len() < expected {
        match waiting.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(next) => group.add(next),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// What the groups before tell about the next.
#[derive(Default)]
struct Pace {
    /// Members of the last group.
    answered: usize,
    /// How long its commit took.
    commit: Duration,
    /// Groups that still use savepoints.
    careful: u32,
}

impl Pace {
    fn undo(&self) -> Undo {
        if self.careful == 0 { Undo::Again } else { Undo::Savepoint }
    }

    fn gathered(&mut self, group: &Group) {
        let spoilt = group.undo() != self.undo();
        self.careful = if spoilt { CAREFUL_GROUPS } else { self.careful.saturating_sub(1) };
        self.answered = group.len();
    }
}
