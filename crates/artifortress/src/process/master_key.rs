//! The key that seals credentials: the configured one, or one that is made once and kept in the data folder.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use model::{Ambient, Secret};

use crate::commands::failure::Failure;
use crate::commands::files::write_private;
use crate::config::{Config, DatabaseUrl, MasterKey, Value as _};

/// Bytes read of the file at most: more is no key.
const LIMIT: u64 = 1024;

/// The key of this configuration. Embedded and without one, `<data>/master-key`, which is made when it is not there.
pub(super) fn master_key(config: &Config, ambient: &Ambient) -> Result<Secret<[u8; 32]>, Failure> {
    match (&config.server.master_key, config.database_url()) {
        (Some(MasterKey(key)), _) => Ok(key.clone()),
        (None, DatabaseUrl::Sqlite(_)) => kept(&config.server.data.join("master-key"), ambient),
        // Servers do not start without one (`Config::check_for`); who only mends accounts seals and opens nothing.
        (None, DatabaseUrl::Postgres(_)) => Ok(Secret::new(ambient.bytes())),
    }
}

/// Refuses a key in the data folder that is none, without making one.
pub(super) fn check_master_key(config: &Config) -> Result<(), Failure> {
    let path = config.server.data.join("master-key");
    match (&config.server.master_key, config.database_url()) {
        (None, DatabaseUrl::Sqlite(_)) if path.exists() => {
            let file = File::open(&path);
            let file = file.map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
            read(&path, file).map(drop)
        }
        _ => Ok(()),
    }
}

fn kept(file: &Path, ambient: &Ambient) -> Result<Secret<[u8; 32]>, Failure> {
    let failed = |what: &str, error: io::Error| Failure::new(format!("{} {what}: {error}", file.display()));
    match File::open(file) {
        Ok(open) => read(file, open),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = Secret::new(ambient.bytes());
            let text = format!("{}\n", model::digest::hex(key.expose()));
            write_private(file, text.as_bytes()).map_err(|error| failed("cannot be written", error))?;
            tracing::info!(file = %file.display(), "a master key was made: back it up, apart from the database");
            Ok(key)
        }
        Err(error) => Err(failed("cannot be read", error)),
    }
}

/// One that cannot be read is never replaced: what was sealed with it would be lost.
fn read(path: &Path, file: File) -> Result<Secret<[u8; 32]>, Failure> {
    let refused = |why: &str| {
        let failure = Failure::new(format!("{} {why}", path.display()));
        failure.advise("restore it from its backup, or set ARTIFORTRESS_MASTER_KEY")
    };
    let mode = file.metadata().map(|about| about.permissions().mode() & 0o777);
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        tracing::warn!(file = %path.display(), "others than its owner may read the master key: chmod 600");
    }
    let mut text = String::new();
    file.take(LIMIT).read_to_string(&mut text).map_err(|_| refused("cannot be read as text"))?;
    MasterKey::read(text.trim()).map(|key| key.0).map_err(|why| refused(&why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(file: &Path) -> u32 {
        std::fs::metadata(file).expect("there").permissions().mode() & 0o777
    }

    #[test]
    fn a_key_is_made_once_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("master-key");
        let made = kept(&file, &Ambient::system()).expect("made");
        assert_eq!(mode(&file), 0o600);
        assert_eq!(kept(&file, &Ambient::system()).expect("kept"), made);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn what_is_no_key_is_neither_used_nor_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("master-key");
        for text in ["", "hunter2", &"00".repeat(31), &"0".repeat(4096)] {
            std::fs::write(&file, text).expect("written");
            let refusal = kept(&file, &Ambient::system()).expect_err("no key");
            assert!(
                refusal.message.contains("32 bytes") && !refusal.message.contains("hunter2"),
                "{}",
                refusal.message
            );
            assert_eq!(std::fs::read_to_string(&file).expect("there"), text);
        }
    }
}
