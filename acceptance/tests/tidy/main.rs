//! House rules that no lint can see, as ordinary tests over the tree. Each rule is a function from a text to complaints,
//! and each is first shown a planted offence: a rule that cannot complain is no wall.

mod documents;
mod formats;
mod graph;
mod names;
mod places;
mod settings;
mod sizes;
mod source;
mod sql;
mod style;

use acceptance::{Result, tree};

/// Applies `rule` to every file that `wanted` picks and fails with all the complaints.
fn keep(wanted: impl Fn(&str) -> bool, rule: impl Fn(&str, &str) -> Vec<String>) -> Result<()> {
    let mut complaints = Vec::new();
    let mut seen = 0;
    for file in tree::files()?.iter().filter(|file| wanted(file)) {
        seen += 1;
        complaints.extend(rule(file, &tree::text(file)?));
    }
    assert!(seen > 0, "the rule looked at no file at all");
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
    Ok(())
}

/// Whether `file` is Rust source of ours.
fn is_rust(file: &str) -> bool {
    file.ends_with(".rs") && (file.starts_with("crates/") || file.starts_with("acceptance/"))
}
