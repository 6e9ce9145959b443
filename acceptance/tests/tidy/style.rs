//! What is written in source files, and what is not.

use acceptance::Result;

use crate::{is_rust, keep, source};

/// Code that may stand nowhere, tests included, and what to do instead.
const FORBIDDEN: [(&str, &str); 6] = [
    ("#[allow(", "say #[expect(…, reason = \"…\")]"),
    ("#![allow(", "say #![expect(…, reason = \"…\")]"),
    ("#[ignore", "a test that never runs is no test"),
    ("todo!(", "finish it, or leave its surface out"),
    ("unimplemented!(", "finish it, or leave its surface out"),
    ("dbg!(", "use tracing"),
];

#[test]
fn nothing_unfinished_or_silenced_is_committed() -> Result<()> {
    let planted =
        "#[allow(dead_code)]\nfn a() { todo!() }\n#[ignore = \"slow\"]\n#[cfg_attr(test, allow(unused))]\nfn b() {}";
    assert_eq!(complaints("planted.rs", planted).len(), 4);
    let innocent = "// #[allow(x)] and todo!() and #[ignore]\nlet words = \"todo!()\"; fn allow(x: u8) {}";
    assert_eq!(complaints("innocent.rs", innocent), Vec::<String>::new());

    keep(is_rust, complaints)
}

fn complaints(file: &str, text: &str) -> Vec<String> {
    let mut bad = Vec::new();
    for (number, line) in source::read(text).code.lines().enumerate() {
        let silenced = line.contains("cfg_attr(") && line.contains("allow(");
        bad.extend(silenced.then(|| format!("{file}:{}: a conditional `allow`", number + 1)));
        let found = FORBIDDEN.iter().filter(|(words, _)| line.contains(words));
        bad.extend(found.map(|(words, instead)| format!("{file}:{}: `{words}`: {instead}", number + 1)));
    }
    bad
}

#[test]
fn every_source_file_says_what_it_is_for() -> Result<()> {
    assert!(opening("planted.rs", "use std::fs;\n//! Late.").is_some());
    assert!(opening("planted.rs", "").is_some());
    assert!(opening("planted.rs", "//!\n").is_some());
    assert_eq!(opening("innocent.rs", "//! One story.\n"), None);

    keep(is_rust, |file, text| opening(file, text).into_iter().collect())
}

fn opening(file: &str, text: &str) -> Option<String> {
    let first = text.lines().next().unwrap_or_default();
    let says = first.strip_prefix("//!").is_some_and(|words| !words.trim().is_empty());
    (!says).then(|| format!("{file}: does not start with a `//!` line that says what it is for"))
}
