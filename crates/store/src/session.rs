//! Statements inside one snapshot or one transaction.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use model::{Code, CopyId};
use rusqlite::StatementStatus;
use rusqlite::types::{ToSqlOutput, ValueRef};
use sqlx::postgres::PgConnection;

use crate::dialect;
use crate::error::{Error, Result};
use crate::fresh::Touched;
use crate::value::{Kind, Lite, Row, Value};
use crate::when::When;

/// Reads. All statements of one session see the same moment.
pub struct Session<'c> {
    conn: Conn<'c>,
}

enum Conn<'c> {
    /// The connection that this thread lends for the time of one poll: see [`lend`].
    Lite,
    Pg(&'c mut PgConnection),
}

/// A transaction: reads and writes, all or nothing.
pub struct Tx<'c> {
    session: Session<'c>,
    touched: Touched,
    attempt: u32,
    seen: Vec<CopyId>,
}

impl<'c> Session<'c> {
    pub(crate) fn lite() -> Self {
        Self { conn: Conn::Lite }
    }

    pub(crate) fn is_lite(&self) -> bool {
        matches!(self.conn, Conn::Lite)
    }

    pub(crate) fn pg(conn: &'c mut PgConnection) -> Self {
        Self { conn: Conn::Pg(conn) }
    }

    /// All rows of a query.
    pub async fn rows(&mut self, sql: &'static str, args: &[Value<'_>]) -> Result<Vec<Row>> {
        begin(args)?;
        match &mut self.conn {
            Conn::Lite => borrowed(|conn| lite_rows(conn, sql, args)),
            Conn::Pg(conn) => {
                let rows = bind(sql, args).fetch_all(&mut **conn).await?;
                Ok(rows.into_iter().map(|row| Row::Pg(Box::new(row))).collect())
            }
        }
    }

    /// The first row of a query, if any.
    pub async fn row(&mut self, sql: &'static str, args: &[Value<'_>]) -> Result<Option<Row>> {
        begin(args)?;
        match &mut self.conn {
            Conn::Lite => borrowed(|conn| lite_row(conn, sql, args)),
            Conn::Pg(conn) => {
                let row = bind(sql, args).fetch_optional(&mut **conn).await?;
                Ok(row.map(|row| Row::Pg(Box::new(row))))
            }
        }
    }

    /// All rows of the first of two queries as of now; as of a moment, of the second one, whose last argument it is.
    pub(crate) async fn rows_as_of(
        &mut self,
        when: When,
        [now, then]: [&'static str; 2],
        args: &[Value<'_>],
    ) -> Result<Vec<Row>> {
        match when {
            When::Now => self.rows(now, args).await,
            When::At(at) => self.rows(then, &[args, &[Value::Int(at.0)]].concat()).await,
        }
    }
}

impl<'c> std::ops::Deref for Tx<'c> {
    type Target = Session<'c>;
    fn deref(&self) -> &Self::Target {
        &self.session
    }
}

impl std::ops::DerefMut for Tx<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.session
    }
}

impl<'c> Tx<'c> {
    /// `attempt`: how often the write has been begun, this time included.
    pub(crate) fn new(session: Session<'c>, attempt: u32) -> Self {
        Self { session, touched: Touched::default(), attempt, seen: Vec::new() }
    }

    /// How often the write has been begun, this time included. On SQLite always 1.
    pub(crate) fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Runs a statement; returns how many rows it changed.
    pub async fn execute(&mut self, sql: &'static str, args: &[Value<'_>]) -> Result<u64> {
        begin(args)?;
        match &mut self.session.conn {
            Conn::Lite => borrowed(|conn| lite_execute(conn, sql, args)),
            Conn::Pg(conn) => Ok(bind(sql, args).execute(&mut **conn).await?.rows_affected()),
        }
    }

    /// Caches must forget what they know of this package once the transaction has committed.
    pub(crate) fn touch_package(&mut self, package: model::PackageId) {
        self.touched.packages.push(package);
    }

    /// Raises the counter of who may do what: every process asks anew from the next request on.
    pub(crate) async fn touch_auth(&mut self) -> Result<()> {
        self.touched.auth = true;
        self.execute("UPDATE epochs SET value = value + 1 WHERE name = 'auth'", &[]).await.map(drop)
    }

    /// Raises the counter of repositories and their settings.
    pub(crate) async fn touch_config(&mut self) -> Result<()> {
        self.touched.config = true;
        self.execute("UPDATE epochs SET value = value + 1 WHERE name = 'config'", &[]).await.map(drop)
    }

    /// The copies of a blob that existed before have changed.
    pub(crate) fn touch_copies(&mut self) {
        self.touched.copies = true;
    }

    /// There is something new in the journal or in the queue.
    pub(crate) fn touch_work(&mut self) {
        self.touched.work = true;
    }

    /// Somebody has looked at these copies, and they are there.
    pub(crate) fn see(&mut self, copies: &[CopyId]) {
        self.seen.extend_from_slice(copies);
    }

    pub(crate) fn has_seen(&self, copy: CopyId) -> bool {
        self.seen.contains(&copy)
    }

    pub(crate) fn into_touched(self) -> Touched {
        self.touched
    }
}

