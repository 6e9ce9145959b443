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
    repo: Arc<Repository>,
    /// As of when it is read; only grants to read have one.
    instant: Option<Instant>,
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
            Some(repo) if allowed => Ok(Grant { call: self.clone(), repo, instant: None, access: PhantomData }),
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
        if role == Role::Read && repo.anonymous_read {
            return true;
        }
        match &self.caller {
            Caller::Known(identity) => identity.has_role(&repo.key, role),
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
        Member { grant: self.clone(), readable: true }
    }

    /// A member of this virtual repository, seen through it: what it shows may be kept by everybody only where both may
    /// be read by everybody.
    pub(crate) fn through(&self, member: &Repository) -> Member {
        let readable = self.call.may(member, Role::Read);
        let anonymous_read = self.repo.anonymous_read && member.anonymous_read;
        let repo = Arc::new(Repository { anonymous_read, ..member.clone() });
        Member { grant: Grant { call: self.call.clone(), repo, instant: self.instant, access: PhantomData }, readable }
    }
}

/// A member of a virtual repository.
#[derive(Clone, Debug)]
pub struct Member {
    grant: Grant<Read>,
    readable: bool,
}

impl Member {
    /// The grant, where the caller may read the member too.
    pub fn grant(&self) -> Option<&Grant<Read>> {
        self.readable.then_some(&self.grant)
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
        Grant { call: self.call.clone(), repo: Arc::clone(&self.repo), instant: self.instant, access: PhantomData }
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
