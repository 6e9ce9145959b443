//! Tenants, and what the database says of itself.

use model::{TenantId, Timestamp};

use crate::args;
use crate::error::{Error, Result};
use crate::session::{Session, Tx};
use crate::store::Write;

/// The tenant named `slug`, if it exists.
pub async fn by_slug(session: &mut Session<'_>, slug: &str) -> Result<Option<TenantId>> {
    let row = session.row("SELECT id FROM tenants WHERE slug = $1", args![*slug]).await?;
    row.map(|row| row.get(0)).transpose()
}

/// Makes sure that a tenant exists; several processes may do so at once. Returns its id.
#[derive(Clone, Debug)]
pub struct EnsureTenant {
    /// The id to use when it is new.
    pub id: TenantId,
    /// Its name.
    pub slug: String,
    /// Now.
    pub at: Timestamp,
}

impl Write for EnsureTenant {
    type Out = TenantId;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<TenantId> {
        let sql = "INSERT INTO tenants (id, slug, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        tx.execute(sql, args![self.id, self.slug, self.at]).await?;
        by_slug(tx, &self.slug).await?.ok_or_else(|| Error::Defect("a tenant vanished".to_owned()))
    }
}

/// Stamps a word into the database at first use. Returns what is stamped, which may be another word.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// E.g. `environment`.
    pub key: String,
    /// The word to stamp when there is none.
    pub value: String,
}

impl Write for Stamp {
    type Out = String;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<String> {
        let sql = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        tx.execute(sql, args![self.key, self.value]).await?;
        let row = tx.row("SELECT value FROM meta WHERE key = $1", args![self.key]).await?;
        row.ok_or_else(|| Error::Defect("a stamp vanished".to_owned()))?.get(0)
    }
}

/// What is stamped under `key`, if anything.
pub async fn stamped(session: &mut Session<'_>, key: &str) -> Result<Option<String>> {
    let row = session.row("SELECT value FROM meta WHERE key = $1", args![*key]).await?;
    row.map(|row| row.get(0)).transpose()
}

/// What a database is stamped with, as far as it was used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// The environment that its data belong to.
    pub environment: Option<String>,
    /// Its own id.
    pub instance: Option<String>,
    /// The id that it found in its blob store: it has used one before.
    pub blobs: Option<String>,
}

/// All stamps.
pub async fn stamps(session: &mut Session<'_>) -> Result<Stamps> {
    Ok(Stamps {
        environment: stamped(session, "environment").await?,
        instance: stamped(session, "instance").await?,
        blobs: stamped(session, "blobs").await?,
    })
}

/// 503 where the database takes no writes: a replica, or set up so.
pub async fn expect_writable(session: &mut Session<'_>) -> Result<()> {
    if session.is_lite() {
        return Ok(());
    }
    match session.row("SELECT 1 WHERE current_setting('transaction_read_only') = 'on'", &[]).await? {
        Some(_) => Err(Error::Unavailable("it takes no writes (transaction_read_only)".to_owned())),
        None => Ok(()),
    }
}

/// The counters that tell other processes that something changed: (auth, config).
pub async fn epochs(session: &mut Session<'_>) -> Result<(u64, u64)> {
    let sql = "SELECT (SELECT value FROM epochs WHERE name = 'auth'), (SELECT value FROM epochs WHERE name = 'config')";
    let row = session.row(sql, &[]).await?.ok_or_else(|| Error::Defect("no epochs".to_owned()))?;
    Ok((row.get(0)?, row.get(1)?))
}
