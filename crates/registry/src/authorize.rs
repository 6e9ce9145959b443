//! The one door. Here alone it is decided whether a caller may know of a repository and act on it.
//!
//! A [`Grant`] says in its type what it allows; its fields are private to this file, so nothing
//! else can make one.

use std::marker::PhantomData;
use std::sync::Arc;

use model::state::RepoKind;
use model::{Ambient, Code, Reason, Refusal, RepoId, RepoKey, Role, Scope, TenantId, TenantRole};
use store::blobs::Reach;
use store::events::Act;
use store::repositories::Repository;
use store::{Store, When};

use crate::call::Call;
use crate::error::{Error, Result};
use crate::identity::Caller;
use crate::instant::Instant;
use crate::registry::{Moment, Registry, Settings};
use crate::repositories::{KnownRepository, RepoSettings};

/// What a grant allows on a repository.
pub trait Access: Send + Sync + 'static {
    /// The role that is needed.
    const ROLE: Role;
}

/// What a grant allows on the tenant.
pub trait TenantAccess: Send + Sync + 'static {
    /// The role that is needed.
    const ROLE: TenantRole;
}

macro_rules! accesses {
    ($($(#[$doc:meta])* $name:ident: $access:ident = $kind:ident::$role:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}
        impl $access for $name {
            const ROLE: $kind = $kind::$role;
        }
    )+};
}

accesses! {
    /// See and download.
    Read: Access = Role::Read;
    /// Upload and publish.
    Write: Access = Role::Write;
    /// Promote, tombstone, restore.
    Promote: Access = Role::Promote;
    /// Settings and bindings.
    Admin: Access = Role::Admin;
    /// Read the journal.
    Auditor: TenantAccess = TenantRole::Auditor;
    /// Run background work.
    Operator: TenantAccess = TenantRole::Operator;
    /// Everything.
    TenantAdmin: TenantAccess = TenantRole::Admin;
}

/// Proof that the caller may do `A` on a repository.
#[derive(Clone, Debug)]
pub struct Grant<A> {
    call: Call,
    repo: Arc<KnownRepository>,
    /// As of when it is read; only grants to read have one.
    instant: Option<Instant>,
    /// Whether it is to look as if the upstream had nothing; only grants of [`Member::silent`].
    silent: bool,
    access: PhantomData<A>,
}

/// Proof that the caller has the role of `A` on the tenant.
#[derive(Clone, Debug)]
pub struct TenantGrant<A> {
    call: Call,
    access: PhantomData<A>,
}

impl Call {
    /// Opens a repository for `A`, or says what the caller may know:
    /// 401 for nobody (whether it exists or not), 404 without read, 403 with read but without the role. Nobody
    /// publishes to a repository that is not local: 403 for those who could if it were.
    pub async fn authorize<A: Access>(&self, key: &RepoKey) -> Result<Grant<A>> {
        let repo = self.registry.repository(self.moment, key).await?;
        let (allowed, readable) = match &repo {
            Some(repo) => (self.may(repo, A::ROLE), self.may(repo, Role::Read)),
            None => (false, false),
        };
        match repo {
            Some(repo) if allowed && A::ROLE == Role::Write && repo.kind != RepoKind::Local => {
                Err(only_local(&repo).into())
            }
            Some(repo) if allowed => {
                Ok(Grant { call: self.clone(), repo, instant: None, silent: false, access: PhantomData })
            }
            _ => {
                self.note_denial(A::ROLE.word(), &format!("repository:{key}"));
                Err(self.denial(key, A::ROLE, readable))
            }
        }
    }

    /// Proof of a role on the tenant: 401 for nobody, else 403.
    pub fn authorize_tenant<A: TenantAccess>(&self) -> Result<TenantGrant<A>> {
        if self.identity()?.has_tenant_role(A::ROLE) {
            return Ok(TenantGrant { call: self.clone(), access: PhantomData });
        }
        let need = Scope::Tenant(A::ROLE);
        self.note_denial(&need.to_string(), "tenant");
        Err(Error::refuse(Code::Forbidden, format!("this needs the scope {need}")))
    }

    /// Whether the caller may do `role` on `repo`; for lists that leave out what must not be known.
    pub(crate) fn may(&self, repo: &Repository, role: Role) -> bool {
        self.may_on(&repo.key, repo.anonymous_read, role)
    }

    /// The same on the repository of this key.
    pub(crate) fn may_on(&self, key: &RepoKey, anonymous_read: bool, role: Role) -> bool {
        if role == Role::Read && anonymous_read {
            return true;
        }
        match &self.caller {
            Caller::Known(identity) => identity.has_role(key, role),
            Caller::Anonymous => false,
        }
    }

    /// Which repositories the caller may read, for questions about all of them at once: the same rule as
    /// [`Call::may`] with the role `read`.
    pub(crate) fn reach(&self) -> Reach {
        match &self.caller {
            Caller::Known(identity) => identity.reach(),
            Caller::Anonymous => Reach::default(),
        }
    }

    fn denial(&self, key: &RepoKey, role: Role, readable: bool) -> Error {
        match (&self.caller, readable) {
            (Caller::Anonymous, _) => Error::refuse(Code::Unauthorized, "this needs a token"),
            (Caller::Known(_), true) => {
                Error::refuse(Code::Forbidden, format!("this needs the role {} on the repository {key}", role.word()))
            }
            (Caller::Known(_), false) => Error::not_found(&format!("the repository {key}")),
        }
    }
}

fn only_local(repo: &Repository) -> Refusal {
    let why = format!(
        "the repository {} is {}: what is in it comes from elsewhere, and nobody publishes to it; publish to a local one",
        repo.key, repo.kind
    );
    Refusal::new(Code::Forbidden, why).because(Reason::NotLocal)
}

impl<A> Grant<A> {
    /// The same grant, now known to hold at `moment`.
    pub(crate) fn at(mut self, moment: Moment) -> Self {
        self.call.moment = moment;
        self
    }

    /// The repository.
    pub fn repo(&self) -> &Repository {
        &self.repo
    }

    /// Its settings; read once for as long as the configuration stands still.
    pub fn repo_settings(&self) -> Result<&RepoSettings> {
        self.repo.settings()
    }

    /// The call that it belongs to.
    pub fn call(&self) -> &Call {
        &self.call
    }

    pub(crate) fn repo_id(&self) -> RepoId {
        self.repo.id
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.call.registry
    }

    pub(crate) fn store(&self) -> &Store {
        &self.call.registry.inner.store
    }

    pub(crate) fn ambient(&self) -> &Ambient {
        &self.call.registry.inner.ambient
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.call.registry.inner.settings
    }

    pub(crate) fn act(&self) -> Act {
        self.call.act()
    }

    /// As of when everything is read through this grant.
    pub(crate) fn when(&self) -> When {
        self.instant.map_or(When::Now, Instant::when)
    }

    /// Whether it is to look as if the upstream had nothing, whatever is asked for.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent
    }

    /// The moment as of which it is read, if it is not now.
    pub fn instant(&self) -> Option<Instant> {
        self.instant
    }
}

