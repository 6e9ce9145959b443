//! Minting, listing and revoking tokens; the first start.

use std::time::Duration;

use model::{Code, PrincipalId, Scope, Subject, Timestamp, TokenId};
use store::Session;
use store::admins::{LastAdmin, last_admin};
use store::bootstrap::{ExchangeBootstrap, OfferBootstrap, Recover, bootstrap_is_open};
use store::events::Act;
use store::tokens::{
    Basis, HeldScope, MintToken, NewToken, Revoke, RevokeTokens, SetPatPolicy, TokenFilter, TokenInfo, bound_scopes,
    list, pat_policy,
};

use crate::authorize::{TenantAdmin, TenantGrant};
use crate::call::Call;
use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::registry::Registry;
use crate::secret::{TokenSecret, hash_secret};

/// The shortest life of a token.
const MIN_LIFE: Duration = Duration::from_secs(5 * 60);
/// The longest life that any policy may allow.
const MAX_LIFE: Duration = Duration::from_secs(10_080 * 60);

/// A token to be minted.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// For whom.
    pub subject: Subject,
    /// What it may do; empty: what the subject's bindings give.
    pub scopes: Vec<Scope>,
    /// How long it lives; `None`: as long as is usual here and allowed.
    pub life: Option<Duration>,
    /// What it is for.
    pub name: String,
}

/// A token just minted. The secret is shown now and never again.
#[derive(Clone, Debug)]
pub struct Minted {
    /// Its id.
    pub id: TokenId,
    /// The secret.
    pub secret: TokenSecret,
    /// Whose it is.
    pub subject: Subject,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

/// The policy for lifetimes.
#[derive(Clone, Debug)]
pub struct PatPolicy {
    /// Minutes at most.
    pub max_ttl_minutes: u32,
    /// Who set it and when; `None` for the default.
    pub updated: Option<(String, Timestamp)>,
}

impl Call {
    /// Mints a token. For oneself: no stronger and no longer-lived than the token used, and it dies
    /// with it. For others: tenant admins only.
    pub async fn mint_token(&self, request: TokenRequest) -> Result<Minted> {
        if self.identity()?.subject != request.subject {
            self.authorize_tenant::<TenantAdmin>()?;
            return self.registry.mint_for_other(self, request).await;
        }
        let token = self.own_token(&request).await?;
        self.mint(token).await
    }

    /// A token for oneself, not stored yet.
    pub(crate) async fn own_token(&self, request: &TokenRequest) -> Result<(NewToken, TokenSecret)> {
        let identity = self.identity()?;
        let wanted = if request.scopes.is_empty() { identity.scopes() } else { request.scopes.clone() };
        if let Some(more) = wanted.iter().find(|scope| !identity.holds(scope)) {
            self.note_denial(&more.to_string(), "token");
            return Err(Error::refuse(
                Code::Forbidden,
                format!("you do not hold {more}: a token for yourself cannot be stronger"),
            ));
        }
        let scopes = wanted.into_iter().map(|scope| HeldScope { basis: identity.basis_of(&scope), scope }).collect();
        let (mut token, secret) = self.registry.new_token(request, scopes, Some(identity.token)).await?;
        token.expires_at = token.expires_at.min(identity.expires_at);
        Ok((token, secret))
    }

