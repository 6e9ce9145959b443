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

    /// Takes the folder, making it (readable by us alone) when it is missing.
    fn take(folder: &Path) -> Result<Self, Failure> {
        use std::os::unix::fs::DirBuilderExt;
        let failed = |error: std::io::Error| {
            Failure::new(format!("the data folder {} cannot be used: {error}", folder.display()))
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let file =
            File::options().create(true).truncate(false).write(true).open(folder.join("lock")).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                let text =
                    format!("the data folder {} belongs to another artifortress that is running", folder.display());
                Err(Failure::new(text).advise("stop it, or use another folder with --data"))
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}
