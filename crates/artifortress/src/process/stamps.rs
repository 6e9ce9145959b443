//! Database and blob store are stamped at first use: with the environment, so that staging never
//! shares data with production, and with each other, so that a volume that is not mounted or a wrong
//! prefix is not taken for a store whose bytes are gone.

use blobs::Blobs;
use model::Ambient;
use store::Store;
use store::tenants::{Stamp, stamped};
use uuid::Uuid;

use crate::commands::failure::Failure;

/// Stamps what is new and refuses what belongs elsewhere. Returns what the blob store is stamped with.
pub(super) async fn check_stamps(
    environment: &str,
    store: &Store,
    blobs: &Blobs,
    ambient: &Ambient,
) -> Result<String, Failure> {
    same_environment("database", &stamp(store, "environment", environment).await?, environment)?;
    let instance = stamp(store, "instance", &ambient.id::<Uuid>().to_string()).await?;
    let used_before = store.read(async |session| stamped(session, "blobs").await).await.map_err(database)?.is_some();
    let found = match blobs.stamped().await.map_err(bytes)? {
        Some(found) => found,
        None if used_before => {
            let text = "the blob store is empty, but the database has used it before";
            return Err(Failure::new(text).advise("is its volume mounted, is the bucket or prefix the right one?"));
        }
        None => blobs.stamp(&format!("{environment} {instance}")).await.map_err(bytes)?,
    };
    let (found_environment, found_instance) = found.split_once(' ').unwrap_or((&found, ""));
    same_environment("blob store", found_environment, environment)?;
    if found_instance != instance {
        let text = "the blob store belongs to another database";
        return Err(
            Failure::new(text).advise("use the blob store of this database, or an empty one with an empty database")
        );
    }
    stamp(store, "blobs", &instance).await?;
    Ok(found)
}

async fn stamp(store: &Store, key: &str, value: &str) -> Result<String, Failure> {
    store.write(Stamp { key: key.to_owned(), value: value.to_owned() }).await.map_err(database)
}

fn same_environment(what: &str, found: &str, wanted: &str) -> Result<(), Failure> {
    if found == wanted {
        return Ok(());
    }
    let text = format!("the {what} belongs to the environment {found}, this process to {wanted}");
    Err(Failure::new(text).advise(format!("set ARTIFORTRESS_ENVIRONMENT={found}, or use another {what}")))
}

fn database(error: store::Error) -> Failure {
    Failure::new(format!("the database cannot be used: {error}"))
}

fn bytes(error: blobs::Error) -> Failure {
    Failure::new(format!("the blob store cannot be used: {error}"))
}
