//! What the steps make on PostgreSQL, read off their own text.

use std::collections::BTreeMap;
use std::fmt;

use super::steps::{LEDGER, MIGRATIONS, render};
use crate::store::Engine;

/// Something that a schema consists of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    kind: String,
    name: String,
}

impl Part {
    pub(super) fn new(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), name: name.into() }
    }

    pub(super) fn is_trigger(&self) -> bool {
        self.kind == "trigger"
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// What there is on PostgreSQL after step `version`: of a trigger the statement that makes it, of a function its body, of a
/// table how many constraints of each kind it has, of an index no more than its name. Knows `CREATE`, `DROP` and
/// `ALTER TABLE`; a test compares it with the real one.
pub(super) fn made_by_steps(version: u32) -> BTreeMap<Part, String> {
    let mut parts = BTreeMap::new();
    follow(&render(LEDGER, Engine::Postgres), &mut parts);
    for step in MIGRATIONS.iter().filter(|step| step.version <= version) {
        follow(&render(step.body, Engine::Postgres), &mut parts);
        follow(&without_comments(step.postgres), &mut parts);
    }
    for (part, text) in &mut parts {
        if part.kind == "table" {
            *text = constraints(text);
        }
    }
    parts
}

/// Primary keys, unique keys, foreign keys and checks in the statements that made a table.
fn constraints(statements: &str) -> String {
    let count = |word: &str| statements.matches(word).count();
    let (keys, unique) = (count("PRIMARY KEY"), count("UNIQUE"));
    format!("p{keys} u{unique} f{} c{}", count("REFERENCES "), count("CHECK ("))
}

fn without_comments(sql: &str) -> String {
    sql.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n")
}

/// Follows the statements of `sql` that make or drop a part.
fn follow(sql: &str, parts: &mut BTreeMap<Part, String>) {
    let words: Vec<&str> = sql.split_whitespace().collect();
    for at in 0..words.len() {
        let statement = &words[at..];
        match (statement[0], named(&statement[1..])) {
            ("CREATE", Some(part)) => {
                let text = text(&part, statement);
                parts.insert(part, text);
            }
            ("DROP", Some(part)) => {
                parts.remove(&part);
            }
            ("ALTER", Some(part)) => {
                if let Some(known) = parts.get_mut(&part) {
                    known.push_str(&whole(statement));
                }
            }
            _ => {}
        }
    }
}

/// What is compared of a part that `statement`, and what comes after it, makes.
fn text(part: &Part, statement: &[&str]) -> String {
    match part.kind.as_str() {
        "trigger" | "table" => whole(statement),
        "function" => statement.split(|word| word.starts_with("$$")).nth(1).unwrap_or_default().join(" "),
        _ => String::new(),
    }
}

/// The statement that these words begin with.
fn whole(words: &[&str]) -> String {
    let words = words.split_inclusive(|word| word.ends_with(';')).next().unwrap_or_default();
    words.join(" ").trim_end_matches(';').to_owned()
}

/// The part that the words after `CREATE`, `DROP` or `ALTER` name.
fn named(words: &[&str]) -> Option<Part> {
    let mut words =
        words.iter().filter(|word| !matches!(**word, "OR" | "REPLACE" | "UNIQUE" | "IF" | "NOT" | "EXISTS"));
    let kind = words.next()?.to_lowercase();
    let name = words.next()?.split(['(', ';']).next()?;
    matches!(kind.as_str(), "table" | "index" | "trigger" | "function").then(|| Part::new(kind, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_and_dropped_is_followed() {
        let mut parts = BTreeMap::new();
        follow(
            "CREATE TABLE IF NOT EXISTS a (x INT);\nCREATE UNIQUE INDEX b ON a (x); CREATE TRIGGER c BEFORE UPDATE ON a;
             CREATE OR REPLACE FUNCTION d() RETURNS trigger AS $$ BEGIN\n  RETURN NEW; END $$;
             CREATE TRIGGER f BEFORE UPDATE ON a\n EXECUTE FUNCTION d();
             CREATE TABLE e(x INT); ALTER TABLE a ADD COLUMN y INT CHECK (y > 0); DROP TRIGGER c ON a; DROP TABLE IF EXISTS e;",
            &mut parts,
        );
        let told: Vec<String> = parts.iter().map(|(part, text)| format!("{part}: {text}")).collect();
        let wanted = [
            "function d: BEGIN RETURN NEW; END",
            "index b: ",
            "table a: CREATE TABLE IF NOT EXISTS a (x INT)ALTER TABLE a ADD COLUMN y INT CHECK (y > 0)",
            "trigger f: CREATE TRIGGER f BEFORE UPDATE ON a EXECUTE FUNCTION d()",
        ];
        assert_eq!(told, wanted);
    }
}
