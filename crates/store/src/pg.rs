//! PostgreSQL: a pool, snapshots, and transactions that are run again when they must be.

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection, Postgres};
use tokio::time::{Instant, timeout_at};

use crate::error::{Error, Result};
use crate::fresh::Touched;
use crate::session::{Session, Tx};
use crate::store::Write;

/// How long one look or one transaction may take, the wait for a connection included. A database that is silent for
/// longer is away: whoever asked is told, and the connection is closed, since nobody knows what is on its wire.
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection that was idle for so long is tried before it is used.
const IDLE: Duration = Duration::from_secs(1);
/// How long that may take.
const PING: Duration = Duration::from_secs(2);
/// Attempts at a transaction that lost against another one.
const ATTEMPTS: u32 = 8;

/// The answer of a write that wants to be begun again, without the locks that it holds.
pub(crate) fn again() -> Error {
    Error::Lost("begun again".to_owned())
}

/// A pool of connections.
pub(crate) struct Pg {
    pool: PgPool,
}

impl Pg {
    /// Prepares the pool; connects when first used.
    pub(crate) fn connect(url: &str, size: u32) -> Result<Self> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| Error::Defect("the database URL is malformed".to_owned()))?
            .application_name("artifortress")
            .statement_cache_capacity(512);
        let pool = PgPoolOptions::new()
            .max_connections(size)
            .min_connections(0)
            .acquire_timeout(Duration::from_secs(8))
            .test_before_acquire(false)
            .before_acquire(|conn, found| Box::pin(is_alive(conn, found.idle_for)))
            .after_connect(|conn, _| Box::pin(expect_commits_to_last(conn)))
            .connect_lazy_with(options);
        Ok(Self { pool })
    }

    /// One statement sees one snapshot.
    pub(crate) async fn read<T, F>(&self, look: F) -> Result<T>
    where
        F: AsyncFnOnce(&mut Session<'_>) -> Result<T>,
    {
        let end = Instant::now() + PATIENCE;
        let mut conn = self.pool.acquire().await?;
        let found = timeout_at(end, look(&mut Session::pg(&mut conn))).await;
        let found = found.unwrap_or_else(|_| Err(silent()));
        close_if_useless(conn, &found);
        found
    }

    /// All statements of `look` see the same snapshot.
    pub(crate) async fn snapshot<T, F>(&self, look: F) -> Result<T>
    where
        F: AsyncFnOnce(&mut Session<'_>) -> Result<T>,
    {
        let end = Instant::now() + PATIENCE;
        let mut conn = self.pool.acquire().await?;
        let all = async {
            let mut transaction = conn.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            let found = look(&mut Session::pg(&mut transaction)).await?;
            transaction.commit().await?;
            Ok(found)
        };
        let found = timeout_at(end, all).await;
        let found = found.unwrap_or_else(|_| Err(silent()));
        close_if_useless(conn, &found);
        found
    }

    /// Runs `write` until it commits, refuses or runs out of attempts.
    pub(crate) async fn write<W: Write>(&self, write: &W) -> Result<(W::Out, Touched)> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.attempt(write, attempt).await {
                Err(Attempt::Lost(error)) if attempt < ATTEMPTS => {
                    tracing::debug!(%error, attempt, "a transaction lost and is run again");
                    tokio::time::sleep(Duration::from_millis(2 << attempt.min(6))).await;
                }
                Err(Attempt::Lost(error)) => return Err(Error::Unavailable(error.to_string())),
                Err(Attempt::Failed(error)) => return Err(error),
                Ok(done) => return Ok(done),
            }
        }
    }

    async fn attempt<W: Write>(&self, write: &W, number: u32) -> std::result::Result<(W::Out, Touched), Attempt> {
        let end = Instant::now() + PATIENCE;
        let mut conn = self.pool.acquire().await.map_err(Attempt::from)?;
        let committing = AtomicBool::new(false);
        let ended = timeout_at(end, transact(&mut conn, write, number, &committing)).await;
        let ended = ended.unwrap_or_else(|_| {
            let unknown = committing.load(Ordering::Relaxed);
            Err(Attempt::Failed(if unknown { Error::Unknown } else { silent() }))
        });
        match ended {
            Err(Attempt::Failed(error)) => {
                let failed = Err(error);
                close_if_useless(conn, &failed);
                failed.map_err(Attempt::Failed)
            }
            other => other,
        }
    }

    /// Runs a whole script (migrations) on one connection.
    pub(crate) async fn script(&self, sql: String) -> Result<()> {
        let mut conn = self.pool.acquire().await?;
        let done = conn.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await;
        done.map(drop).map_err(|error| {
            // Its transaction is still open.
            drop(conn.detach());
            match error.as_database_error().and_then(|cause| cause.code()).as_deref() {
                // duplicate_table, duplicate_object, duplicate_function
                Some("42P07" | "42710" | "42723") => crate::migrate::foreign(&error.to_string()),
                _ => error.into(),
            }
        })
    }
}

