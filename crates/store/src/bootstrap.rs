//! The single-use token of the first start, and what an owner does whose last admin token has ended.

use model::{Code, TenantId, Timestamp};

use crate::admins::last_admin;
use crate::args;
use crate::error::{Error, Result};
use crate::events::Act;
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::tokens::{NewToken, insert_token_as};

/// Sets the hash of the bootstrap token while nobody has used one. `Ok(false)`: it is used up, or
/// somebody holds a token already.
#[derive(Clone, Debug)]
pub struct OfferBootstrap {
    /// The tenant.
    pub tenant: TenantId,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// Now.
    pub at: Timestamp,
}

impl Write for OfferBootstrap {
    type Out = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool> {
        if tx.row("SELECT 1 FROM tokens WHERE tenant_id = $1 LIMIT 1", args![self.tenant]).await?.is_some() {
            return Ok(false);
        }
        let sql = "INSERT INTO bootstrap (tenant_id, hash, created_at) VALUES ($1, $2, $3)
             ON CONFLICT (tenant_id) DO UPDATE SET hash = $2, created_at = $3 WHERE bootstrap.used_at IS NULL";
        Ok(tx.execute(sql, args![self.tenant, self.hash, self.at]).await? == 1)
    }
}

/// Whether the single-use bootstrap token may still be exchanged.
pub async fn bootstrap_is_open(session: &mut Session<'_>, tenant: TenantId) -> Result<bool> {
    let sql = "SELECT 1 FROM tokens WHERE tenant_id = $1 UNION ALL SELECT 1 FROM bootstrap WHERE tenant_id = $1 AND used_at IS NOT NULL LIMIT 1";
    Ok(session.row(sql, args![tenant]).await?.is_none())
}

/// Exchanges the bootstrap token, once, for the first admin's token and binds the admin.
#[derive(Clone, Debug)]
pub struct ExchangeBootstrap {
    /// Who and when; the actor is the subject to be.
    pub act: Act,
    /// SHA-256 of what was presented.
    pub presented: [u8; 32],
    /// The token to mint.
    pub token: NewToken,
}

impl Write for ExchangeBootstrap {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let act = &self.act;
        let sql = "UPDATE bootstrap SET used_at = $3 WHERE tenant_id = $1 AND hash = $2 AND used_at IS NULL";
        if tx.execute(sql, args![act.tenant, self.presented, act.at]).await? == 0 {
            return Err(Error::refuse(Code::Unauthorized, "the bootstrap token is wrong or has been used"));
        }
        make_admin(tx, act, &self.token, "auth.pat.issued").await
    }
}

/// Mints an admin's token for the owner of the database. Refused while somebody's admin token is in force, unless all
/// of those are given up for lost, and where the bootstrap token has not been exchanged yet. Of several at once, one mints.
#[derive(Clone, Debug)]
pub struct Recover {
    /// Who and when.
    pub act: Act,
    /// The token to mint.
    pub token: NewToken,
    /// Whether nobody has the admin tokens any more that are in force.
    pub lost: bool,
}

impl Write for Recover {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let act = &self.act;
        tx.row("SELECT 1 FROM tenants WHERE id = $1 FOR NO KEY UPDATE", args![act.tenant]).await?;
        if bootstrap_is_open(tx, act.tenant).await? {
            return Err(Error::conflict("nobody has logged in here yet: the bootstrap token makes the first admin"));
        }
        if !self.lost
            && let Some(admin) = last_admin(tx, act.tenant, act.at).await?
        {
            let why = format!("an admin's token is in force until {}: that of {}", admin.until, admin.subject);
            return Err(Error::conflict(why));
        }
        make_admin(tx, act, &self.token, "auth.recovered").await
    }
}

/// Stores the token and binds its subject as an admin; `action` is what the journal calls it.
async fn make_admin(tx: &mut Tx<'_>, act: &Act, token: &NewToken, action: &str) -> Result<()> {
    insert_token_as(tx, act, token, action).await?;
    let sql = "INSERT INTO tenant_bindings (tenant_id, subject, role, created_by, created_at) VALUES ($1, $2, 'admin', $3, $4)
         ON CONFLICT DO NOTHING";
    tx.execute(sql, args![act.tenant, token.subject, act.actor, act.at]).await?;
    tx.touch_auth().await
}