/// Counts a statement. A text that PostgreSQL could not keep is refused before it is sent, on both engines.
fn begin(args: &[Value<'_>]) -> Result<()> {
    count_statement();
    match args.iter().any(|arg| matches!(arg, Value::Text(text) if text.contains('\0'))) {
        true => Err(Error::refuse(Code::BadRequest, "a text with the character U+0000 can be neither kept nor found")),
        false => Ok(()),
    }
}

fn bind<'q>(
    sql: &'static str,
    args: &'q [Value<'_>],
) -> sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments> {
    args.iter().fold(sqlx::query(sql), |query, arg| match arg {
        Value::Null(Kind::Int) => query.bind(None::<i64>),
        Value::Null(Kind::Text) => query.bind(None::<String>),
        Value::Null(Kind::Bytes) => query.bind(None::<Vec<u8>>),
        Value::Null(Kind::Uuid) => query.bind(None::<uuid::Uuid>),
        Value::Null(Kind::Bool) => query.bind(None::<bool>),
        Value::Int(n) => query.bind(*n),
        Value::Text(t) => query.bind(*t),
        Value::Bytes(b) => query.bind(*b),
        Value::Uuid(u) => query.bind(*u),
        Value::Bool(b) => query.bind(*b),
    })
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null(_) => ValueRef::Null,
            Value::Int(n) => ValueRef::Integer(*n),
            Value::Text(t) => ValueRef::Text(t.as_bytes()),
            Value::Bytes(b) => ValueRef::Blob(b),
            Value::Uuid(u) => ValueRef::Blob(u.as_bytes()),
            Value::Bool(b) => ValueRef::Integer(i64::from(*b)),
        }))
    }
}

thread_local! {
    /// The SQLite connection that is lent to sessions on this thread right now.
    static LENT: RefCell<Option<Rc<rusqlite::Connection>>> = const { RefCell::new(None) };
    /// SQLite's form of each statement text, by the address of the original.
    static TEXTS: RefCell<HashMap<(usize, usize), &'static str>> = RefCell::new(HashMap::new());
    /// How many statements this thread has sent: tests assert on it.
    static STATEMENTS: Cell<u64> = const { Cell::new(0) };
}

fn count_statement() {
    STATEMENTS.set(STATEMENTS.get().wrapping_add(1));
}

/// How many statements this thread has sent so far. For tests that bound the cost of a route.
pub fn statements_sent() -> u64 {
    STATEMENTS.get()
}

/// Lends `conn` to the sessions of this thread while `work` runs; taken back also on a panic.
pub(crate) fn lend<T>(conn: &Rc<rusqlite::Connection>, work: impl FnOnce() -> T) -> T {
    struct Guard(Option<Rc<rusqlite::Connection>>);
    impl Drop for Guard {
        fn drop(&mut self) {
            LENT.set(self.0.take());
        }
    }
    let _guard = Guard(LENT.replace(Some(Rc::clone(conn))));
    work()
}

fn borrowed<T>(work: impl FnOnce(&rusqlite::Connection) -> Result<T>) -> Result<T> {
    LENT.with_borrow(|lent| match lent {
        Some(conn) => work(conn),
        None => Err(Error::Defect("a session was used outside its poll".to_owned())),
    })
}

fn sqlite_text(sql: &'static str) -> &'static str {
    let key = (sql.as_ptr() as usize, sql.len());
    TEXTS.with_borrow_mut(|texts| {
        *texts.entry(key).or_insert_with(|| Box::leak(dialect::for_sqlite(sql).into_boxed_str()))
    })
}

/// Rows that a statement goes through one by one, no index leading to them, before it is told of.
const MANY: i32 = 5_000;

/// Tells of a statement that went through a whole table: on a store that is full it takes long.
fn tell_of_scans(statement: &rusqlite::Statement<'_>, sql: &'static str) {
    let rows = statement.reset_status(StatementStatus::FullscanStep);
    if rows >= MANY {
        tracing::debug!(rows, sql, "a statement went through a whole table");
    }
}

fn lite_execute(conn: &rusqlite::Connection, sql: &'static str, args: &[Value<'_>]) -> Result<u64> {
    let mut statement = conn.prepare_cached(sqlite_text(sql))?;
    let changed = statement.execute(rusqlite::params_from_iter(args))?;
    tell_of_scans(&statement, sql);
    Ok(changed as u64)
}

fn lite_rows(conn: &rusqlite::Connection, sql: &'static str, args: &[Value<'_>]) -> Result<Vec<Row>> {
    let mut statement = conn.prepare_cached(sqlite_text(sql))?;
    let columns = statement.column_count();
    let mut rows = statement.query(rusqlite::params_from_iter(args))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(lite_columns(row, columns)?);
    }
    drop(rows);
    tell_of_scans(&statement, sql);
    Ok(found)
}

fn lite_row(conn: &rusqlite::Connection, sql: &'static str, args: &[Value<'_>]) -> Result<Option<Row>> {
    let mut statement = conn.prepare_cached(sqlite_text(sql))?;
    let columns = statement.column_count();
    let mut rows = statement.query(rusqlite::params_from_iter(args))?;
    let first = rows.next()?.map(|row| lite_columns(row, columns)).transpose()?;
    drop(rows);
    tell_of_scans(&statement, sql);
    Ok(first)
}

fn lite_columns(row: &rusqlite::Row<'_>, columns: usize) -> Result<Row> {
    let values = (0..columns).map(|index| {
        Ok(match row.get_ref(index)? {
            ValueRef::Null => Lite::Null,
            ValueRef::Integer(n) => Lite::Int(n),
            ValueRef::Text(t) => Lite::Text(String::from_utf8_lossy(t).into_owned()),
            ValueRef::Blob(b) => Lite::Bytes(b.to_vec()),
            ValueRef::Real(_) => return Err(Error::Defect("a REAL column".to_owned())),
        })
    });
    Ok(Row::Lite(values.collect::<Result<_>>()?))
}
