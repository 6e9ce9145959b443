//! The first start: a single-use token for the first admin.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use registry::{Registry, TokenSecret};

use crate::commands::failure::Failure;
use crate::config::{Config, DatabaseUrl};

/// Offers the configured bootstrap token while nobody holds a token. Embedded and without one, makes
/// a random one and writes it to `<data>/bootstrap-token`; the log names the file, never the token.
pub(crate) async fn offer_bootstrap(config: &Config, registry: &Registry) -> Result<(), Failure> {
    let failed = |error: registry::Error| Failure::new(format!("the bootstrap token cannot be set: {error}"));
    let file = config.server.data.join("bootstrap-token");
    if !registry.awaits_bootstrap().await.map_err(failed)? {
        return forget(&file);
    }
    if let Some(secret) = &config.server.bootstrap_token {
        registry.offer_bootstrap(secret.expose()).await.map_err(failed)?;
        tracing::info!("the bootstrap token from the configuration can be exchanged, once");
        return Ok(());
    }
    if matches!(config.database_url(), DatabaseUrl::Postgres(_)) {
        tracing::warn!("nobody can log in yet: set ARTIFORTRESS_BOOTSTRAP_TOKEN to make the first admin");
        return Ok(());
    }
    let secret = TokenSecret::make(registry.ambient());
    write(&file, secret.text())
        .map_err(|error| Failure::new(format!("{} cannot be written: {error}", file.display())))?;
    registry.offer_bootstrap(secret.text()).await.map_err(failed)?;
    tracing::info!(file = %file.display(), "a bootstrap token waits in this file: `artifortress init` exchanges it, once");
    Ok(())
}

/// Only we may read it; an older one is replaced as a whole.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let fresh = file.with_extension("new");
    let mut out = std::fs::File::options().create(true).truncate(true).write(true).mode(0o600).open(&fresh)?;
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.sync_all()?;
    std::fs::rename(&fresh, file)
}

/// A token that is used up need not lie around.
fn forget(file: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::new(format!("{} cannot be removed: {error}", file.display())))
        }
        _ => Ok(()),
    }
}
