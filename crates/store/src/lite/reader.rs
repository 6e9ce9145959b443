//! Reads run where they are asked for, on this thread's own connection: no hand-over, no waiting.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use rusqlite::Connection;

use super::open_reader;
use crate::error::{Error, Result};
use crate::session::lend;

thread_local! {
    /// This thread's connections, by the number of the store they belong to.
    static READERS: RefCell<HashMap<u64, Rc<Connection>>> = RefCell::new(HashMap::new());
}

/// Runs `work` inside one read transaction of store number `store` at `path`.
pub(crate) fn read<T>(store: u64, path: &Path, work: impl Future<Output = Result<T>>) -> Result<T> {
    let conn = connection(store, path)?;
    conn.prepare_cached("BEGIN")?.execute([])?;
    let answer = lend(&conn, || poll_once(work));
    let ended = conn.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
    if ended.is_err() {
        READERS.with_borrow_mut(|readers| readers.remove(&store));
    }
    answer?
}

/// A future over a SQLite session is ready at its first poll; one that is not has waited for
/// something else, which a transaction must never do.
pub(crate) fn poll_once<T>(work: impl Future<Output = T>) -> Result<T> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Ok(answer),
        Poll::Pending => Err(Error::Defect("a transaction waited for something outside the database".to_owned())),
    }
}

fn connection(store: u64, path: &Path) -> Result<Rc<Connection>> {
    READERS.with_borrow_mut(|readers| {
        if let Some(conn) = readers.get(&store) {
            return Ok(Rc::clone(conn));
        }
        let conn = Rc::new(open_reader(path)?);
        readers.insert(store, Rc::clone(&conn));
        Ok(conn)
    })
}
