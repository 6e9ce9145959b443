//! Where the program under test lies, and the assurance that it is not an old one.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::SystemTime;

use crate::{Result, Trouble, environment};

/// The program: `ARTIFORTRESS_TEST_BINARY`, or the one that cargo put beside the tests. Refuses one that is older than
/// a source it was built from: a test of yesterday's program proves nothing.
pub fn binary() -> Result<PathBuf> {
    static FOUND: OnceLock<Result<PathBuf>> = OnceLock::new();
    match FOUND.get_or_init(find) {
        Ok(path) => Ok(path.clone()),
        Err(trouble) => Err(Trouble::new(format!("{trouble:?}"))),
    }
}

fn find() -> Result<PathBuf> {
    if let Some(path) = environment::read("ARTIFORTRESS_TEST_BINARY") {
        return Ok(path.into());
    }
    let own = std::env::current_exe()?;
    let beside = own.ancestors().skip(1).take(2).map(|folder| folder.join("artifortress")).find(|path| path.is_file());
    let path = beside.ok_or_else(|| stale("there is no program `artifortress` beside the tests"))?;
    let built = modified(&path)?;
    // Cargo writes down what the program was built from: `path: source source …`, spaces escaped.
    let sources = fs::read_to_string(path.with_extension("d"))?;
    let sources = sources.split_once(": ").map(|(_, list)| list.replace("\\ ", "\0")).unwrap_or_default();
    for source in sources.split_whitespace().map(|source| source.replace('\0', " ")) {
        if !modified(&PathBuf::from(&source)).is_ok_and(|changed| changed <= built) {
            return Err(stale(&format!("`artifortress` is older than {source}")));
        }
    }
    Ok(path)
}

fn modified(path: &std::path::Path) -> Result<SystemTime> {
    Ok(fs::metadata(path)?.modified()?)
}

fn stale(why: &str) -> Trouble {
    Trouble::new(format!("{why}: run `make test`, or `cargo build --workspace --all-targets` first"))
}
