//! Rooms have names that say what is in them.

use acceptance::Result;

use crate::{is_rust, keep, source};

const EMPTY: [&str; 10] =
    ["util", "utils", "helper", "helpers", "common", "manager", "managers", "misc", "shared", "stuff"];

#[test]
fn no_room_has_a_name_that_says_nothing() -> Result<()> {
    for offence in
        ["crates/store/src/utils.rs", "crates/server/src/native/proxy_helpers.rs", "crates/common/src/lib.rs"]
    {
        assert_eq!(complaints(offence, "").len(), 1, "{offence}");
    }
    assert_eq!(complaints("crates/store/src/a.rs", "pub mod misc;\nmod job_manager {}").len(), 2);
    assert_eq!(complaints("crates/store/src/commonmark.rs", "let common = 1; // mod utils;"), Vec::<String>::new());

    keep(|file| is_rust(file) || file.starts_with("bench/"), complaints)
}

fn complaints(file: &str, text: &str) -> Vec<String> {
    let stems = file.split('/').map(|part| part.split('.').next().unwrap_or_default());
    let mut bad: Vec<String> =
        stems.filter(|stem| says_nothing(stem)).map(|stem| format!("{file}: `{stem}`")).collect();
    for line in source::read(text).code.lines().filter(|_| file.ends_with(".rs")) {
        let words: Vec<_> = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
        let module = words.windows(2).find(|pair| pair[0] == "mod").map(|pair| pair[1]);
        bad.extend(module.filter(|name| says_nothing(name)).map(|name| format!("{file}: module `{name}`")));
    }
    bad
}

fn says_nothing(name: &str) -> bool {
    name.split(['_', '-']).any(|word| EMPTY.contains(&word))
}
