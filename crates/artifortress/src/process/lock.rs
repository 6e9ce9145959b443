//! One process owns a data folder, and the SQLite file that it works on.

use std::fs::{File, TryLockError};
use std::path::PathBuf;

use crate::commands::failure::Failure;
use crate::config::{Config, DatabaseUrl};

/// Folder and file are ours until this is dropped or the process ends, however it ends.
pub(crate) struct Lock {
    _files: Vec<File>,
}

/// What is owned, and the file whose lock says so.
struct Owned {
    what: String,
    lock: PathBuf,
}

impl Lock {
    /// The locks that this configuration needs: with PostgreSQL nobody owns anything. Makes the data folder (readable by
    /// us alone) when it is missing.
    pub(crate) fn of(config: &Config) -> Result<Option<Self>, Failure> {
        use std::os::unix::fs::DirBuilderExt;
        let owned = owned(config);
        let Some(folder) = owned.first() else { return Ok(None) };
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&config.server.data);
        made.map_err(|error| folder.unusable(&error))?;
        owned.iter().map(Owned::take).collect::<Result<_, _>>().map(|files| Some(Self { _files: files }))
    }

    /// Refuses what another process owns; makes nothing.
    pub(crate) fn look(config: &Config) -> Result<(), Failure> {
        for owned in owned(config) {
            // Where there is no lock yet, or it cannot be taken either, that says why.
            if let Ok(file) = File::open(&owned.lock) {
                owned.lock(&file)?;
            }
        }
        Ok(())
    }
}

/// The data folder; and the database, since two data folders may name one.
fn owned(config: &Config) -> Vec<Owned> {
    let DatabaseUrl::Sqlite(database) = config.database_url() else { return Vec::new() };
    let folder = &config.server.data;
    let mut lock = std::fs::canonicalize(&database).unwrap_or_else(|_| database.clone()).into_os_string();
    lock.push(".lock");
    vec![
        Owned { what: format!("the data folder {}", folder.display()), lock: folder.join("lock") },
        Owned { what: format!("the database {}", database.display()), lock: lock.into() },
    ]
}

impl Owned {
    fn take(&self) -> Result<File, Failure> {
        let file = File::options().create(true).truncate(false).write(true).open(&self.lock);
        let file = file.map_err(|error| self.unusable(&error))?;
        self.lock(&file)?;
        Ok(file)
    }

    fn lock(&self, file: &File) -> Result<(), Failure> {
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => {
                let text = format!("{} belongs to another artifortress that is running", self.what);
                Failure::new(text).advise("stop it, or use another folder with --data and its own database")
            }
            TryLockError::Error(error) => self.unusable(&error),
        })
    }

    fn unusable(&self, error: &std::io::Error) -> Failure {
        Failure::new(format!("{} cannot be used: {error}", self.what))
    }
}
