//! One SQLite transaction that carries many writes, each in its own savepoint.

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
            (Ok(()), Some(outcome)) | (Err(_), Some(outcome @ Err(Error::Refused(_)))) => outcome,
            (Err(error), _) => Err(error),
            (Ok(()), None) => Err(Error::Defect("a write was never applied".to_owned())),
        };
        drop(self.caller.send(outcome));
    }
}

/// The transaction under way.
pub(crate) struct Group {
    conn: Rc<Connection>,
    members: Vec<Box<dyn Member>>,
    touched: Vec<Touched>,
    failed: Option<Error>,
}

impl Group {
    pub(crate) fn begin(conn: Rc<Connection>, first: Box<dyn Member>) -> Self {
        let failed = run(&conn, "BEGIN IMMEDIATE").err();
        let mut group = Self { conn, members: Vec::new(), touched: Vec::new(), failed };
        group.add(first);
        group
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// Applies one more write. Its refusal undoes only itself.
    pub(crate) fn add(&mut self, mut member: Box<dyn Member>) {
        if self.failed.is_none() {
            match in_savepoint(&self.conn, &mut *member) {
                Ok(touched) => self.touched.extend(touched),
                Err(error) => self.failed = Some(error),
            }
        }
        self.members.push(member);
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
        if matches!(error, Error::Poisoned(_)) || self.members.len() == 1 {
            self.members.into_iter().for_each(|member| member.answer(Err(error.clone())));
            return Err(error);
        }
        let conn = self.conn;
        self.members.into_iter().try_for_each(|member| match Self::begin(Rc::clone(&conn), member).commit(after) {
            Err(error @ Error::Poisoned(_)) => Err(error),
            _ => Ok(()),
        })
    }
}

/// `Ok(None)`: the member refused and undid itself. `Err`: the whole transaction is gone.
fn in_savepoint(conn: &Rc<Connection>, member: &mut dyn Member) -> Result<Option<Touched>> {
    run(conn, "SAVEPOINT member")?;
    let applied = lend(conn, || member.apply());
    if conn.is_autocommit() {
        return Err(applied.err().unwrap_or_else(|| Error::Defect("the transaction vanished".to_owned())));
    }
    match applied {
        Ok(touched) => {
            run(conn, "RELEASE member")?;
            Ok(Some(touched))
        }
        Err(Error::Refused(_) | Error::Defect(_)) => {
            run(conn, "ROLLBACK TO member")?;
            run(conn, "RELEASE member")?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
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
