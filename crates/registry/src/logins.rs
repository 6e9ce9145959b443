//! Tokens for clients that log in, and as they list, make and end them with commands of their own.
//!
//! A login in a browser needs no row until somebody says yes: the client gets a secret that says until when it is
//! good, its user a page named by the secret's hash. Whoever knows the page alone cannot fetch the token, and the
//! token exists only when it is fetched.

use std::time::Duration;

use formats::{Rights, TokenWanted};
use model::{Code, CorrelationId, RepoKey, Role, Scope, ScopeRepo, Secret, Timestamp, TokenId};
use store::logins::{ConfirmLogin, RedeemLogin, confirmed};
use store::tokens::credentials;

use crate::call::Call;
use crate::error::{Error, Result};
use crate::registry::Registry;
use crate::secret::{TokenSecret, hash_secret};
use crate::tokens::{Minted, TokenRequest};

/// How long somebody may take to say yes.
const LIFE: Duration = Duration::from_secs(5 * 60);
/// How far the clocks of several processes may be apart.
const SLACK: Duration = Duration::from_secs(60);

/// A login in a browser that has begun.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// What the client asks with: two segments of a path.
    pub name: Secret<String>,
    /// What names the page: two segments of a path.
    pub page: String,
}

/// A login in a browser that somebody may still say yes to.
#[derive(Clone, Copy, Debug)]
pub struct LoginCode {
    hash: [u8; 32],
    until: Timestamp,
}

impl LoginCode {
    /// Until when.
    pub fn until(&self) -> Timestamp {
        self.until
    }
}

impl Call {
    /// Mints a token of the caller's own strength for a client that logs in: it dies with the token used.
    pub async fn log_in(&self, client: &str) -> Result<Minted> {
        self.mint_token(self.login_request(client)?).await
    }

    fn login_request(&self, client: &str) -> Result<TokenRequest> {
        let subject = self.identity()?.subject.clone();
        Ok(TokenRequest { subject, scopes: Vec::new(), life: None, name: format!("{client} login") })
    }

    /// Revokes the token of this call, which is said again so that no other is meant.
    pub async fn log_out(&self, token: &str) -> Result<()> {
        let id = self.identity()?.token;
        if !self.was_made_with(token) {
            return Err(Error::not_found("the token that this request was made with, under this name,"));
        }
        self.revoke_token(id).await.map(drop)
    }

    /// Says yes to a login: its client may fetch a token of the strength of the one used, once.
    pub async fn confirm_login(&self, login: &LoginCode) -> Result<()> {
        let token = self.identity()?.token;
        let write = ConfirmLogin { act: self.act(), code: login.hash, token, expires_at: login.until };
        Ok(self.registry.store().write(write).await?)
    }

    /// Mints a token that a client wants for its user. It is made with the token that the user hands in as the
    /// password, no stronger than that, and dies with it.
    pub async fn make_token(&self, repo: &RepoKey, wanted: &TokenWanted) -> Result<Minted> {
        let identity = self.identity()?;
        let maker = self.registry.call(Some(wanted.password.expose()), self.correlation).await;
        let maker = match maker {
            Ok(maker) if maker.identity()?.principal == identity.principal => maker,
            Err(error) if error.code() != Some(Code::Unauthorized) => return Err(error),
            _ => {
                let why = format!("the password must be a token of {} that is in force", identity.subject);
                return Err(Error::refuse(Code::Forbidden, why));
            }
        };
        let on = |role| Scope::Repo(ScopeRepo::One(repo.clone()), role);
        let held = maker.identity()?;
        let scopes = match wanted.rights {
            Rights::Same => Vec::new(),
            Rights::Read => vec![on(Role::Read)],
            Rights::Write if held.holds(&on(Role::Promote)) => vec![on(Role::Write), on(Role::Promote)],
            Rights::Write => vec![on(Role::Write)],
        };
        let (subject, name) = (identity.subject.clone(), wanted.name.clone());
        maker.mint_token(TokenRequest { subject, scopes, life: wanted.life, name }).await
    }

    /// Revokes a token that is named by its id or by itself, with those minted from it. One's own, or as tenant
    /// admin any.
    pub async fn end_token(&self, named: &str) -> Result<()> {
        self.identity()?;
        let id = match named.parse::<TokenId>() {
            Ok(id) => id,
            Err(_) => {
                let (hash, now) = (hash_secret(named), self.registry.now());
                let found = self.registry.store().read(async |session| credentials(session, &hash, now).await).await?;
                found.ok_or_else(|| Error::not_found("a living token of this id or value"))?.token
            }
        };
        self.revoke_token(id).await.map(drop)
    }
}

impl Registry {
    /// Begins a login in a browser. Keeps nothing.
    pub fn invite(&self, repo: &RepoKey) -> Invitation {
        let until = self.now().plus(LIFE).unix_seconds();
        let name = format!("{until}/{}", TokenSecret::make(self.ambient()).text());
        let page = format!("{until}/{}", model::digest::hex(&code_of(repo, &name)));
        Invitation { name: Secret::new(name), page }
    }

    /// The login that a page is for: 404 when it is none, 410 when it has ended.
    pub fn login_at(&self, until: &str, code: &str) -> Result<LoginCode> {
        let hash = model::digest::unhex(code).and_then(|bytes| bytes.try_into().ok());
        let hash = hash.ok_or_else(|| Error::not_found("a login under this address"))?;
        Ok(LoginCode { hash, until: self.open_until(until)? })
    }

    /// The end of a login, if it is to come. Nobody can stretch it: what ends too late has not begun.
    fn open_until(&self, text: &str) -> Result<Timestamp> {
        let seconds = text.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000_000));
        let until = seconds.map(Timestamp).ok_or_else(|| Error::not_found("a login under this address"))?;
        let now = self.now();
        if until <= now || until > now.plus(LIFE + SLACK) {
            return Err(Error::refuse(Code::Gone, "this login has ended: begin it anew"));
        }
        Ok(until)
    }

    /// The token of a client that asks under this name; `None`: nobody has said yes so far.
    pub async fn redeem_login(
        &self,
        repo: &RepoKey,
        name: &str,
        client: &str,
        correlation: CorrelationId,
    ) -> Result<Option<Minted>> {
        self.open_until(name.split('/').next().unwrap_or_default())?;
        let (code, now) = (code_of(repo, name), self.now());
        let with = self.store().read(async |session| confirmed(session, &code, now).await).await?;
        let Some(hash) = with else { return Ok(None) };
        let call = self.begin(Some(hash), correlation).await?;
        let (token, secret) = call.own_token(&call.login_request(client)?).await?;
        let act = call.act();
        let minted = Minted::of(&token, secret, act.at);
        self.store().write(RedeemLogin { act, code, token }).await?;
        Ok(Some(minted))
    }
}

/// What is known of a login that does not let anybody fetch its token.
fn code_of(repo: &RepoKey, name: &str) -> [u8; 32] {
    hash_secret(&format!("{repo}/{name}"))
}
