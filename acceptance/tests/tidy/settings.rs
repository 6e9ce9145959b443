//! A setting does something, or its description says that it does not yet.

use acceptance::{Result, tree};

use crate::source;

const REFERENCE: &str = "docs/operate/configuration.md";
const ROOM: &str = "crates/artifortress/src/";
const IDLE: &str = "Without effect yet";

/// Settings that are read through a function, which fills in their default.
const THROUGH: [(&str, &str); 2] = [("database.url", ".database_url()"), ("blobs.place", ".blob_place()")];

#[test]
fn no_setting_promises_what_it_does_not_do() -> Result<()> {
    let planted = "## `[a]`\n\n| `b` | `A_B` | `--a-b` | text | none | Does much. |\n| `c` | x | x | x | x | Without effect yet: soon. |\n";
    assert_eq!(complaints(planted, "config.a.b"), Vec::<String>::new());
    assert_eq!(complaints(planted, "config.a.c"), ["a.b: nobody reads it", "a.c: has an effect by now"]);
    assert_eq!(complaints(planted, "config.a.bc"), ["a.b: nobody reads it"]);

    let mut code = String::new();
    for file in
        tree::files()?.iter().filter(|file| file.starts_with(ROOM) && !file.starts_with(&format!("{ROOM}config/")))
    {
        // Chains of fields may be broken over lines.
        let words = source::read(&tree::text(file)?).code.split_whitespace().collect::<Vec<_>>().join(" ");
        code.push_str(&words.replace(" .", "."));
    }
    let reference = tree::text(REFERENCE)?;
    assert!(settings(&reference).len() > 30, "the reference was not understood");
    let bad = complaints(&reference, &code);
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    Ok(())
}

/// Name and meaning of each row of the reference.
fn settings(reference: &str) -> Vec<(String, &str)> {
    let (mut section, mut found) = ("server", Vec::new());
    for line in reference.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title.strip_prefix("`[").and_then(|title| title.strip_suffix("]`")).unwrap_or("server");
        }
        let key = line.strip_prefix("| `").and_then(|row| row.split_once('`'));
        let meaning = line.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        found.extend(key.map(|(key, _)| (format!("{section}.{key}"), meaning)));
    }
    found
}

fn complaints(reference: &str, code: &str) -> Vec<String> {
    let mut bad = Vec::new();
    for (name, meaning) in settings(reference) {
        let through = THROUGH.iter().find(|(setting, _)| *setting == name);
        let read = match through {
            Some((_, function)) => code.contains(function),
            None => code.match_indices(&name).any(|(at, _)| {
                !code[at + name.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_')
            }),
        };
        match (read, meaning.contains(IDLE)) {
            (false, false) => bad.push(format!("{name}: nobody reads it")),
            (true, true) => bad.push(format!("{name}: has an effect by now")),
            _ => {}
        }
    }
    bad
}
