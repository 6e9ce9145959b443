//! The project's own files, for the tests that read them.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, Trouble};

/// The project's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_path_buf()
}

/// The files that are, or would be, committed: tracked ones and new ones that are not ignored; relative to the root,
/// sorted. Needs `git`.
pub fn files() -> Result<Vec<String>> {
    let listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let done = Command::new("git").args(listing).current_dir(root()).output()?;
    if !done.status.success() {
        return Err(Trouble::new(format!("git ls-files: {}", String::from_utf8_lossy(&done.stderr))));
    }
    let text = String::from_utf8(done.stdout)?;
    let mut files: Vec<String> = text.split_terminator('\0').map(str::to_string).collect();
    files.retain(|file| root().join(file).is_file());
    files.sort();
    files.dedup();
    Ok(files)
}

/// The file's text; what is not UTF-8 is replaced, and nothing after the first 8 MiB is read.
pub fn text(file: &str) -> Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(root().join(file))?.take(8 << 20).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
