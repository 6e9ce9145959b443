//! Whether somebody can still administer the tenant.

use std::time::Duration;

use store::admins::LastAdmin;

use crate::error::Result;
use crate::registry::Registry;

/// From here on it is said that the last admin's token ends, where tokens may live long enough.
const SOON: Duration = Duration::from_secs(48 * 3600);

/// Says in the log that the last admin's token ends soon or has ended. Before there was any, nothing is wrong.
pub(crate) async fn watch_admins(registry: &Registry) {
    if let Err(error) = look(registry).await {
        tracing::warn!(%error, "who can administer could not be looked at");
    }
}

/// Whether the last admin's token ends within two days, or within half of the longest life where that is less: what
/// was made just now to live that long never does.
pub(crate) async fn ends_soon(registry: &Registry, admin: &LastAdmin) -> Result<bool> {
    let soon = SOON.min(registry.longest_life().await? / 2);
    Ok(admin.until < registry.now().plus(soon))
}

async fn look(registry: &Registry) -> Result<()> {
    match registry.last_admin().await? {
        Some(admin) if ends_soon(registry, &admin).await? => {
            let minutes = registry.longest_life().await?.as_secs() / 60;
            tracing::warn!(
                subject = admin.subject, until = %admin.until,
                "the last admin's token ends soon: have it make one for another admin (`artifortress admin tokens mint \
                 --subject NAME --scope 'repo:*:admin' --ttl-minutes {minutes}`)"
            );
        }
        Some(_) => {}
        None if registry.awaits_bootstrap().await? => {}
        None => tracing::warn!("no admin's token is in force: `artifortress recover` beside the database makes one"),
    }
    Ok(())
}
