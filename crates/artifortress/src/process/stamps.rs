//! Database and blob store are stamped at first use: with the environment, so that staging never
//! shares data with production, and with each other, so that a volume that is not mounted or a wrong
//! prefix is not taken for a store whose bytes are gone.

use blobs::Blobs;
use model::Ambient;
use store::Store;
use store::tenants::{Stamp, Stamps, stamps};
use uuid::Uuid;

use crate::commands::failure::Failure;

/// Refuses a database and a blob store that do not belong together, or to this environment. `found` is the stamp of the
/// blob store.
pub(super) fn agree(environment: &str, database: &Stamps, found: Option<&str>) -> Result<(), Failure> {
    if let Some(theirs) = &database.environment {
        same_environment("database", theirs, environment)?;
    }
    let Some(found) = found else {
        return if database.blobs.is_some() { Err(gone()) } else { Ok(()) };
    };
    let (theirs, instance) = split(found);
    same_environment("blob store", theirs, environment)?;
    if database.instance.as_deref() == Some(instance) { Ok(()) } else { Err(not_ours()) }
}

/// Stamps what is new and refuses what belongs elsewhere, before anything is stamped. Returns what the blob store is
/// stamped with.
pub(super) async fn check_stamps(
    environment: &str,
    store: &Store,
    blobs: &Blobs,
    ambient: &Ambient,
) -> Result<String, Failure> {
    // Others may stamp at the same time: the database first, then the blob store, then that in the database.
    let before = store.read(stamps).await.map_err(database_failed)?;
    let found = blobs.stamped().await.map_err(bytes_failed)?;
    let after = store.read(stamps).await.map_err(database_failed)?;
    agree(environment, &Stamps { blobs: before.blobs, ..after }, found.as_deref())?;
    same_environment("database", &stamp(store, "environment", environment).await?, environment)?;
    let instance = stamp(store, "instance", &ambient.id::<Uuid>().to_string()).await?;
    let found = match found {
        Some(found) => found,
        None => blobs.stamp(&format!("{environment} {instance}")).await.map_err(bytes_failed)?,
    };
    let (theirs, found_instance) = split(&found);
    same_environment("blob store", theirs, environment)?;
    if found_instance != instance {
        return Err(not_ours());
    }
    stamp(store, "blobs", &instance).await?;
    Ok(found)
}

/// Environment and instance of a blob store's stamp.
fn split(found: &str) -> (&str, &str) {
    found.split_once(' ').unwrap_or((found, ""))
}

fn gone() -> Failure {
    Failure::new("the blob store is empty, but the database has used it before")
        .advise("is its volume mounted, is the bucket or prefix the right one?")
}

fn not_ours() -> Failure {
    Failure::new("the blob store belongs to another database")
        .advise("use the blob store of this database, or an empty one with an empty database")
}

async fn stamp(store: &Store, key: &str, value: &str) -> Result<String, Failure> {
    store.write(Stamp { key: key.to_owned(), value: value.to_owned() }).await.map_err(database_failed)
}

fn same_environment(what: &str, found: &str, wanted: &str) -> Result<(), Failure> {
    if found == wanted {
        return Ok(());
    }
    let text = format!("the {what} belongs to the environment {found}, this process to {wanted}");
    Err(Failure::new(text).advise(format!("set ARTIFORTRESS_ENVIRONMENT={found}, or use another {what}")))
}

fn database_failed(error: store::Error) -> Failure {
    Failure::new(format!("the database cannot be used: {error}"))
}

fn bytes_failed(error: blobs::Error) -> Failure {
    Failure::new(format!("the blob store cannot be used: {error}"))
}
