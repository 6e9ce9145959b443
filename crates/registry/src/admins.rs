//! Whether somebody can still administer the tenant.

use std::time::Duration;

use crate::error::Result;
use crate::registry::Registry;

/// From here on it is said that the last admin's token ends.
const SOON: Duration = Duration::from_secs(48 * 3600);

/// Says in the log that the last admin's token ends soon or has ended. Before there was any, nothing is wrong.
pub(crate) async fn watch_admins(registry: &Registry) {
    if let Err(error) = look(registry).await {
        tracing::warn!(%error, "who can administer could not be looked at");
    }
}

async fn look(registry: &Registry) -> Result<()> {
    match registry.last_admin().await? {
        Some(admin) if admin.until < registry.now().plus(SOON) => tracing::warn!(
            subject = admin.subject, until = %admin.until,
            "the last admin's token ends soon: have it make one for another admin (`artifortress admin tokens mint --subject`)"
        ),
        Some(_) => {}
        None if registry.awaits_bootstrap().await? => {}
        None => tracing::warn!("no admin's token is in force: `artifortress recover` beside the database makes one"),
    }
    Ok(())
}
