//! Principals and their tokens.

use model::state::PrincipalKind;
use model::{Code, PrincipalId, RepoKey, Role, Scope, ScopeRepo, Subject, TenantId, TenantRole, Timestamp, TokenId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::args;
use crate::error::{Error, Result};
use crate::events::{Act, On, record};
use crate::session::{Session, Tx};
use crate::store::Write;
use crate::value::Row;

/// Why a token has a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// Whoever minted it gave it: it ends with the token.
    Grant,
    /// The subject's bindings: it ends with the token or with the binding, whichever is first.
    Binding,
}

/// A scope of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldScope {
    /// The right.
    pub scope: Scope,
    /// Why.
    pub basis: Basis,
}

/// What a presented token is worth.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The token.
    pub token: TokenId,
    /// Whose it is.
    pub principal: PrincipalId,
    /// The tenant.
    pub tenant: TenantId,
    /// The subject.
    pub subject: Subject,
    /// The kind of principal.
    pub kind: PrincipalKind,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// What it was given.
    pub scopes: Vec<HeldScope>,
    /// What the subject's bindings give right now.
    pub bindings: Vec<Scope>,
}

/// A token for people: everything but the secret.
#[derive(Clone, Debug)]
pub struct TokenInfo {
    /// Its id.
    pub id: TokenId,
    /// Whose.
    pub subject: String,
    /// What it is for.
    pub name: String,
    /// What it was given.
    pub scopes: Vec<HeldScope>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// Since when it is dead.
    pub revoked_at: Option<Timestamp>,
    /// When it was last seen; minutes old at worst.
    pub last_used_at: Option<Timestamp>,
}

pub(crate) fn scopes(text: &str) -> Result<Vec<HeldScope>> {
    serde_json::from_str(text).map_err(|error| Error::Defect(format!("scopes of a token: {error}")))
}

pub(crate) fn subject(text: &str) -> Result<Subject> {
    Subject::parse(text).map_err(|error| Error::Defect(error.to_string()))
}

/// What became of a token that is not revoked.
#[derive(Clone, Debug)]
pub enum Presented {
    /// It lives.
    Living(Box<Credentials>),
    /// It ended by itself.
    Expired(Timestamp),
}

/// The living token with this hash, with the rights of its subject.
pub async fn credentials(session: &mut Session<'_>, hash: &[u8; 32], now: Timestamp) -> Result<Option<Credentials>> {
    Ok(match presented(session, hash, now).await? {
        Some(Presented::Living(credentials)) => Some(*credentials),
        Some(Presented::Expired(_)) | None => None,
    })
}

/// The token with this hash. `None` where it is unknown, revoked or of somebody who is disabled.
pub async fn presented(session: &mut Session<'_>, hash: &[u8; 32], now: Timestamp) -> Result<Option<Presented>> {
    let sql = "SELECT t.id, t.principal_id, t.tenant_id, p.subject, p.kind, t.expires_at, t.scopes
         FROM tokens t JOIN principals p ON p.id = t.principal_id
         WHERE t.hash = $1 AND t.revoked_at IS NULL AND p.disabled_at IS NULL";
    let Some(row) = session.row(sql, args![*hash]).await? else { return Ok(None) };
    let expires_at: Timestamp = row.get(5)?;
    if expires_at <= now {
        return Ok(Some(Presented::Expired(expires_at)));
    }
    let (name, kind): (String, String) = (row.get(3)?, row.get(4)?);
    let (tenant, subject) = (row.get(2)?, subject(&name)?);
    Ok(Some(Presented::Living(Box::new(Credentials {
        token: row.get(0)?,
        principal: row.get(1)?,
        tenant,
        kind: PrincipalKind::from_word(&kind).ok_or_else(|| Error::Defect(format!("principal kind {kind}")))?,
        expires_at,
        scopes: scopes(&row.get::<String>(6)?)?,
        bindings: bound_scopes(session, tenant, &subject).await?,
        subject,
    }))))
}

