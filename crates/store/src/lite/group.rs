//! One SQLite transaction that carries many writes and undoes those that refuse.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::reader::poll_once;
use crate::error::{Error, Result};
use crate::fresh::Touched;
use crate::session::{Session, Tx, lend};
use crate::store::Write;

/// A write that waits for its group, without its type.
pub(crate) trait Member: Send {
    /// Applies the write on the lent connection. May be called again after a rollback.
    fn apply(&mut self) -> Result<Touched>;
    /// Tells the caller: its own outcome when the group was committed, else why it was not.
    fn answer(self: Box<Self>, committed: Result<()>);
}

/// A write, its outcome and the caller who waits for it.
pub(crate) struct Waiting<W: Write> {
    write: W,
    outcome: Option<Result<W::Out>>,
    caller: oneshot::Sender<Result<W::Out>>,
}

impl<W: Write> Waiting<W> {
    pub(crate) fn new(write: W) -> (Self, oneshot::Receiver<Result<W::Out>>) {
        let (caller, answer) = oneshot::channel();
        (Self { write, outcome: None, caller }, answer)
    }
}

impl<W: Write> Member for Waiting<W> {
    fn apply(&mut self) -> Result<Touched> {
        let write = &self.write;
        let run = AssertUnwindSafe(|| {
            let mut tx = Tx::new(Session::lite(), 1);
            let out = poll_once(write.apply(&mut tx))??;
            Ok((out, tx.into_touched()))
        });
        let applied = catch_unwind(run).unwrap_or_else(|_| Err(Error::Defect("a write panicked".to_owned())));
        match applied {
            Ok((out, touched)) => {
                self.outcome = Some(Ok(out));
                Ok(touched)
            }
            Err(error) => {
                self.outcome = Some(Err(error.clone()));
                Err(error)
            }
        }
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let outcome = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) | (Err(_), Some(outcome @ Err(Error::Refused(_) | Error::Unseen(_)))) => outcome,
            (Err(error), _) => Err(error),
            (Ok(()), None) => Err(Error::Defect("a write was never applied".to_owned())),
        };
        drop(self.caller.send(outcome));
    }
}

/// How a member that is refused halfway is undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undo {
    /// By applying its whole group again, in savepoints. Costs nothing while nobody needs it, whereas
    /// a savepoint keeps a copy of every page that its member changes.
    Again,
    /// By its own savepoint.
    Savepoint,
}

/// What came of a member inside the transaction.
enum Applied {
    /// It counts.
    Done(Touched),
    /// It refused and left nothing behind.
    Refused,
    /// It refused and left something behind.
    Halfway,
}

/// The transaction under way.
pub(crate) struct Group {
    conn: Rc<Connection>,
    undo: Undo,
    members: Vec<Box<dyn Member>>,
    touched: Vec<Touched>,
    failed: Option<Error>,
}

impl Group {
    pub(crate) fn begin(conn: Rc<Connection>, undo: Undo, first: Box<dyn Member>) -> Self {
        let failed = run(&conn, "BEGIN IMMEDIATE").err();
        let mut group = Self { conn, undo, members: Vec::new(), touched: Vec::new(), failed };
        group.add(first);
        group
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// How members are undone by now.
    pub(crate) fn undo(&self) -> Undo {
        self.undo
    }

    /// Applies one more write. Its refusal undoes only itself.
    pub(crate) fn add(&mut self, mut member: Box<dyn Member>) {
        let applied = if self.failed.is_none() { self.apply(&mut *member) } else { Ok(Applied::Refused) };
        self.members.push(member);
        match applied {
            Ok(Applied::Done(touched)) => self.touched.push(touched),
            Ok(Applied::Refused) => {}
            Ok(Applied::Halfway) => self.again(),
            Err(error) => self.failed = Some(error),
        }
    }

    /// `Err`: the whole transaction is gone.
    fn apply(&self, member: &mut dyn Member) -> Result<Applied> {
        match self.undo {
            Undo::Again => in_the_open(&self.conn, member),
            Undo::Savepoint => in_savepoint(&self.conn, member),
        }
    }

    /// Begins anew with the same members, each in a savepoint from now on.
    fn again(&mut self) {
        rollback(&self.conn);
        self.undo = Undo::Savepoint;
        self.touched.clear();
        self.failed = run(&self.conn, "BEGIN IMMEDIATE").err();
        for member in std::mem::take(&mut self.members) {
            self.add(member);
        }
    }

    /// Commits, lets `after` see what was touched, then answers everybody. When the group as a
    /// whole was lost (a full disk rolls back all of it), each member gets a transaction of its own.
    pub(crate) fn commit(mut self, after: &mut dyn FnMut(&Touched)) -> Result<()> {
        if self.failed.is_none() {
            self.failed = run(&self.conn, "COMMIT").err();
        }
        let Some(error) = self.failed.take() else {
            self.touched.iter().for_each(&mut *after);
            self.members.into_iter().for_each(|member| member.answer(Ok(())));
            return Ok(());
        };
        rollback(&self.conn);
        if error.ends_writing() || self.members.len() == 1 {
            self.members.into_iter().for_each(|member| member.answer(Err(error.clone())));
            return Err(error);
        }
        let (conn, undo) = (self.conn, self.undo);
        self.members.into_iter().try_for_each(|member| {
            match Self::begin(Rc::clone(&conn), undo, member).commit(after) {
                Err(error) if error.ends_writing() => Err(error),
                _ => Ok(()),
            }
        })
    }
}

/// Without a savepoint. The connection counts every row that a statement or its triggers changed and
/// did not undo: while that number stands, there is nothing to undo.
fn in_the_open(conn: &Rc<Connection>, member: &mut dyn Member) -> Result<Applied> {
    let before = conn.total_changes();
    let applied = lend(conn, || member.apply());
    expect_transaction(conn, &applied)?;
    match applied {
        Ok(touched) => Ok(Applied::Done(touched)),
        Err(Error::Refused(_) | Error::Unseen(_) | Error::Defect(_)) if conn.total_changes() == before => {
            Ok(Applied::Refused)
        }
        Err(Error::Refused(_) | Error::Unseen(_) | Error::Defect(_)) => Ok(Applied::Halfway),
        Err(error) => Err(error),
    }
}

fn in_savepoint(conn: &Rc<Connection>, member: &mut dyn Member) -> Result<Applied> {
    run(conn, "SAVEPOINT member")?;
    let applied = lend(conn, || member.apply());
    expect_transaction(conn, &applied)?;
    match applied {
        Ok(touched) => {
            run(conn, "RELEASE member")?;
            Ok(Applied::Done(touched))
        }
        Err(Error::Refused(_) | Error::Unseen(_) | Error::Defect(_)) => {
            run(conn, "ROLLBACK TO member")?;
            run(conn, "RELEASE member")?;
            Ok(Applied::Refused)
        }
        Err(error) => Err(error),
    }
}

/// SQLite rolls everything back by itself where it must, e.g. when the disk is full.
fn expect_transaction(conn: &Connection, applied: &Result<Touched>) -> Result<()> {
    if !conn.is_autocommit() {
        return Ok(());
    }
    let why = applied.as_ref().err().cloned();
    Err(why.unwrap_or_else(|| Error::Defect("the transaction vanished".to_owned())))
}

fn run(conn: &Connection, sql: &str) -> Result<()> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn rollback(conn: &Connection) {
    if !conn.is_autocommit() && run(conn, "ROLLBACK").is_err() {
        tracing::error!("a rollback failed; the next transaction will say why");
    }
}
