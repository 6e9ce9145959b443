//! Logins that somebody said yes to in a browser, until the client that waits fetches its token.
//!
//! Only the hash of what the client asks with is kept, and which token the yes was said with: the client's own
//! token is made when it asks.

use model::{Timestamp, TokenId};
use serde_json::json;

use crate::args;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::tokens::{NewToken, mint};

/// Somebody says yes. One login waits for a token at most: the yes before is forgotten.
#[derive(Clone, Debug)]
pub struct ConfirmLogin {
    /// Who and when.
    pub act: Act,
    /// The hash of what the client asks with.
    pub code: [u8; 32],
    /// With which token.
    pub token: TokenId,
    /// Until when the client may ask.
    pub expires_at: Timestamp,
}

impl Write for ConfirmLogin {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let act = &self.act;
        tx.execute("DELETE FROM logins WHERE token_id = $1 OR expires_at <= $2", args![self.token, act.at]).await?;
        let sql = "INSERT INTO logins (code, token_id, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        if tx.execute(sql, args![self.code, self.token, self.expires_at]).await? == 0 {
            return Err(Error::conflict("this login was confirmed already"));
        }
        let id = self.token.to_string();
        let on = On { repo: None, kind: "token", id: &id };
        record(tx, act, "auth.login.confirmed", on, &json!({"expiresAt": self.expires_at})).await
    }
}

/// The hash of the token with which somebody said yes to the login of this code.
pub async fn confirmed(session: &mut Session<'_>, code: &[u8; 32], now: Timestamp) -> Result<Option<[u8; 32]>> {
    let sql = "SELECT t.hash FROM logins l JOIN tokens t ON t.id = l.token_id WHERE l.code = $1 AND l.expires_at > $2";
    let row = session.row(sql, args![*code, now]).await?;
    let Some(row) = row else { return Ok(None) };
    let hash: Vec<u8> = row.get(0)?;
    hash.try_into().map(Some).map_err(|_| Error::Defect("a token whose hash is none".to_owned()))
}

/// The client fetches its token, once.
#[derive(Clone, Debug)]
pub struct RedeemLogin {
    /// Who and when.
    pub act: Act,
    /// The hash of what the client asks with.
    pub code: [u8; 32],
    /// The client's token.
    pub token: NewToken,
}

impl Write for RedeemLogin {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let sql = "DELETE FROM logins WHERE code = $1 AND token_id = $2 AND expires_at > $3";
        if tx.execute(sql, args![self.code, self.token.parent, self.act.at]).await? == 0 {
            return Err(Error::not_found("a login that was confirmed and not yet fetched"));
        }
        mint(tx, &self.act, &self.token).await
    }
}