/// The living token that this one was minted from, with the rights of its subject.
pub async fn parent(session: &mut Session<'_>, token: TokenId, now: Timestamp) -> Result<Option<Credentials>> {
    let sql = "SELECT p.hash FROM tokens t JOIN tokens p ON p.id = t.parent_id WHERE t.id = $1";
    let Some(row) = session.row(sql, args![token]).await? else { return Ok(None) };
    let hash = <[u8; 32]>::try_from(row.get::<Vec<u8>>(0)?).map_err(|_| Error::Defect("a token's hash".to_owned()))?;
    credentials(session, &hash, now).await
}

/// What the bindings of a subject give, on the tenant and on living repositories.
pub async fn bound_scopes(session: &mut Session<'_>, tenant: TenantId, subject: &Subject) -> Result<Vec<Scope>> {
    let sql = "SELECT r.key, b.role FROM repo_bindings b JOIN repositories r ON r.id = b.repo_id
         WHERE b.subject = $2 AND r.tenant_id = $1 AND r.retired_at IS NULL
         UNION ALL SELECT NULL, role FROM tenant_bindings WHERE tenant_id = $1 AND subject = $2";
    let rows = session.rows(sql, args![tenant, *subject]).await?;
    rows.iter().map(bound_scope).collect()
}

fn bound_scope(row: &Row) -> Result<Scope> {
    let defect = |text: &str| Error::Defect(format!("role {text}"));
    let role: String = row.get(1)?;
    match row.get::<Option<String>>(0)? {
        Some(key) => {
            let key = RepoKey::parse(&key).map_err(|error| Error::Defect(error.to_string()))?;
            Ok(Scope::Repo(ScopeRepo::One(key), role.parse::<Role>().map_err(|_| defect(&role))?))
        }
        None => Ok(Scope::Tenant(role.parse::<TenantRole>().map_err(|_| defect(&role))?)),
    }
}

/// Which tokens to list.
#[derive(Clone, Debug, Default)]
pub struct TokenFilter {
    /// Only this principal's.
    pub principal: Option<PrincipalId>,
    /// Only those after this one (by id).
    pub after: Option<TokenId>,
    /// Only those in force at this moment.
    pub alive_at: Option<Timestamp>,
}

/// Tokens, oldest first.
pub async fn list(
    session: &mut Session<'_>,
    tenant: TenantId,
    filter: &TokenFilter,
    limit: u32,
) -> Result<Vec<TokenInfo>> {
    let sql = "SELECT t.id, p.subject, t.name, t.scopes, t.created_by, t.created_at, t.expires_at, t.revoked_at, u.last_used_at
         FROM tokens t JOIN principals p ON p.id = t.principal_id LEFT JOIN token_uses u ON u.token_id = t.id
         WHERE t.tenant_id = $1 AND t.principal_id = coalesce($2, t.principal_id) AND ($3 IS NULL OR t.id > $3)
             AND ($4 IS NULL OR (t.revoked_at IS NULL AND t.expires_at > $4))
         ORDER BY t.id LIMIT $5";
    let rows = session.rows(sql, args![tenant, filter.principal, filter.after, filter.alive_at, limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(TokenInfo {
                id: row.get(0)?,
                subject: row.get(1)?,
                name: row.get(2)?,
                scopes: scopes(&row.get::<String>(3)?)?,
                created_by: row.get(4)?,
                created_at: row.get(5)?,
                expires_at: row.get(6)?,
                revoked_at: row.get(7)?,
                last_used_at: row.get(8)?,
            })
        })
        .collect()
}

