//! Service accounts and the roles bound on the tenant.

use model::state::PrincipalKind;
use model::{PrincipalId, Subject, TenantId, TenantRole, Timestamp};
use serde_json::json;

use crate::args;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::value::Row;

/// A service account.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// Its id.
    pub id: PrincipalId,
    /// Its subject.
    pub subject: String,
    /// What it is for.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it is disabled.
    pub disabled_at: Option<Timestamp>,
    /// Since when that is for good.
    pub deleted_at: Option<Timestamp>,
}

macro_rules! account_from {
    ($rest:literal) => {
        concat!(
            "SELECT id, subject, description, created_at, disabled_at, deleted_at FROM principals
             WHERE tenant_id = $1 AND kind = 'service' ",
            $rest
        )
    };
}

fn account(row: &Row) -> Result<ServiceAccount> {
    Ok(ServiceAccount {
        id: row.get(0)?,
        subject: row.get(1)?,
        description: row.get(2)?,
        created_at: row.get(3)?,
        disabled_at: row.get(4)?,
        deleted_at: row.get(5)?,
    })
}

/// Locks an account that was not deleted. 404 when there is none.
async fn lock(tx: &mut Tx<'_>, tenant: TenantId, subject: &Subject) -> Result<ServiceAccount> {
    const SQL: &str = account_from!("AND subject = $2 AND deleted_at IS NULL FOR UPDATE");
    let row = tx.row(SQL, args![tenant, *subject]).await?;
    account(&row.ok_or_else(|| Error::not_found(&format!("the service account {subject}")))?)
}

/// Service accounts after the subject `after`, in the order of their subjects.
pub async fn service_accounts(
    session: &mut Session<'_>,
    tenant: TenantId,
    after: &str,
    limit: u32,
) -> Result<Vec<ServiceAccount>> {
    const SQL: &str = account_from!("AND subject > $2 ORDER BY subject LIMIT $3");
    session.rows(SQL, args![tenant, *after, limit]).await?.iter().map(account).collect()
}

/// Makes a service account. 409 when the subject exists.
#[derive(Clone, Debug)]
pub struct CreateServiceAccount {
    /// Who and when.
    pub act: Act,
    /// Its id.
    pub id: PrincipalId,
    /// Its subject.
    pub subject: Subject,
    /// What it is for.
    pub description: String,
}

impl Write for CreateServiceAccount {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let act = &self.act;
        let sql = "INSERT INTO principals (id, tenant_id, kind, subject, description, created_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT DO NOTHING";
        let kind = PrincipalKind::Service.word();
        let args = args![self.id, act.tenant, *kind, self.subject, self.description, act.at];
        if tx.execute(sql, args).await? == 0 {
            return Err(Error::conflict(format!("the subject {} exists already", self.subject)));
        }
        let on = On { repo: None, kind: "principal", id: self.subject.as_str() };
        record(tx, act, "auth.service_account.created", on, &json!({"description": self.description})).await?;
        tx.touch_auth().await
    }
}

/// Disables a service account, whose tokens are then dead, or enables it again, and them. It is so already: fine.
#[derive(Clone, Debug)]
pub struct SetDisabled {
    /// Who and when.
    pub act: Act,
    /// Which.
    pub subject: Subject,
    /// Whether it is disabled from now on.
    pub disabled: bool,
}

impl Write for SetDisabled {
    type Out = ServiceAccount;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<ServiceAccount> {
        let act = &self.act;
        let before = lock(tx, act.tenant, &self.subject).await?;
        if before.disabled_at.is_some() == self.disabled {
            return Ok(before);
        }
        let disabled_at = self.disabled.then_some(act.at);
        let sql = "UPDATE principals SET disabled_at = $2 WHERE id = $1";
        tx.execute(sql, args![before.id, disabled_at]).await?;
        let action = if self.disabled { "auth.service_account.disabled" } else { "auth.service_account.enabled" };
        let on = On { repo: None, kind: "principal", id: self.subject.as_str() };
        record(tx, act, action, on, &json!({})).await?;
        tx.touch_auth().await?;
        Ok(ServiceAccount { disabled_at, ..before })
    }
}

/// Deletes a service account: it is disabled for good, and its tokens are revoked. Its subject is never given away again.
#[derive(Clone, Debug)]
pub struct DeleteServiceAccount {
    /// Who and when.
    pub act: Act,
    /// Which.
    pub subject: Subject,
}

impl Write for DeleteServiceAccount {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let act = &self.act;
        let account = lock(tx, act.tenant, &self.subject).await?;
        let sql = "UPDATE principals SET disabled_at = COALESCE(disabled_at, $2), deleted_at = $2 WHERE id = $1";
        tx.execute(sql, args![account.id, act.at]).await?;
        let sql = "UPDATE tokens SET revoked_at = $2 WHERE principal_id = $1 AND revoked_at IS NULL";
        let revoked = tx.execute(sql, args![account.id, act.at]).await?;
        let on = On { repo: None, kind: "principal", id: self.subject.as_str() };
        record(tx, act, "auth.service_account.deleted", on, &json!({"revokedTokens": revoked})).await?;
        tx.touch_auth().await
    }
}

/// Roles of a subject on the tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantBinding {
    /// To whom.
    pub subject: String,
    /// Which.
    pub roles: Vec<TenantRole>,
    /// When the first was bound.
    pub updated_at: Timestamp,
}

/// The bindings of a tenant in the order of their subjects.
pub async fn tenant_bindings(session: &mut Session<'_>, tenant: TenantId) -> Result<Vec<TenantBinding>> {
    let sql = "SELECT subject, role, created_at FROM tenant_bindings WHERE tenant_id = $1 ORDER BY subject, role";
    let mut found: Vec<TenantBinding> = Vec::new();
    for row in session.rows(sql, args![tenant]).await? {
        let (subject, role): (String, String) = (row.get(0)?, row.get(1)?);
        let role: TenantRole = role.parse().map_err(|_| Error::Defect(format!("role {role}")))?;
        match found.last_mut() {
            Some(last) if last.subject == subject => last.roles.push(role),
            _ => found.push(TenantBinding { subject, roles: vec![role], updated_at: row.get(2)? }),
        }
    }
    Ok(found)
}

/// Replaces the roles of a subject on the tenant; no roles removes the binding.
#[derive(Clone, Debug)]
pub struct SetTenantBinding {
    /// Who and when.
    pub act: Act,
    /// To whom.
    pub subject: Subject,
    /// Which.
    pub roles: Vec<TenantRole>,
}

impl Write for SetTenantBinding {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let act = &self.act;
        // Two changes of one binding must not add up.
        tx.row("SELECT 1 FROM tenants WHERE id = $1 FOR NO KEY UPDATE", args![act.tenant]).await?;
        let sql = "DELETE FROM tenant_bindings WHERE tenant_id = $1 AND subject = $2";
        let removed = tx.execute(sql, args![act.tenant, self.subject]).await?;
        if self.roles.is_empty() && removed == 0 {
            return Err(Error::not_found(&format!("a binding of {}", self.subject)));
        }
        let sql =
            "INSERT INTO tenant_bindings (tenant_id, subject, role, created_by, created_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING";
        for role in &self.roles {
            tx.execute(sql, args![act.tenant, self.subject, *role.word(), act.actor, act.at]).await?;
        }
        let action = if self.roles.is_empty() { "tenant.role_binding.deleted" } else { "tenant.role_binding.upserted" };
        let on = On { repo: None, kind: "principal", id: self.subject.as_str() };
        record(tx, act, action, on, &json!({"roles": self.roles})).await?;
        tx.touch_auth().await
    }
}
