//! SQL lives in the store and nowhere else.

use acceptance::Result;

use crate::{is_rust, keep, source};

#[test]
fn sql_is_spoken_in_the_store_alone() -> Result<()> {
    let planted = [
        "fn f() { run(\"SELECT id\n FROM version\") }",
        "const Q: &str = r\"insert into event values ($1)\";",
        "let q = \"with x as (SELECT 1) UPDATE job SET attempts = 1\";",
        "let q = \"  delete from blob where 1\";",
        "let q = \"CREATE TABLE t (a)\";",
    ];
    for offence in planted {
        assert_eq!(complaints("planted.rs", offence).len(), 1, "{offence}");
    }
    let innocent = "/// SELECT a FROM b\nlet words = \"Select a file from the list, then update it; set nothing\";";
    assert_eq!(complaints("innocent.rs", innocent), Vec::<String>::new());

    // These tests look into the database and attack it on purpose, past the program.
    let attackers = ["crates/store/", "crates/registry/tests/", "acceptance/"];
    keep(|file| is_rust(file) && !attackers.iter().any(|room| file.starts_with(room)), complaints)
}

fn complaints(file: &str, text: &str) -> Vec<String> {
    let strings = source::read(text).strings;
    strings
        .iter()
        .filter(|(_, text)| is_sql(text))
        .map(|(line, text)| format!("{file}:{line}: SQL: {text:?}"))
        .collect()
}

/// Capital keywords anywhere, or a text that starts as a statement does in any case.
fn is_sql(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let statement = words.join(" ");
    let follows = |text: &str, first: &str, second: &str| {
        text.find(first).is_some_and(|at| second.is_empty() || text[at + first.len()..].contains(second))
    };
    let shouted =
        [("SELECT ", " FROM "), ("INSERT INTO ", ""), ("UPDATE ", " SET "), ("DELETE FROM ", ""), ("CREATE TABLE", "")];
    let lower = statement.to_lowercase();
    let starts =
        ["insert into ", "delete from ", "create table ", "create index ", "alter table ", "drop table ", "pragma "];
    let quiet = starts.iter().any(|start| lower.starts_with(start))
        || lower.starts_with("select ") && lower.contains(" from ") && !statement.starts_with('S')
        || lower.starts_with("update ") && lower.contains(" set ") && lower.contains('=');
    quiet || shouted.iter().any(|(first, second)| follows(&statement, first, second))
}
