//! Two formats never import each other.

use std::collections::BTreeSet;

use acceptance::{Result, tree};

use crate::source;

const HOUSE: &str = "crates/formats/src/";

#[test]
fn no_format_imports_another() -> Result<()> {
    let rooms = BTreeSet::from(["raw", "npm"]);
    for offence in
        ["use crate::npm::Name;", "use crate::{push, npm};", "let x = super::super::npm::parse(p);", "use super::npm;"]
    {
        assert_eq!(complaints("crates/formats/src/raw/parse.rs", offence, &rooms).len(), 1, "{offence}");
    }
    let innocent = "use crate::push::Decoder; // as crate::npm does\nuse super::raw; let npm = \"crate::npm\";";
    assert_eq!(complaints("crates/formats/src/raw/mod.rs", innocent, &rooms), Vec::<String>::new());

    let files: Vec<String> = tree::files()?.into_iter().filter(|file| file.starts_with(HOUSE)).collect();
    // A folder is a format; a file beside them is for all of them.
    let rooms: BTreeSet<&str> = files.iter().filter_map(|file| room(file)).collect();
    let mut bad = Vec::new();
    for file in &files {
        bad.extend(complaints(file, &tree::text(file)?, &rooms));
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    Ok(())
}

fn room(file: &str) -> Option<&str> {
    file.strip_prefix(HOUSE)?.split_once('/').map(|(room, _)| room)
}

fn complaints(file: &str, text: &str, rooms: &BTreeSet<&str>) -> Vec<String> {
    let Some(own) = room(file) else { return Vec::new() };
    let code = source::read(text).code;
    let mut bad = Vec::new();
    for statement in code.split([';', '\n']).filter(|text| text.contains("crate::") || text.contains("super::")) {
        let mut words = statement.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        if let Some(other) = words.find(|word| *word != own && rooms.contains(word)) {
            bad.push(format!("{file}: the format `{own}` reaches into `{other}`: {}", statement.trim()));
        }
    }
    bad
}
