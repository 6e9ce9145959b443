//! Faults at the n-th system call: the server under `strace`, which fails, delays or kills where it is told.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Result, environment, scratch};

/// What `strace` shall do to the program it starts. With no injection it only counts.
#[derive(Clone, Debug)]
pub struct Strace {
    folder: PathBuf,
    calls: Vec<String>,
    injections: Vec<String>,
    path: Option<PathBuf>,
}

impl Strace {
    /// A trace of nothing yet.
    pub fn new() -> Result<Strace> {
        Ok(Strace { folder: scratch::folder("strace")?, calls: Vec::new(), injections: Vec::new(), path: None })
    }

    /// Writes down every call in `calls`, for instance `fsync,fdatasync`.
    pub fn trace(mut self, calls: &str) -> Strace {
        self.calls.push(calls.to_string());
        self
    }

    /// From the `nth` call of `calls` on (counted from 1 in each thread), for `count` calls, does `what`: `error=EIO`,
    /// `error=ENOSPC`, `signal=KILL`, `delay_enter=100000`.
    pub fn inject(mut self, calls: &str, what: &str, nth: u32, count: u32) -> Strace {
        let last = nth + count.max(1) - 1;
        self.injections.push(format!("{calls}:{what}:when={nth}..{last}"));
        self.trace(calls)
    }

    /// Looks only at calls that concern `path` (a file, or a folder itself).
    pub fn only(mut self, path: &Path) -> Strace {
        self.path = Some(path.to_path_buf());
        self
    }

    /// How many calls were written down so far whose line contains `text`: `fsync(`, `(INJECTED)`.
    pub fn count(&self, text: &str) -> Result<usize> {
        let mut count = 0;
        for entry in fs::read_dir(&self.folder)? {
            count +=
                String::from_utf8_lossy(&lossy(&entry?.path())?).lines().filter(|line| line.contains(text)).count();
        }
        Ok(count)
    }

    /// The words before the program's own command line.
    pub(crate) fn words(&self) -> Result<Vec<String>> {
        let mut words = vec![environment::program("strace", &["/usr/bin"])?.display().to_string()];
        // One file per thread (-ff): threads then do not wait for each other's lines.
        words.extend(["-ff", "-qq", "-o"].map(String::from));
        words.push(self.folder.join("calls").display().to_string());
        words.push(format!("--trace={}", if self.calls.is_empty() { "none".into() } else { self.calls.join(",") }));
        words.extend(self.injections.iter().map(|injection| format!("--inject={injection}")));
        if let Some(path) = &self.path {
            words.push(format!("--trace-path={}", path.display()));
        }
        words.push("--".to_string());
        Ok(words)
    }
}

fn lossy(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut fs::File::open(path)?, &mut bytes)?;
    Ok(bytes)
}
