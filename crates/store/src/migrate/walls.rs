//! Whether all is there that the steps made: tables, indexes, and the triggers that keep what was published as it is.

use std::collections::BTreeMap;

use super::SchemaVersion;
use super::lite::model;
use super::names::{Part, made_by_steps};
use crate::error::{Error, Result};
use crate::session::{Session, lend};

/// Parts that are named in a refusal at most.
const NAMED: usize = 8;

/// Refuses a database at schema `version` in which something of that schema is missing, is off or reads otherwise: on
/// SQLite anything, on PostgreSQL triggers and functions; tables are known there by their names and how many constraints
/// they have, indexes by their names. What is there besides is nobody's business, but for triggers on our tables. Of a schema that is newer than this program nothing is known, and nothing asked.
pub(super) async fn check(session: &mut Session<'_>, version: u32) -> Result<()> {
    if version == 0 || version > SchemaVersion::of_program().0 {
        return Ok(());
    }
    if !session.is_lite() {
        expect_triggers_to_fire(session).await?;
    }
    let (wanted, found) = if session.is_lite() {
        (made_in_memory(version)?, parts(session, LITE).await?)
    } else {
        (made_by_steps(version), parts(session, POSTGRES).await?)
    };
    let mut wrong: Vec<String> = wanted.iter().filter_map(|(part, text)| wrong(part, text, found.get(part))).collect();
    wrong.extend(
        found.iter().filter(|(part, text)| meddles(part, text, &wanted)).map(|(part, _)| format!("{part} is not ours")),
    );
    if wrong.is_empty() {
        return Ok(());
    }
    let mut named = wrong.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if wrong.len() > NAMED {
        named.push_str(&format!(" and {} more", wrong.len() - NAMED));
    }
    Err(Error::conflict(format!(
        "the database is not whole: {named}. Somebody changed it, and what was published is no longer safe in it: restore \
         it from a backup"
    )))
}

/// A role or database may be set up so that no trigger fires and no foreign key is looked at.
async fn expect_triggers_to_fire(session: &mut Session<'_>) -> Result<()> {
    let row = session.row("SELECT current_setting('session_replication_role')", &[]).await?;
    match row.map(|row| row.get::<String>(0)).transpose()?.as_deref() {
        Some("replica") => Err(Error::conflict(
            "triggers do not fire for this role (session_replication_role is 'replica'), and what was published is not \
             safe without them: reset that for the role and the database",
        )),
        _ => Ok(()),
    }
}

/// Whether it is a trigger that somebody put on a table of ours: it can swallow what we write.
fn meddles(part: &Part, text: &str, wanted: &BTreeMap<Part, String>) -> bool {
    let table = text.split(' ').skip_while(|word| !word.eq_ignore_ascii_case("ON")).nth(1).unwrap_or_default();
    let table = table.trim_matches(['"', '`', '[', ']']).rsplit('.').next().unwrap_or_default().to_lowercase();
    part.is_trigger() && !wanted.contains_key(part) && wanted.contains_key(&Part::new("table", table))
}

fn wrong(part: &Part, wanted: &str, found: Option<&String>) -> Option<String> {
    match found.map(String::as_str) {
        None => Some(format!("{part} is missing")),
        Some(OFF) => Some(format!("{part} is off")),
        Some(other) if other != wanted => Some(format!("{part} is not ours")),
        Some(_) => None,
    }
}

/// What a database consists of that was made for this, and that nobody tampered with.
fn made_in_memory(version: u32) -> Result<BTreeMap<Part, String>> {
    let model = model(version)?;
    lend(&model, || crate::lite::poll_once(parts(&mut Session::lite(), LITE)))?
}

/// What there is, each with its text; how that is broken into lines does not count.
async fn parts(session: &mut Session<'_>, sql: &'static str) -> Result<BTreeMap<Part, String>> {
    let rows = session.rows(sql, &[]).await?;
    let text = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
    rows.iter().map(|row| Ok((Part::new(row.get::<String>(0)?, row.get::<String>(1)?), text(row.get(2)?)))).collect()
}

/// The text of what is there and does nothing: a trigger that does not fire, an index that is not complete.
const OFF: &str = "off";

const LITE: &str = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL";

/// In the schema that holds the ledger.
const POSTGRES: &str = "
    WITH home AS (SELECT relnamespace AS id FROM pg_class WHERE oid = to_regclass('schema_migrations'))
    SELECT 'table', relname::text, (SELECT format('p%s u%s f%s c%s', count(*) FILTER (WHERE contype = 'p'),
            count(*) FILTER (WHERE contype = 'u'), count(*) FILTER (WHERE contype = 'f'), count(*) FILTER (WHERE contype = 'c'))
            FROM pg_constraint WHERE conrelid = pg_class.oid AND convalidated)
        FROM pg_class, home WHERE relnamespace = home.id AND relkind IN ('r', 'p')
    UNION ALL SELECT 'index', c.relname::text, CASE WHEN i.indisvalid THEN '' ELSE 'off' END
        FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid, home WHERE c.relnamespace = home.id
    UNION ALL SELECT 'trigger', t.tgname::text,
            CASE WHEN t.tgenabled IN ('O', 'A') THEN pg_get_triggerdef(t.oid, true) ELSE 'off' END
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid, home WHERE c.relnamespace = home.id AND NOT t.tgisinternal
    UNION ALL SELECT 'function', proname::text, prosrc FROM pg_proc, home WHERE pronamespace = home.id";
