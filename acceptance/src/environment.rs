//! The only place in the harness that reads the process's environment.

use std::path::PathBuf;

use crate::{Result, Trouble};

/// The variable's value; `None` when it is unset or empty.
#[expect(clippy::disallowed_methods, reason = "a test run is configured by its environment, and only here")]
pub fn read(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The variable's value, or a trouble that names it and says how to get it set.
pub fn require(name: &str) -> Result<String> {
    read(name).ok_or_else(|| {
        Trouble::new(format!(
            "{name} is not set: run `make test`, or `cargo run -p acceptance --bin backing -- cargo test`"
        ))
    })
}

/// The first of `folders`, then of `PATH`, that holds `program`; a trouble that names it when none does.
pub fn program(name: &str, folders: &[&str]) -> Result<PathBuf> {
    let path = read("PATH").unwrap_or_default();
    folders
        .iter()
        .map(PathBuf::from)
        .chain(path.split(':').map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| Trouble::new(format!("the program `{name}` is missing: run `kit/install-tools`")))
}

/// How many rounds a repeated test should run: `ARTIFORTRESS_TEST_ROUNDS`, or else `usual`.
/// A value that is no number is a trouble, not a silent default.
pub fn rounds(usual: u32) -> Result<u32> {
    match read("ARTIFORTRESS_TEST_ROUNDS") {
        None => Ok(usual),
        Some(text) => {
            text.parse().map_err(|_| Trouble::new(format!("ARTIFORTRESS_TEST_ROUNDS is not a number: {text}")))
        }
    }
}
