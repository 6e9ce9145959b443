//! As of when facts are read: now, or as they were at a moment.
//!
//! Each statement has one text; what it says of intervals and times is put in by the macros of this file, with nothing of a
//! moment in the text that is read now. An interval holds from its beginning to just before its end.

use model::Timestamp;

/// As of when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum When {
    /// As it is.
    Now,
    /// As it was.
    At(Timestamp),
}

/// That the version `$v` is shown: published and not withdrawn. What was collected is not shown as of any moment: its bytes
/// are gone.
macro_rules! shown {
    ($v:literal) => {
        concat!($v, ".state = 'published'")
    };
    ($v:literal, $at:literal) => {
        concat!(
            $v,
            ".published_at <= ",
            $at,
            " AND ",
            $v,
            ".state <> 'collected' AND NOT EXISTS (SELECT 1 FROM tombstones t
                WHERE t.version_id = ",
            $v,
            ".id AND t.from_at <= ",
            $at,
            " AND (t.to_at IS NULL OR t.to_at > ",
            $at,
            "))"
        )
    };
}

/// That the interval `$i` holds.
macro_rules! in_force {
    ($i:literal) => {
        concat!($i, ".to_at IS NULL")
    };
    ($i:literal, $at:literal) => {
        concat!($i, ".from_at <= ", $at, " AND (", $i, ".to_at IS NULL OR ", $i, ".to_at > ", $at, ")")
    };
}

/// ` AND` that the entry `$e` had been added; nothing as of now.
macro_rules! and_added {
    ($e:literal) => {
        ""
    };
    ($e:literal, $at:literal) => {
        concat!(" AND ", $e, ".added_at <= ", $at)
    };
}

pub(crate) use {and_added, in_force, shown};
