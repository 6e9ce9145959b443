//! Files of our own: where they live, and how they are written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use crate::config::Environment;

/// Our folder below the one that `variable` names, or below `~/<fallback>`.
pub(super) fn home(environment: &Environment, variable: &str, fallback: &str) -> Result<PathBuf, Failure> {
    let named = environment.filled(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let own = || environment.filled("HOME").map(|home| Path::new(home).join(fallback));
    let base = named.or_else(own).ok_or_else(|| Failure::new(format!("neither {variable} nor HOME is set")))?;
    Ok(base.join("artifortress"))
}

/// Replaces the file at `path` in one step; only its owner may read it.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    let written = write_new(&fresh, bytes).and_then(|()| fs::rename(&fresh, path)).and_then(|()| sync_folder(path));
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the name of `path` durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// A size for people: `34.2 MiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut scaled = bytes as f64 / 1024.0;
    let mut unit = 0;
    while scaled >= 1024.0 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{scaled:.1} {}", UNITS[unit])
}

/// `1 file`, `2 files`.
pub(super) fn count(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}
