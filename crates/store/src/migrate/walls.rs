//! Whether all is there that the steps made: tables, indexes, and the triggers that keep what was published as it is.

use std::collections::{BTreeMap, BTreeSet};

use super::SchemaVersion;
use super::lite::model;
use super::names::{Part, made_by_steps};
use crate::error::{Error, Result};
use crate::session::{Session, lend};

/// Parts that are named in a refusal at most.
const NAMED: usize = 8;

/// Refuses a database at schema `version` in which something of that schema is missing or, on SQLite, reads otherwise.
/// What is there besides is nobody's business. Of a schema that is newer than this program nothing is known, and
/// nothing asked.
pub(super) async fn check(session: &mut Session<'_>, version: u32) -> Result<()> {
    if version == 0 || version > SchemaVersion::of_program().0 {
        return Ok(());
    }
    let missing =
        if session.is_lite() { missing_lite(session, version).await? } else { missing_pg(session, version).await? };
    if missing.is_empty() {
        return Ok(());
    }
    let mut named = missing.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if missing.len() > NAMED {
        named.push_str(&format!(" and {} more", missing.len() - NAMED));
    }
    Err(Error::conflict(format!(
        "the database is not whole: {named}. Somebody changed it, and what was published is no longer safe in it: restore \
         it from a backup"
    )))
}

/// Compared with a database that is made for it, word by word.
async fn missing_lite(session: &mut Session<'_>, version: u32) -> Result<Vec<String>> {
    let wanted = {
        let model = model(version)?;
        lend(&model, || crate::lite::poll_once(texts(&mut Session::lite())))??
    };
    let found = texts(session).await?;
    let differs = wanted.into_iter().filter_map(|(part, text)| match found.get(&part) {
        None => Some(format!("{part} is missing")),
        Some(other) if *other != text => Some(format!("{part} is not ours")),
        Some(_) => None,
    });
    Ok(differs.collect())
}

/// What there is, each with its text; how it is broken into lines does not count.
async fn texts(session: &mut Session<'_>) -> Result<BTreeMap<Part, String>> {
    let rows = session.rows("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL", &[]).await?;
    let text = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
    rows.iter().map(|row| Ok((Part::new(row.get::<String>(0)?, row.get::<String>(1)?), text(row.get(2)?)))).collect()
}

/// By their names, in the schema that holds the ledger. A trigger that does not fire is none, and an index that is not
/// complete neither.
async fn missing_pg(session: &mut Session<'_>, version: u32) -> Result<Vec<String>> {
    let sql = "WITH home AS (SELECT relnamespace AS id FROM pg_class WHERE oid = to_regclass('schema_migrations'))
        SELECT 'table', relname::text FROM pg_class, home WHERE relnamespace = home.id AND relkind IN ('r', 'p')
        UNION ALL SELECT 'index', c.relname::text FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid, home
            WHERE c.relnamespace = home.id AND i.indisvalid
        UNION ALL SELECT 'trigger', t.tgname::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid, home
            WHERE c.relnamespace = home.id AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
        UNION ALL SELECT 'function', proname::text FROM pg_proc, home WHERE pronamespace = home.id";
    let rows = session.rows(sql, &[]).await?;
    let found = rows.iter().map(|row| Ok(Part::new(row.get::<String>(0)?, row.get::<String>(1)?)));
    let found = found.collect::<Result<BTreeSet<_>>>()?;
    Ok(made_by_steps(version).difference(&found).map(|part| format!("{part} is missing or off")).collect())
}
