//! What truly differs between the engines. Everything else is one text with `$1`, `$2`, ….

use std::borrow::Cow;

/// Row locks: PostgreSQL needs them, SQLite has one writer and does not know them.
const LOCKS: [&str; 7] = [
    " FOR UPDATE SKIP LOCKED",
    " FOR UPDATE OF b",
    " FOR UPDATE OF v",
    " FOR UPDATE",
    " FOR NO KEY UPDATE",
    " FOR KEY SHARE",
    " FOR SHARE",
];

/// Turns the one text into SQLite's: `$n` becomes `?n`, row locks go.
pub fn for_sqlite(sql: &str) -> String {
    let mut text = Cow::Borrowed(sql);
    for lock in LOCKS {
        if text.contains(lock) {
            text = Cow::Owned(text.replace(lock, ""));
        }
    }
    text.replace('$', "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_gets_its_placeholders_and_no_locks() {
        assert_eq!(
            for_sqlite("SELECT a FROM b WHERE c = $1 AND d = $12 FOR UPDATE"),
            "SELECT a FROM b WHERE c = ?1 AND d = ?12"
        );
        assert_eq!(for_sqlite("SELECT 1 FOR UPDATE SKIP LOCKED"), "SELECT 1");
    }
}
