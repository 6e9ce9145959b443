//! Who can still administer a tenant, and until when.

use model::{Scope, TenantId, TenantRole, Timestamp};

use crate::args;
use crate::error::Result;
use crate::session::Session;
use crate::tokens::{Basis, HeldScope, bound_scopes, scopes, subject};
use crate::value::Row;

/// The token that lets somebody administer a tenant the longest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastAdmin {
    /// Whose it is.
    pub subject: String,
    /// When it ends by itself.
    pub until: Timestamp,
}

/// Of the admin tokens in force the one that ends last; `None`: nobody can administer the tenant.
pub async fn last_admin(session: &mut Session<'_>, tenant: TenantId, now: Timestamp) -> Result<Option<LastAdmin>> {
    // Scopes are kept as text: the words find the few tokens that are looked at closely.
    let sql = "SELECT p.subject, t.scopes, t.expires_at FROM tokens t JOIN principals p ON p.id = t.principal_id
         WHERE t.tenant_id = $1 AND t.revoked_at IS NULL AND t.expires_at > $2 AND p.disabled_at IS NULL
             AND (t.scopes LIKE '%tenant:admin%' OR t.scopes LIKE '%repo:*:admin%')
         ORDER BY t.expires_at DESC, t.id";
    for row in session.rows(sql, args![tenant, now]).await? {
        if administers(session, tenant, &row).await? {
            return Ok(Some(LastAdmin { subject: row.get(0)?, until: row.get(2)? }));
        }
    }
    Ok(None)
}

/// Whether a token gives the role by itself, or by a binding that still stands.
async fn administers(session: &mut Session<'_>, tenant: TenantId, row: &Row) -> Result<bool> {
    let admin = Scope::Tenant(TenantRole::Admin);
    let held = scopes(&row.get::<String>(1)?)?;
    let gives = |basis: Basis| held.iter().any(|held: &HeldScope| held.basis == basis && held.scope.includes(&admin));
    if gives(Basis::Grant) || !gives(Basis::Binding) {
        return Ok(gives(Basis::Grant));
    }
    let bound = bound_scopes(session, tenant, &subject(&row.get::<String>(0)?)?).await?;
    Ok(bound.iter().any(|scope| scope.includes(&admin)))
}
