//! The single-use token of the first start.

use model::{Code, TenantId, Timestamp};

use crate::args;
use crate::error::{Error, Result};
use crate::events::Act;
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::tokens::{NewToken, insert_token};

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
        insert_token(tx, act, &self.token).await?;
        let sql = "INSERT INTO tenant_bindings (tenant_id, subject, role, created_by, created_at) VALUES ($1, $2, 'admin', $3, $4)
             ON CONFLICT DO NOTHING";
        tx.execute(sql, args![act.tenant, self.token.subject, act.actor, act.at]).await?;
        tx.touch_auth().await
    }
}