impl Grant<Read> {
    /// The same grant, through which the repository is read as it was. Rights and rules are today's.
    #[must_use]
    pub fn as_of(self, instant: Option<Instant>) -> Self {
        Self { instant, ..self }
    }

    /// This repository as if it were the only member of a virtual one.
    pub(crate) fn by_itself(&self) -> Member {
        Member { grant: self.clone(), readable: true, known: true }
    }

    /// A member of this virtual repository, for this caller.
    pub(crate) fn through(&self, seen: &SeenThrough) -> Member {
        let readable = self.call.may(&seen.member, Role::Read);
        let known = readable || self.is_of_admin_over(&seen.member.key);
        let repo = Arc::clone(&seen.shown);
        let (call, instant) = (self.call.clone(), self.instant);
        Member { grant: Grant { call, repo, instant, silent: false, access: PhantomData }, readable, known }
    }
}

/// A member of a virtual repository as it is seen through that: what it shows may be kept by everybody only where both
/// may be read by everybody.
pub(crate) struct SeenThrough {
    member: Arc<KnownRepository>,
    shown: Arc<KnownRepository>,
}

impl SeenThrough {
    pub(crate) fn of(whole: &Repository, member: &Arc<KnownRepository>) -> Self {
        let anonymous_read = whole.anonymous_read && member.anonymous_read;
        let shown = match anonymous_read == member.anonymous_read {
            true => Arc::clone(member),
            false => Arc::new(KnownRepository::new(Repository { anonymous_read, ..Repository::clone(member) })),
        };
        Self { member: Arc::clone(member), shown }
    }

    pub(crate) fn kind(&self) -> RepoKind {
        self.member.kind
    }
}

/// A member of a virtual repository.
#[derive(Clone, Debug)]
pub struct Member {
    grant: Grant<Read>,
    readable: bool,
    known: bool,
}

impl Member {
    /// The grant, where the caller may read the member too.
    pub fn grant(&self) -> Option<&Grant<Read>> {
        self.readable.then_some(&self.grant)
    }

    /// The same, as if its upstream had nothing and nothing of it were here.
    pub(crate) fn silent(&self) -> Self {
        Self { grant: Grant { silent: self.is_remote(), ..self.grant.clone() }, ..*self }
    }

    /// Whether the caller may know which names it has, where he may not read it either.
    pub(crate) fn is_known(&self) -> bool {
        self.known
    }

    /// Its key.
    pub fn key(&self) -> &RepoKey {
        &self.grant.repo.key
    }

    /// Whether its packages come from elsewhere.
    pub fn is_remote(&self) -> bool {
        self.grant.repo.kind == RepoKind::Remote
    }

    /// For what must be known whoever asks: which names are taken. Nothing of it is shown.
    pub(crate) fn whoever_asks(&self) -> &Grant<Read> {
        &self.grant
    }
}

impl<A: Access> Grant<A> {
    /// The same grant for reading: every role includes it.
    pub fn to_read(&self) -> Grant<Read> {
        let Self { call, repo, instant, silent, .. } = self;
        Grant { call: call.clone(), repo: Arc::clone(repo), instant: *instant, silent: *silent, access: PhantomData }
    }
}

impl<A> TenantGrant<A> {
    /// The call that it belongs to.
    pub fn call(&self) -> &Call {
        &self.call
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.call.registry
    }

    pub(crate) fn store(&self) -> &Store {
        &self.call.registry.inner.store
    }

    pub(crate) fn tenant(&self) -> TenantId {
        self.call.registry.inner.tenant
    }

    pub(crate) fn act(&self) -> Act {
        self.call.act()
    }
}