/// Makes sure that a principal exists and is enabled. Used inside other writes.
async fn ensure_principal(tx: &mut Tx<'_>, act: &Act, new: PrincipalId, subject: &Subject) -> Result<PrincipalId> {
    let sql = "INSERT INTO principals (id, tenant_id, kind, subject, created_at) VALUES ($1, $2, 'person', $3, $4)
         ON CONFLICT DO NOTHING";
    tx.execute(sql, args![new, act.tenant, *subject, act.at]).await?;
    let sql = "SELECT id, disabled_at FROM principals WHERE tenant_id = $1 AND subject = $2";
    let row = tx.row(sql, args![act.tenant, *subject]).await?;
    let row = row.ok_or_else(|| Error::Defect("a principal vanished".to_owned()))?;
    if row.get::<Option<Timestamp>>(1)?.is_some() {
        return Err(Error::conflict(format!("{subject} is disabled")));
    }
    row.get(0)
}

/// A token to be stored: only the hash of its secret.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its id.
    pub id: TokenId,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// Whose.
    pub subject: Subject,
    /// The principal's id when it is new.
    pub new_principal: PrincipalId,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<HeldScope>,
    /// The token it was made with, when it was made for oneself: it dies with it.
    pub parent: Option<TokenId>,
    /// Until when.
    pub expires_at: Timestamp,
}

pub(crate) async fn insert_token(tx: &mut Tx<'_>, act: &Act, token: &NewToken) -> Result<()> {
    insert_token_as(tx, act, token, "auth.pat.issued").await
}

/// Stores a token; `action` is what the journal calls it.
pub(crate) async fn insert_token_as(tx: &mut Tx<'_>, act: &Act, token: &NewToken, action: &str) -> Result<()> {
    let principal = ensure_principal(tx, act, token.new_principal, &token.subject).await?;
    let scopes = serde_json::to_string(&token.scopes).map_err(|error| Error::Defect(error.to_string()))?;
    let sql = "INSERT INTO tokens (id, tenant_id, principal_id, hash, name, scopes, parent_id, created_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let args = args![
        token.id,
        act.tenant,
        principal,
        token.hash,
        token.name,
        scopes,
        token.parent,
        act.actor,
        act.at,
        token.expires_at
    ];
    tx.execute(sql, args).await?;
    let id = token.id.to_string();
    let held: Vec<_> = token.scopes.iter().map(|held| held.scope.to_string()).collect();
    let detail = json!({"subject": token.subject, "name": token.name, "scopes": held, "expiresAt": token.expires_at});
    record(tx, act, action, On { repo: None, kind: "token", id: &id }, &detail).await
}

/// Mints a token. A parent that has died meanwhile refuses.
#[derive(Clone, Debug)]
pub struct MintToken {
    /// Who and when.
    pub act: Act,
    /// The token.
    pub token: NewToken,
}

impl Write for MintToken {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        mint(tx, &self.act, &self.token).await
    }
}

/// Stores a token whose parent, if it has one, lives.
pub(crate) async fn mint(tx: &mut Tx<'_>, act: &Act, token: &NewToken) -> Result<()> {
    if let Some(parent) = token.parent {
        let sql = "SELECT 1 FROM tokens WHERE id = $1 AND revoked_at IS NULL AND expires_at > $2 FOR SHARE";
        if tx.row(sql, args![parent, act.at]).await?.is_none() {
            return Err(Error::refuse(Code::Unauthorized, "the token that was used is no longer valid"));
        }
    }
    insert_token(tx, act, token).await
}

/// Which tokens to revoke.
#[derive(Clone, Debug)]
pub enum Revoke {
    /// One, with those made from it.
    Token(TokenId),
    /// All of a subject.
    Subject(Subject),
    /// All of the tenant except one, the caller's own.
    AllBut(TokenId),
}

/// Revokes tokens; returns which. Dead ones stay as they are.
#[derive(Clone, Debug)]
pub struct RevokeTokens {
    /// Who and when.
    pub act: Act,
    /// Which.
    pub which: Revoke,
}

