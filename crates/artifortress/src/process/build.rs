//! Builds store, bytes and registry from the configuration.

use std::time::Duration;

use blobs::{Blobs, S3Config, S3Credentials};
use model::{Ambient, Secret};
use outbound::Trust;
use registry::{Limits, Outside, Registry, Settings};
use store::{Options, Store};

use super::master_key::master_key;
use super::stamps::check_stamps;
use crate::Context;
use crate::commands::connection::{bundle, proxies};
use crate::commands::failure::Failure;
use crate::config::{BlobPlace, Config, DatabaseUrl, Environment};

/// Memory for remembered entries.
const ENTRY_CACHE: u64 = 32 << 20;

/// Where the database is.
pub(crate) fn database_options(config: &Config) -> Options {
    match config.database_url() {
        DatabaseUrl::Sqlite(path) => Options::Sqlite { path },
        DatabaseUrl::Postgres(url) => Options::Postgres { url, pool: config.database.pool_size },
    }
}

/// Opens the database; SQLite is migrated on the way.
pub(crate) async fn open_store(config: &Config, ambient: &Ambient) -> Result<Store, Failure> {
    Store::open(&database_options(config), ambient)
        .await
        .map_err(|error| Failure::new(format!("the database cannot be opened: {error}")))
}

/// Builds the registry over an open store whose schema is current.
pub(crate) async fn build(config: &Config, store: Store, context: &Context) -> Result<Registry, Failure> {
    let ambient = &context.ambient;
    let blobs = open_blobs(config)?;
    let stamp = check_stamps(config.server.environment.0.as_str(), &store, &blobs, ambient).await?;
    let outside = outside(config, &context.environment);
    let settings = settings(config, master_key(config, ambient)?, outside);
    let registry = Registry::open(store, blobs, ambient.clone(), settings).await;
    let registry = registry.map_err(|error| Failure::new(format!("the registry cannot be opened: {error}")))?;
    registry.expect_stamp(stamp);
    Ok(registry)
}

pub(super) fn open_blobs(config: &Config) -> Result<Blobs, Failure> {
    let options = blobs::Options {
        inline_limit: config.blobs.inline_limit_kib as usize * 1024,
        read_memory: config.download.buffer_mib as usize * 1024 * 1024,
    };
    let opened = match config.blob_place() {
        BlobPlace::Folder(folder) => Blobs::disk(&folder, options),
        BlobPlace::Bucket { bucket, prefix } => Blobs::s3(&s3(config, bucket, prefix), options),
    };
    opened.map_err(|error| Failure::new(format!("the blob store cannot be opened: {error}")))
}

fn s3(config: &Config, bucket: String, prefix: String) -> S3Config {
    let text = |secret: &Option<Secret<String>>| secret.as_ref().map(|secret| secret.expose().clone());
    let credentials = text(&config.s3.access_key_id).zip(config.s3.secret_access_key.clone());
    S3Config {
        bucket,
        prefix,
        endpoint: config.s3.endpoint.as_ref().map(|url| url.0.clone()),
        region: config.s3.region.clone(),
        credentials: credentials.map(|(access_key_id, secret_access_key)| S3Credentials {
            access_key_id,
            secret_access_key,
            session_token: config.s3.session_token.clone(),
        }),
        virtual_hosted: false,
        patience: Duration::from_secs(10),
    }
}

/// What lies between us and upstreams: as the command line's client has it.
fn outside(config: &Config, environment: &Environment) -> Outside {
    Outside {
        private: config.server.private_upstreams.clone(),
        trust: Trust { bundle: bundle(environment), extra: None },
        proxies: proxies(environment),
    }
}

fn settings(config: &Config, master_key: Secret<[u8; 32]>, outside: Outside) -> Settings {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let seconds = Duration::from_secs;
    Settings {
        limits: Limits {
            storage_bytes: config.quota.default_storage_gib << 30,
            upload_sessions: u64::from(config.quota.max_upload_sessions),
            pending_jobs: u64::from(config.quota.max_pending_jobs),
        },
        upload_session: minutes(config.upload.session_minutes),
        max_upload: config.upload.max_length_gib << 30,
        pin: hours(24),
        seal_after: hours(config.versions.seal_after_hours),
        deploy_quiet: seconds(config.versions.deploy_quiet_seconds),
        tombstone_retention: hours(24 * config.lifecycle.tombstone_retention_days),
        token_life: minutes(config.tokens.default_ttl_minutes),
        max_token_life: minutes(config.tokens.max_ttl_minutes),
        entry_cache: ENTRY_CACHE,
        presigned_downloads: config.download.presigned.then(|| seconds(config.download.presigned_ttl_seconds)),
        presigned_parts: config.upload.presigned_parts.then(|| seconds(config.upload.part_ttl_seconds)),
        master_key,
        outside,
    }
}