    /// A token for a client to go on with: it may do what of `wanted` the caller may do, for at most
    /// `life` and no longer than the caller's own token, with which it dies.
    pub async fn mint_for_a_while(&self, wanted: Vec<Scope>, life: Duration, name: &str) -> Result<Minted> {
        let identity = self.identity()?;
        let mut scopes: Vec<Scope> = Vec::new();
        for scope in wanted {
            if identity.holds(&scope) && !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        // Clients ask for the same again and again. What changes rights moves the stamp, and nothing is remembered then.
        let (known, key) = (&self.registry.inner.for_a_while, (identity.token, scopes.clone()));
        let fresh = self.registry.now().plus(life / 2).min(identity.expires_at);
        if let Some(minted) = known.get(self.moment.auth, &key).filter(|minted| minted.expires_at >= fresh) {
            return Ok(Minted::clone(&minted));
        }
        let life = Some(life.min(self.registry.longest_life().await?).max(MIN_LIFE));
        let request =
            TokenRequest { subject: identity.subject.clone(), scopes: Vec::new(), life, name: name.to_owned() };
        let scopes = scopes.into_iter().map(|scope| HeldScope { basis: identity.basis_of(&scope), scope }).collect();
        let mut minted = self.registry.new_token(&request, scopes, Some(identity.token)).await?;
        minted.0.expires_at = minted.0.expires_at.min(identity.expires_at);
        let minted = self.mint(minted).await?;
        known.put(self.moment.auth, key, std::sync::Arc::new(minted.clone()));
        Ok(minted)
    }

    /// Whether the token that the caller's was minted from gives something of `wanted` that the caller's does not: whether
    /// one that is minted for it could do more.
    pub async fn could_mint_more(&self, wanted: &[Scope]) -> Result<bool> {
        let (identity, parent) = (self.identity()?, self.parent().await?);
        let more = |scope: &Scope| parent.as_ref().is_some_and(|parent| parent.holds(scope)) && !identity.holds(scope);
        Ok(wanted.iter().any(more))
    }

    /// Whether it lets one read more than the caller's does.
    pub async fn could_read_more(&self) -> Result<bool> {
        let (identity, parent) = (self.identity()?, self.parent().await?);
        Ok(parent.is_some_and(|parent| parent.reading().iter().any(|scope| !identity.holds(scope))))
    }

    /// The token that the caller's was minted from.
    async fn parent(&self) -> Result<Option<Identity>> {
        let (token, now) = (self.identity()?.token, self.registry.now());
        let parent = async |session: &mut Session<'_>| store::tokens::parent(session, token, now).await;
        Ok(self.registry.store().read(parent).await?.map(Identity::new))
    }

    async fn mint(&self, (token, secret): (NewToken, TokenSecret)) -> Result<Minted> {
        let act = self.act();
        let minted = Minted::of(&token, secret, act.at);
        self.registry.store().write(MintToken { act, token }).await?;
        Ok(minted)
    }

    /// The caller's own tokens after the id `after`, oldest first.
    pub async fn own_tokens(&self, after: Option<TokenId>, limit: u32) -> Result<Vec<TokenInfo>> {
        let principal = self.identity()?.principal;
        self.registry.tokens(TokenFilter { principal: Some(principal), after, alive_at: None }, limit).await
    }

    /// Of these those that are in force.
    pub async fn living_tokens(&self, after: Option<TokenId>, limit: u32) -> Result<Vec<TokenInfo>> {
        let (principal, now) = (self.identity()?.principal, self.registry.now());
        self.registry.tokens(TokenFilter { principal: Some(principal), after, alive_at: Some(now) }, limit).await
    }

    /// Revokes a token and those minted from it. One's own, or as tenant admin any.
    pub async fn revoke_token(&self, id: TokenId) -> Result<Vec<TokenId>> {
        let identity = self.identity()?;
        if !identity.has_tenant_role(model::TenantRole::Admin) {
            let own = self.own_tokens(before(id), 1).await?;
            if own.first().is_none_or(|token| token.id != id) {
                return Err(Error::not_found("a living token with this id"));
            }
        }
        let write = RevokeTokens { act: self.act(), which: Revoke::Token(id) };
        Ok(self.registry.store().write(write).await?)
    }
}

/// The id just below, so that a page that begins after it begins with `id`.
fn before(id: TokenId) -> Option<TokenId> {
    id.0.as_u128().checked_sub(1).map(|number| TokenId(uuid::Uuid::from_u128(number)))
}

impl TenantGrant<TenantAdmin> {
    /// All tokens of the tenant.
    pub async fn tokens(&self, after: Option<TokenId>, limit: u32) -> Result<Vec<TokenInfo>> {
        self.registry().tokens(TokenFilter { after, ..TokenFilter::default() }, limit).await
    }