impl Write for RevokeTokens {
    type Out = Vec<TokenId>;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<TokenId>> {
        let act = &self.act;
        // A mint that holds its parent locked may add a token while we wait for that parent: what it
        // added is found by looking again, now that the parents are dead and no more can come.
        let mut revoked = self.revoke(tx).await?;
        loop {
            let more = self.revoke(tx).await?;
            if more.is_empty() {
                break;
            }
            revoked.extend(more);
        }
        let action = match &self.which {
            Revoke::Token(_) => "auth.pat.revoked",
            Revoke::Subject(_) => "auth.pat.revoked_subject",
            Revoke::AllBut(_) => "auth.pat.revoked_all",
        };
        if let (Revoke::Token(_), true) = (&self.which, revoked.is_empty()) {
            return Err(Error::not_found("a living token with this id"));
        }
        let id = match &self.which {
            Revoke::Token(id) => id.to_string(),
            Revoke::Subject(subject) => subject.to_string(),
            Revoke::AllBut(_) => act.tenant.to_string(),
        };
        let detail = json!({"tokenIds": revoked.iter().map(ToString::to_string).collect::<Vec<_>>()});
        record(tx, act, action, On { repo: None, kind: "token", id: &id }, &detail).await?;
        tx.touch_auth().await?;
        Ok(revoked)
    }
}

impl RevokeTokens {
    async fn revoke(&self, tx: &mut Tx<'_>) -> Result<Vec<TokenId>> {
        let act = &self.act;
        let rows = match &self.which {
            Revoke::Token(id) => {
                let sql = "WITH RECURSIVE line (id) AS (SELECT id FROM tokens WHERE id = $1 AND tenant_id = $2
                     UNION SELECT t.id FROM tokens t JOIN line ON t.parent_id = line.id)
                     UPDATE tokens SET revoked_at = $3 WHERE id IN (SELECT id FROM line) AND revoked_at IS NULL RETURNING id";
                tx.rows(sql, args![*id, act.tenant, act.at]).await?
            }
            Revoke::Subject(subject) => {
                let sql = "UPDATE tokens SET revoked_at = $3 WHERE revoked_at IS NULL AND principal_id IN
                     (SELECT id FROM principals WHERE tenant_id = $1 AND subject = $2) RETURNING id";
                tx.rows(sql, args![act.tenant, *subject, act.at]).await?
            }
            Revoke::AllBut(own) => {
                let sql = "UPDATE tokens SET revoked_at = $3 WHERE revoked_at IS NULL AND tenant_id = $1 AND id <> $2 RETURNING id";
                tx.rows(sql, args![act.tenant, *own, act.at]).await?
            }
        };
        rows.iter().map(|row| row.get(0)).collect::<Result<_>>()
    }
}

/// The policy for the lifetime of tokens: minutes at most, who set it and when.
pub async fn pat_policy(session: &mut Session<'_>, tenant: TenantId) -> Result<Option<(u32, String, Timestamp)>> {
    let sql = "SELECT max_ttl_minutes, updated_by, updated_at FROM pat_policies WHERE tenant_id = $1";
    let row = session.row(sql, args![tenant]).await?;
    row.map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).transpose()
}

/// Sets the policy for the lifetime of tokens.
#[derive(Clone, Debug)]
pub struct SetPatPolicy {
    /// Who and when.
    pub act: Act,
    /// Minutes at most.
    pub max_ttl_minutes: u32,
}

impl Write for SetPatPolicy {
    type Out = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<()> {
        let act = &self.act;
        let sql =
            "INSERT INTO pat_policies (tenant_id, max_ttl_minutes, updated_by, updated_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (tenant_id) DO UPDATE SET max_ttl_minutes = $2, updated_by = $3, updated_at = $4";
        tx.execute(sql, args![act.tenant, self.max_ttl_minutes, act.actor, act.at]).await?;
        let id = act.tenant.to_string();
        let on = On { repo: None, kind: "tenant", id: &id };
        record(tx, act, "auth.pat.policy.updated", on, &json!({"maxTtlMinutes": self.max_ttl_minutes})).await
    }
}
