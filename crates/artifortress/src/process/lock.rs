//! One process owns a data folder.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::commands::failure::Failure;
use crate::config::{Config, DatabaseUrl};

/// The folder is ours until this is dropped or the process ends, however it ends.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// The lock that this configuration needs: with PostgreSQL nobody owns anything.
    pub(crate) fn of(config: &Config) -> Result<Option<Self>, Failure> {
        match config.database_url() {
            DatabaseUrl::Sqlite(_) => Self::take(&config.server.data).map(Some),
            DatabaseUrl::Postgres(_) => Ok(None),
        }
    }

    /// Refuses a folder that another process owns; makes nothing.
    pub(crate) fn look(config: &Config) -> Result<(), Failure> {
        let DatabaseUrl::Sqlite(_) = config.database_url() else { return Ok(()) };
        let folder = &config.server.data;
        match File::open(folder.join("lock")) {
            Ok(file) => lock(&file, folder),
            // There is none yet, or it cannot be taken either: that says why.
            Err(_) => Ok(()),
        }
    }

    /// Takes the folder, making it (readable by us alone) when it is missing.
    fn take(folder: &Path) -> Result<Self, Failure> {
        use std::os::unix::fs::DirBuilderExt;
        let failed = |error| unusable(folder, &error);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let file =
            File::options().create(true).truncate(false).write(true).open(folder.join("lock")).map_err(failed)?;
        lock(&file, folder)?;
        Ok(Self { _file: file })
    }
}

fn lock(file: &File, folder: &Path) -> Result<(), Failure> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => {
            let text = format!("the data folder {} belongs to another artifortress that is running", folder.display());
            Failure::new(text).advise("stop it, or use another folder with --data")
        }
        TryLockError::Error(error) => unusable(folder, &error),
    })
}

fn unusable(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("the data folder {} cannot be used: {error}", folder.display()))
}