    /// Revokes every token of a subject.
    pub async fn revoke_subject(&self, subject: Subject) -> Result<Vec<TokenId>> {
        Ok(self.store().write(RevokeTokens { act: self.act(), which: Revoke::Subject(subject) }).await?)
    }

    /// Revokes every token except the one used for it.
    pub async fn revoke_all(&self) -> Result<Vec<TokenId>> {
        let own = self.call().identity()?.token;
        Ok(self.store().write(RevokeTokens { act: self.act(), which: Revoke::AllBut(own) }).await?)
    }

    /// The policy for lifetimes.
    pub async fn pat_policy(&self) -> Result<PatPolicy> {
        self.registry().pat_policy().await
    }

    /// Sets the policy for lifetimes: 5 to 10080 minutes.
    pub async fn set_pat_policy(&self, max_ttl_minutes: u32) -> Result<()> {
        if !(5..=10_080).contains(&max_ttl_minutes) {
            return Err(Error::bad_request("maxTtlMinutes must be between 5 and 10080"));
        }
        Ok(self.store().write(SetPatPolicy { act: self.act(), max_ttl_minutes }).await?)
    }
}

impl Registry {
    async fn mint_for_other(&self, call: &Call, request: TokenRequest) -> Result<Minted> {
        let (tenant, subject) = (self.tenant(), request.subject.clone());
        let bound = self.store().read(async |session| bound_scopes(session, tenant, &subject).await).await?;
        if request.scopes.is_empty() && bound.is_empty() {
            return Err(Error::bad_request(format!("{subject} has no bindings: name the scopes, or bind roles first")));
        }
        let wanted = if request.scopes.is_empty() { bound.clone() } else { request.scopes.clone() };
        let basis =
            |scope: &Scope| if bound.iter().any(|held| held.includes(scope)) { Basis::Binding } else { Basis::Grant };
        let scopes = wanted.into_iter().map(|scope| HeldScope { basis: basis(&scope), scope }).collect();
        call.mint(self.new_token(&request, scopes, None).await?).await
    }

    async fn new_token(
        &self,
        request: &TokenRequest,
        scopes: Vec<HeldScope>,
        parent: Option<TokenId>,
    ) -> Result<(NewToken, TokenSecret)> {
        let longest = self.longest_life().await?;
        let life = request.life.unwrap_or(self.settings().token_life.min(longest));
        if life < MIN_LIFE || life > longest {
            let (least, most) = (MIN_LIFE.as_secs() / 60, longest.as_secs() / 60);
            let days = match most / (24 * 60) {
                0 => String::new(),
                days => format!(", which are {days} whole days"),
            };
            let why = format!("a token lives at least {least} and at most {most} minutes here (ttlMinutes){days}");
            return Err(Error::bad_request(why));
        }
        if request.name.len() > 200 || request.name.chars().any(char::is_control) {
            return Err(Error::bad_request("name must have at most 200 bytes and no control characters"));
        }
        let ambient = self.ambient();
        let secret = TokenSecret::make(ambient);
        // Its holder is no stranger, wherever the first request comes from.
        let hash = hash_secret(secret.text());
        self.inner.recognised.note(hash, true);
        let token = NewToken {
            id: ambient.id(),
            hash,
            subject: request.subject.clone(),
            new_principal: ambient.id::<PrincipalId>(),
            name: request.name.clone(),
            scopes,
            parent,
            expires_at: self.now().plus(life),
        };
        Ok((token, secret))
    }

    async fn tokens(&self, filter: TokenFilter, limit: u32) -> Result<Vec<TokenInfo>> {
        let tenant = self.tenant();
        Ok(self.store().read(async |session| list(session, tenant, &filter, limit).await).await?)
    }

