//! What can be known to be wrong before anything is written: a start that is refused leaves everything as it was.

use std::path::Path;

use rustix::fs::Access;
use store::tenants::Stamps;
use store::{Depth, Options};

use super::build::{database_options, open_blobs};
use super::master_key::check_master_key;
use super::stamps::agree;
use crate::commands::failure::Failure;
use crate::config::{BlobPlace, Config};

/// Refuses a SQLite file that is damaged, another program's or not whole, a blob store that is not its own or cannot be,
/// and a master key that cannot be read. Writes nothing, makes nothing, and may look while another process works there.
/// With PostgreSQL a start changes no schema, and waits for a database that is away.
pub(crate) async fn look_first(config: &Config) -> Result<(), Failure> {
    match database_options(config) {
        Options::Sqlite { .. } => look_at_all(config).await,
        Options::Postgres { .. } => check_master_key(config),
    }
}

/// The same, whichever database it is: one that is away is refused.
pub(crate) async fn look_at_all(config: &Config) -> Result<(), Failure> {
    check_master_key(config)?;
    let stamps = look_at_database(&database_options(config)).await?;
    agree(config.server.environment.0.as_str(), &stamps, blob_stamp(config).await?.as_deref())
}

/// Refuses a SQLite file as [`look_first`] does; of PostgreSQL nothing is asked.
pub(crate) async fn look_at_file(config: &Config) -> Result<(), Failure> {
    match database_options(config) {
        options @ Options::Sqlite { .. } => look_at_database(&options).await.map(drop),
        Options::Postgres { .. } => Ok(()),
    }
}

/// What the database is stamped with, of which there may be none yet.
async fn look_at_database(options: &Options) -> Result<Stamps, Failure> {
    let found = store::inspect(options, Depth::Schema).await;
    let found = found.map_err(|error| Failure::new(format!("the database cannot be opened: {error}")))?;
    Ok(found.map(|found| found.stamps).unwrap_or_default())
}

async fn blob_stamp(config: &Config) -> Result<Option<String>, Failure> {
    let stamp = match config.blob_place() {
        BlobPlace::Folder(folder) => {
            takes_files(&folder)?;
            blobs::stamp_in(&folder)
        }
        BlobPlace::Bucket { .. } => open_blobs(config)?.stamped().await,
    };
    stamp.map_err(|error| Failure::new(format!("the blob store cannot be used: {error}")))
}

/// Whether files can be made in a folder or, where it is yet to be made, in what is to hold it.
fn takes_files(folder: &Path) -> Result<(), Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::new(format!("the blob store cannot be opened: the folder {}: {why}", folder.display()))
            .advise("let the server's user write there, or name another folder")
    };
    let Some(there) = folder.ancestors().find(|path| path.symlink_metadata().is_ok()) else { return Ok(()) };
    if !there.is_dir() {
        return Err(failed(&format!("{} is no folder", there.display())));
    }
    rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK).map_err(|errno| failed(&errno))
}
