//! What goes into a statement and what comes out, the same on both engines.

use sqlx::Row as _;
use uuid::Uuid;

use crate::error::{Error, Result};

/// The types that a column can have. Times are microseconds in an `Int`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// BIGINT / INTEGER.
    Int,
    /// TEXT, compared by bytes on both engines.
    Text,
    /// BYTEA / BLOB.
    Bytes,
    /// UUID / BLOB of 16 bytes.
    Uuid,
    /// BOOLEAN / INTEGER 0 or 1.
    Bool,
}

/// An argument of a statement; borrowed, so that binding copies nothing on SQLite.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// No value, of a known type (PostgreSQL wants to know).
    Null(Kind),
    /// A whole number.
    Int(i64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// An id.
    Uuid(Uuid),
    /// A truth value.
    Bool(bool),
}

/// Types that can be an argument.
pub trait Argument {
    /// The column type it belongs to.
    const KIND: Kind;
    /// The argument itself.
    fn value(&self) -> Value<'_>;
}

macro_rules! argument {
    ($($type:ty => $kind:ident, |$it:ident| $value:expr;)+) => {$(
        impl Argument for $type {
            const KIND: Kind = Kind::$kind;
            fn value(&self) -> Value<'_> {
                let $it = self;
                $value
            }
        }
    )+};
}

argument! {
    i64 => Int, |it| Value::Int(*it);
    u32 => Int, |it| Value::Int(i64::from(*it));
    u64 => Int, |it| Value::Int(i64::try_from(*it).unwrap_or(i64::MAX));
    bool => Bool, |it| Value::Bool(*it);
    str => Text, |it| Value::Text(it);
    String => Text, |it| Value::Text(it);
    [u8] => Bytes, |it| Value::Bytes(it);
    Vec<u8> => Bytes, |it| Value::Bytes(it);
    [u8; 32] => Bytes, |it| Value::Bytes(it);
    Uuid => Uuid, |it| Value::Uuid(*it);
    model::Timestamp => Int, |it| Value::Int(it.0);
    model::Sha256Digest => Bytes, |it| Value::Bytes(&it.0);
    model::RepoKey => Text, |it| Value::Text(it.as_str());
    model::EntryPath => Text, |it| Value::Text(it.as_str());
    model::PackageName => Text, |it| Value::Text(it.as_str());
    model::RefName => Text, |it| Value::Text(it.as_str());
    model::VersionName => Text, |it| Value::Text(it.as_str());
    model::Subject => Text, |it| Value::Text(it.as_str());
}

macro_rules! id_arguments {
    ($($id:ident),+) => {$(
        impl Argument for model::$id {
            const KIND: Kind = Kind::Uuid;
            fn value(&self) -> Value<'_> {
                Value::Uuid(self.0)
            }
        }
        impl Column for model::$id {
            fn lite(value: &Lite) -> Option<Self> {
                Uuid::lite(value).map(Self)
            }
            fn pg(row: &sqlx::postgres::PgRow, index: usize) -> Result<Self> {
                Uuid::pg(row, index).map(Self)
            }
        }
    )+};
}

id_arguments!(
    CopyId,
    CorrelationId,
    EntryId,
    EventId,
    JobId,
    MarkId,
    ObservationId,
    PackageId,
    PinId,
    PrincipalId,
    RefId,
    RepoId,
    TenantId,
    TokenId,
    TombstoneId,
    UploadId,
    VersionId,
    WaiverId
);

impl<T: Argument + ?Sized> Argument for &T {
    const KIND: Kind = T::KIND;
    fn value(&self) -> Value<'_> {
        (**self).value()
    }
}

impl<T: Argument> Argument for Option<T> {
    const KIND: Kind = T::KIND;
    fn value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null(T::KIND), T::value)
    }
}

/// Builds the arguments of a statement: `args![id, name, now]`.
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        &[$($crate::Argument::value(&$value)),*]
    };
}

/// A value that SQLite gave back.
#[derive(Clone, Debug)]
pub enum Lite {
    /// NULL.
    Null,
    /// INTEGER.
    Int(i64),
    /// TEXT.
    Text(String),
    /// BLOB.
    Bytes(Vec<u8>),
}

/// A row of a result. Columns are read by position, in the order of the statement.
#[derive(Debug)]
pub enum Row {
    /// From SQLite.
    Lite(Vec<Lite>),
    /// From PostgreSQL.
    Pg(Box<sqlx::postgres::PgRow>),
}

/// Types that can be read from a column.
pub trait Column: Sized {
    /// From SQLite; `None` when the type does not fit.
    fn lite(value: &Lite) -> Option<Self>;
    /// From PostgreSQL.
    fn pg(row: &sqlx::postgres::PgRow, index: usize) -> Result<Self>;
}

impl Row {
    /// The column at `index`. A type that does not fit is a defect.
    pub fn get<T: Column>(&self, index: usize) -> Result<T> {
        match self {
            Self::Lite(values) => values
                .get(index)
                .and_then(T::lite)
                .ok_or_else(|| Error::Defect(format!("column {index} does not have the expected type"))),
            Self::Pg(row) => T::pg(row, index),
        }
    }
}

macro_rules! columns {
    ($($type:ty, $via:ty, |$lite:ident| $from:expr;)+) => {$(
        impl Column for $type {
            fn lite($lite: &Lite) -> Option<Self> {
                $from
            }
            fn pg(row: &sqlx::postgres::PgRow, index: usize) -> Result<Self> {
                row.try_get::<$via, _>(index)?.try_into().map_err(|_| Error::Defect(format!("column {index}")))
            }
        }
    )+};
}

columns! {
    i64, i64, |v| match v { Lite::Int(n) => Some(*n), _ => None };
    u64, i64, |v| match v { Lite::Int(n) => u64::try_from(*n).ok(), _ => None };
    u32, i64, |v| match v { Lite::Int(n) => u32::try_from(*n).ok(), _ => None };
    bool, bool, |v| match v { Lite::Int(n) => Some(*n != 0), _ => None };
    String, String, |v| match v { Lite::Text(t) => Some(t.clone()), _ => None };
    Vec<u8>, Vec<u8>, |v| match v { Lite::Bytes(b) => Some(b.clone()), _ => None };
    Uuid, Uuid, |v| match v { Lite::Bytes(b) => Uuid::from_slice(b).ok(), _ => None };
}

impl Column for model::Timestamp {
    fn lite(value: &Lite) -> Option<Self> {
        i64::lite(value).map(Self)
    }
    fn pg(row: &sqlx::postgres::PgRow, index: usize) -> Result<Self> {
        i64::pg(row, index).map(Self)
    }
}

impl Column for model::Sha256Digest {
    fn lite(value: &Lite) -> Option<Self> {
        match value {
            Lite::Bytes(bytes) => Self::from_slice(bytes),
            _ => None,
        }
    }
    fn pg(row: &sqlx::postgres::PgRow, index: usize) -> Result<Self> {
        let bytes: &[u8] = row.try_get(index)?;
        Self::from_slice(bytes).ok_or_else(|| Error::Defect(format!("column {index} is not a digest")))
    }
}

impl<T: Column> Column for Option<T> {
    fn lite(value: &Lite) -> Option<Self> {
        match value {
            Lite::Null => Some(None),
            other => T::lite(other).map(Some),
        }
    }
    fn pg(row: &sqlx::postgres::PgRow, index: usize) -> Result<Self> {
        use sqlx::ValueRef as _;
        if row.try_get_raw(index)?.is_null() { Ok(None) } else { T::pg(row, index).map(Some) }
    }
}
