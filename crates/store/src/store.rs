//! The store itself: opening, reading, writing.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

use crate::error::{Error, Result};
use crate::fresh::Fresh;
use crate::lite::{self, Writer};
use crate::pg::Pg;
use crate::session::{Session, Tx};

/// Where the truth lives.
#[derive(Clone, Debug)]
pub enum Options {
    /// A SQLite file; created when missing. The caller owns the folder exclusively.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// A PostgreSQL database.
    Postgres {
        /// `postgres://…`; may hold a password.
        url: model::Secret<String>,
        /// Connections at most.
        pool: u32,
    },
}

/// Which engine is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Embedded.
    Sqlite,
    /// Shared by many processes.
    Postgres,
}

/// A change as plain data. `apply` runs inside one transaction; it may be run again from the start
/// (after a conflict or a lost group), so it must depend on nothing but `self` and the transaction,
/// and must wait for nothing but the transaction.
pub trait Write: Send + Sync + 'static {
    /// What the caller learns once the change is durable.
    type Out: Send + 'static;

    /// Makes the change, or refuses.
    fn apply(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Out>> + Send;
}

/// A handle on the database; cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Backend,
    work: Arc<Notify>,
    /// Why nothing is written any more.
    stopped: Arc<OnceLock<Error>>,
}

enum Backend {
    Lite { number: u64, path: PathBuf, writer: Writer, fresh: Arc<Fresh> },
    Pg(Pg),
}

static STORES: AtomicU64 = AtomicU64::new(1);

impl Store {
    /// Opens the database. SQLite is migrated at once; for PostgreSQL see [`Store::migrate`].
    pub async fn open(options: &Options, ambient: &model::Ambient) -> Result<Self> {
        let work = Arc::new(Notify::new());
        let stopped = Arc::new(OnceLock::new());
        let backend = match options {
            Options::Sqlite { path } => open_lite(path, &work, &stopped, ambient)?,
            Options::Postgres { url, pool } => Backend::Pg(Pg::connect(url.expose(), *pool)?),
        };
        Ok(Self { inner: Arc::new(Inner { backend, work, stopped }) })
    }

    /// Which engine this is.
    pub fn engine(&self) -> Engine {
        match self.inner.backend {
            Backend::Lite { .. } => Engine::Sqlite,
            Backend::Pg(_) => Engine::Postgres,
        }
    }

    /// Runs `look`; on PostgreSQL each of its statements sees its own moment. For looks at up to about 200 rows: on SQLite it runs right here.
    pub async fn read<T, F>(&self, look: F) -> Result<T>
    where
        F: AsyncFnOnce(&mut Session<'_>) -> Result<T>,
    {
        match &self.inner.backend {
            Backend::Lite { number, path, .. } => {
                let mut session = Session::lite();
                self.noticed(lite::read(*number, path, look(&mut session)))
            }
            // What waits for a connection is long, and would be part of everybody who reads.
            Backend::Pg(pg) => Box::pin(pg.read(look)).await,
        }
    }

    /// As [`Store::read`], for a look of several statements that must all see the same moment.
    pub async fn snapshot<T, F>(&self, look: F) -> Result<T>
    where
        F: AsyncFnOnce(&mut Session<'_>) -> Result<T>,
    {
        match &self.inner.backend {
            Backend::Lite { number, path, .. } => {
                let mut session = Session::lite();
                self.noticed(lite::read(*number, path, look(&mut session)))
            }
            Backend::Pg(pg) => Box::pin(pg.snapshot(look)).await,
        }
    }

    /// Applies `write`; returns once it is durable and every cache of this process knows.
    pub async fn write<W: Write>(&self, write: W) -> Result<W::Out> {
        if let Some(why) = self.stopped() {
            return Err(why.clone());
        }
        match &self.inner.backend {
            Backend::Lite { writer, .. } => {
                let (member, answer) = lite::Waiting::new(write);
                writer.submit(Box::new(member))?;
                answer.await.map_err(|_| Error::Unknown)?
            }
            Backend::Pg(pg) => {
                let (out, touched) = Box::pin(pg.write(&write)).await?;
                if touched.work {
                    self.inner.work.notify_waiters();
                }
                Ok(out)
            }
        }
    }

    /// The counters that say whether a cached answer still holds. `None` when other processes may
    /// write: then only the database knows.
    pub fn fresh(&self) -> Option<&Fresh> {
        match &self.inner.backend {
            Backend::Lite { fresh, .. } => Some(fresh),
            Backend::Pg(_) => None,
        }
    }

    /// Wakes when this process has committed an event or a job.
    pub fn work(&self) -> &Notify {
        &self.inner.work
    }

    /// Why nothing is written any more: a sync to disk has failed, or the database was found to be damaged.
    pub fn stopped(&self) -> Option<&Error> {
        self.inner.stopped.get()
    }

    /// Writes nothing any more: for when bytes that rows point at could not be synced. Only a restart
    /// lifts it. Rows that are being committed right now may still be.
    pub fn stop(&self, why: &str) {
        drop(self.inner.stopped.set(Error::Poisoned(why.to_owned())));
    }

    /// Who writes into a damaged file damages more of it.
    fn noticed<T>(&self, read: Result<T>) -> Result<T> {
        if let Err(error @ Error::Damaged(_)) = &read
            && self.inner.stopped.set(error.clone()).is_ok()
        {
            tracing::error!(%error, "nothing is written any more until it is mended and started again");
        }
        read
    }

    pub(crate) fn pg(&self) -> Option<&Pg> {
        match &self.inner.backend {
            Backend::Pg(pg) => Some(pg),
            Backend::Lite { .. } => None,
        }
    }
}

fn open_lite(
    path: &Path,
    work: &Arc<Notify>,
    stopped: &Arc<OnceLock<Error>>,
    ambient: &model::Ambient,
) -> Result<Backend> {
    crate::migrate::sqlite(path, ambient)?;
    let fresh = Arc::new(Fresh::default());
    let after = {
        let work = Arc::clone(work);
        move |touched: &crate::fresh::Touched| {
            if touched.work {
                work.notify_waiters();
            }
        }
    };
    let writer = Writer::start(path.to_owned(), Arc::clone(&fresh), Arc::clone(stopped), Box::new(after))?;
    let number = STORES.fetch_add(1, Ordering::Relaxed);
    Ok(Backend::Lite { number, path: path.to_owned(), writer, fresh })
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({:?})", self.engine())
    }
}