/// One transaction. `committing` is set before the commit is sent: from then on silence means that nobody knows.
async fn transact<W: Write>(
    conn: &mut PgConnection,
    write: &W,
    number: u32,
    committing: &AtomicBool,
) -> std::result::Result<(W::Out, Touched), Attempt> {
    let mut transaction = Connection::begin(conn).await.map_err(Attempt::from)?;
    let mut tx = Tx::new(Session::pg(&mut transaction), number);
    let out = write.apply(&mut tx).await;
    let touched = tx.into_touched();
    match out {
        Ok(out) => {
            committing.store(true, Ordering::Relaxed);
            transaction.commit().await.map_err(commit_error)?;
            Ok((out, touched))
        }
        Err(error) => {
            drop(transaction.rollback().await);
            Err(Attempt::from(error))
        }
    }
}

fn silent() -> Error {
    Error::Unavailable(format!("no answer within {PATIENCE:?}"))
}

/// A connection to a database that does not answer, or that takes no writes any more, is of no use when that has passed.
fn close_if_useless<T>(conn: PoolConnection<Postgres>, outcome: &Result<T>) {
    if matches!(outcome, Err(Error::Unavailable(_) | Error::Unknown)) {
        drop(conn.detach());
    }
}

/// Whether a connection that lay idle still leads to the database: it may have been restarted meanwhile.
async fn is_alive(conn: &mut PgConnection, idle: Duration) -> std::result::Result<bool, sqlx::Error> {
    Ok(idle < IDLE || tokio::time::timeout(PING, conn.ping()).await.is_ok_and(|answer| answer.is_ok()))
}

/// What is acknowledged must last: a server that answers before its log is on disk is told not to.
async fn expect_commits_to_last(conn: &mut PgConnection) -> std::result::Result<(), sqlx::Error> {
    let sql =
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";
    conn.execute(sql).await.map(drop)
}

/// How an attempt ended when it did not succeed.
enum Attempt {
    /// Another transaction won; the same write may win next time.
    Lost(Error),
    /// There is no point in trying again.
    Failed(Error),
}

impl From<sqlx::Error> for Attempt {
    fn from(error: sqlx::Error) -> Self {
        Self::from(Error::from(error))
    }
}

impl From<Error> for Attempt {
    fn from(error: Error) -> Self {
        if matches!(error, Error::Lost(_)) { Self::Lost(error) } else { Self::Failed(error) }
    }
}

/// A refused transaction means "no": a constraint (23) or a lost race (40). Whatever else comes back
/// from a commit, a broken connection or a proxy's word for one, means "nobody knows".
fn commit_error(error: sqlx::Error) -> Attempt {
    let code = error.as_database_error().and_then(|cause| cause.code()).map(|code| code.into_owned());
    match code.as_deref() {
        Some(code) if code.starts_with("23") || code.starts_with("40") => Attempt::from(error),
        _ => Attempt::Failed(Error::Unknown),
    }
}