    async fn pat_policy(&self) -> Result<PatPolicy> {
        let tenant = self.tenant();
        let set = self.store().read(async |session| pat_policy(session, tenant).await).await?;
        Ok(match set {
            Some((max_ttl_minutes, by, at)) => PatPolicy { max_ttl_minutes, updated: Some((by, at)) },
            None => {
                let minutes = self.settings().max_token_life.as_secs() / 60;
                PatPolicy { max_ttl_minutes: u32::try_from(minutes).unwrap_or(10_080), updated: None }
            }
        })
    }

    /// How long a token may live that is made now.
    pub(crate) async fn longest_life(&self) -> Result<Duration> {
        Ok(Duration::from_secs(u64::from(self.pat_policy().await?.max_ttl_minutes) * 60).min(MAX_LIFE))
    }

    /// Whether nobody has ever held a token here.
    pub async fn awaits_bootstrap(&self) -> Result<bool> {
        let tenant = self.tenant();
        Ok(self.store().read(async |session| bootstrap_is_open(session, tenant).await).await?)
    }

    /// Accepts `secret` as the single-use bootstrap token. `false`: there is a first admin already.
    pub async fn offer_bootstrap(&self, secret: &str) -> Result<bool> {
        if secret.len() < 16 {
            return Err(Error::bad_request("the bootstrap token must have at least 16 characters"));
        }
        let write = OfferBootstrap { tenant: self.tenant(), hash: hash_secret(secret), at: self.now() };
        Ok(self.store().write(write).await?)
    }

    /// Exchanges the bootstrap token, once, for the first admin's token.
    pub async fn bootstrap(
        &self,
        presented: &str,
        request: TokenRequest,
        correlation: model::CorrelationId,
    ) -> Result<Minted> {
        let wanted = if request.scopes.is_empty() { vec![Scope::everything()] } else { request.scopes.clone() };
        let scopes = wanted.into_iter().map(|scope| HeldScope { scope, basis: Basis::Grant }).collect();
        let (token, secret) = self.new_token(&request, scopes, None).await?;
        let mut act = self.act();
        let minted = Minted::of(&token, secret, act.at);
        act.actor = request.subject.to_string();
        act.correlation = Some(correlation);
        self.store().write(ExchangeBootstrap { act, presented: hash_secret(presented), token }).await?;
        Ok(minted)
    }

    /// An admin's token for whoever owns the database, while no admin's token is in force or, with `lost`, nobody has
    /// those any more; it lives as long as is allowed here. No request can ask for it.
    pub async fn recover(&self, subject: Subject, lost: bool) -> Result<Minted> {
        let life = Some(self.longest_life().await?);
        let request = TokenRequest { subject, scopes: vec![Scope::everything()], life, name: "recover".to_owned() };
        let scopes = vec![HeldScope { scope: Scope::everything(), basis: Basis::Grant }];
        let (token, secret) = self.new_token(&request, scopes, None).await?;
        // No subject has a space in its name: nobody else is called so.
        let act = Act { actor: "database owner".to_owned(), ..self.act() };
        let minted = Minted::of(&token, secret, act.at);
        self.store().write(Recover { act, token, lost }).await?;
        Ok(minted)
    }

    /// Of the admin tokens in force the one that ends last.
    pub(crate) async fn last_admin(&self) -> Result<Option<LastAdmin>> {
        let (tenant, now) = (self.tenant(), self.now());
        Ok(self.store().read(async |session| last_admin(session, tenant, now).await).await?)
    }
}

impl Minted {
    pub(crate) fn of(token: &NewToken, secret: TokenSecret, created_at: Timestamp) -> Self {
        let scopes = token.scopes.iter().map(|held| held.scope.clone()).collect();
        let (subject, name) = (token.subject.clone(), token.name.clone());
        Self { id: token.id, secret, subject, name, scopes, created_at, expires_at: token.expires_at }
    }
}
