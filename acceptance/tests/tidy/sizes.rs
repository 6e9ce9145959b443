//! A file tells one story. Four hundred lines are a question; the answer stands here.

use std::collections::BTreeMap;

use acceptance::{Result, tree};

use crate::is_rust;

const QUESTION: usize = 400;
const LIMIT: usize = 600;

/// Longer files and why each is still one story.
const ANSWERED: [(&str, &str); 0] = [];

#[test]
fn long_files_have_a_reason_and_none_is_endless() -> Result<()> {
    let answered = BTreeMap::from([("known.rs", "one table"), ("short.rs", "was long once")]);
    assert!(complaint("new.rs", 401, &answered).is_some_and(|words| words.contains("question")));
    assert!(complaint("known.rs", 601, &answered).is_some_and(|words| words.contains("split")));
    assert!(complaint("short.rs", 400, &answered).is_some_and(|words| words.contains("no longer")));
    assert_eq!(complaint("known.rs", 600, &answered), None);
    assert_eq!(complaint("new.rs", 400, &answered), None);

    let answered = BTreeMap::from(ANSWERED);
    let files = tree::files()?;
    let gone = answered.keys().filter(|file| !files.iter().any(|known| known == *file));
    let mut bad: Vec<String> = gone.map(|file| format!("{file}: has an answer and does not exist")).collect();
    for file in files.iter().filter(|file| is_rust(file)) {
        bad.extend(complaint(file, tree::text(file)?.lines().count(), &answered));
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    Ok(())
}

fn complaint(file: &str, lines: usize, answered: &BTreeMap<&str, &str>) -> Option<String> {
    match (lines, answered.contains_key(file)) {
        (lines, _) if lines > LIMIT => Some(format!("{file}: {lines} lines: split it")),
        (lines, false) if lines > QUESTION => {
            Some(format!("{file}: {lines} lines are a question: split it, or answer in ANSWERED"))
        }
        (lines, true) if lines <= QUESTION => Some(format!("{file}: {lines} lines need an answer no longer")),
        _ => None,
    }
}
