//! The one folder of this test process, and the broom that removes it, even after a kill.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Result, Trouble};

/// Waits for the end of its input, which is the end of the test process; then removes the folder.
/// It tries for ten seconds, since the processes that wrote there are only just being told to stop.
const BROOM: &str = r#"trap '' HUP INT TERM; cat >/dev/null
n=0; while [ -e "$1" ] && [ $n -lt 100 ]; do rm -rf -- "$1" 2>/dev/null; n=$((n+1)); [ -e "$1" ] && sleep 0.1; done"#;

struct Scratch {
    root: PathBuf,
    _broom: Child,
}

/// A new, empty folder whose name starts with `name`. Its owner may remove it; the broom removes the rest.
pub fn folder(name: &str) -> Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let path = root()?.join(format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    fs::create_dir(&path)?;
    Ok(path)
}

fn root() -> Result<&'static PathBuf> {
    static SCRATCH: OnceLock<Result<Scratch>> = OnceLock::new();
    match SCRATCH.get_or_init(open) {
        Ok(scratch) => Ok(&scratch.root),
        Err(trouble) => Err(Trouble::new(format!("no scratch folder: {trouble:?}"))),
    }
}

fn open() -> Result<Scratch> {
    let root = tempfile::Builder::new().prefix("artifortress-test-").tempdir()?.keep();
    // Others may pass through: PostgreSQL refuses to run as root and runs as somebody else.
    fs::set_permissions(&root, fs::Permissions::from_mode(0o711))?;
    let broom = Command::new("sh")
        .args(["-c", BROOM, "broom"])
        .arg(&root)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    Ok(Scratch { root, _broom: broom })
}
