//! Who calls, and what they hold.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use model::state::PrincipalKind;
use model::{PrincipalId, RepoKey, Role, Scope, ScopeRepo, Subject, TenantRole, Timestamp, TokenId};
use store::blobs::Reach;
use store::tokens::{Basis, Credentials};

use crate::remembered::Remembered;

/// Known identities at most; the map is emptied when it is full.
const KNOWN: usize = 20_000;

/// Whoever sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody in particular.
    Anonymous,
    /// The holder of a valid token.
    Known(Arc<Identity>),
}

/// The holder of a token, with the rights of token and subject.
#[derive(Debug, PartialEq, Eq)]
pub struct Identity {
    /// The token.
    pub token: TokenId,
    /// Whose it is.
    pub principal: PrincipalId,
    /// The subject.
    pub subject: Subject,
    /// What kind of principal.
    pub kind: PrincipalKind,
    /// When the token ends.
    pub expires_at: Timestamp,
    granted: Vec<Scope>,
    capped: Vec<Scope>,
    bindings: Vec<Scope>,
}

impl Identity {
    pub(crate) fn new(credentials: Credentials) -> Self {
        let of = |basis| move |held: &store::tokens::HeldScope| (held.basis == basis).then(|| held.scope.clone());
        Self {
            token: credentials.token,
            principal: credentials.principal,
            subject: credentials.subject,
            kind: credentials.kind,
            expires_at: credentials.expires_at,
            granted: credentials.scopes.iter().filter_map(of(Basis::Grant)).collect(),
            capped: credentials.scopes.iter().filter_map(of(Basis::Binding)).collect(),
            bindings: credentials.bindings,
        }
    }

    /// Whether the token gives `need`: by grant, or by a binding that still stands.
    pub fn holds(&self, need: &Scope) -> bool {
        let included = |scopes: &[Scope]| scopes.iter().any(|scope| scope.includes(need));
        included(&self.granted) || (included(&self.capped) && included(&self.bindings))
    }

    /// Whether the token gives `role` on `repo`.
    pub fn has_role(&self, repo: &RepoKey, role: Role) -> bool {
        let gives =
            |scopes: &[Scope]| scopes.iter().any(|scope| scope.role_on(repo).is_some_and(|held| held.includes(role)));
        gives(&self.granted) || (gives(&self.capped) && gives(&self.bindings))
    }

    /// The repositories that the token lets read, as [`Identity::has_role`] would say of each.
    pub(crate) fn reach(&self) -> Reach {
        let (granted, capped, bindings) = (of(&self.granted), of(&self.capped), of(&self.bindings));
        let both = match (capped.every, bindings.every) {
            (true, _) => bindings,
            (_, true) => capped,
            _ => Reach { keys: capped.keys.intersection(&bindings.keys).cloned().collect(), ..Reach::default() },
        };
        let keys = granted.keys.into_iter().chain(both.keys).collect();
        Reach { every: granted.every || both.every, keys, ..Reach::default() }
    }

    /// Whether the token gives `role` on the tenant.
    pub fn has_tenant_role(&self, role: TenantRole) -> bool {
        self.holds(&Scope::Tenant(role))
    }

    /// Reading all that its scopes let it read.
    pub fn reading(&self) -> Vec<Scope> {
        let reading = |scope| match scope {
            Scope::Repo(which, _) => Some(Scope::Repo(which, Role::Read)),
            Scope::Tenant(_) => None,
        };
        self.scopes().into_iter().filter_map(reading).collect()
    }

    /// The scopes in force, for people: those of the token that still stand.
    pub fn scopes(&self) -> Vec<Scope> {
        let mut scopes = self.granted.clone();
        for capped in &self.capped {
            if self.holds(capped) {
                scopes.push(capped.clone());
            } else {
                scopes.extend(weaker(capped).into_iter().filter(|scope| self.holds(scope)));
            }
        }
        scopes.dedup();
        scopes
    }

    /// How `scope` would be based if this subject minted it for itself: only on bindings when no
    /// grant carries it.
    pub fn basis_of(&self, scope: &Scope) -> Basis {
        if self.granted.iter().any(|held| held.includes(scope)) { Basis::Grant } else { Basis::Binding }
    }
}

/// What scopes let read. Every role on a repository includes reading.
fn of(scopes: &[Scope]) -> Reach {
    let mut reach = Reach::default();
    for scope in scopes {
        match scope {
            Scope::Repo(ScopeRepo::One(key), _) => drop(reach.keys.insert(key.clone())),
            Scope::Repo(ScopeRepo::Every, _) | Scope::Tenant(TenantRole::Admin) => reach.every = true,
            Scope::Tenant(TenantRole::Operator | TenantRole::Auditor) => {}
        }
    }
    reach
}

fn weaker(scope: &Scope) -> Vec<Scope> {
    match scope {
        Scope::Repo(ScopeRepo::One(key), role) => Role::ALL
            .into_iter()
            .filter(|weaker| role.includes(*weaker) && weaker != role)
            .map(|weaker| Scope::Repo(ScopeRepo::One(key.clone()), weaker))
            .collect(),
        _ => Vec::new(),
    }
}

/// Identities by the hash of their token, good as long as the counter of rights stands still.
pub(crate) type Identities = Remembered<[u8; 32], Identity>;

/// Tokens, by their hash, that were valid when they were last asked about. Outlives changes of rights: it
/// proves nothing, it tells those who were here before from those who invent tokens.
#[derive(Default)]
pub(crate) struct Recognised(RwLock<HashSet<[u8; 32]>>);

impl Recognised {
    pub(crate) fn has(&self, hash: &[u8; 32]) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(hash)
    }

    /// What an answer of the database says of a token.
    pub(crate) fn note(&self, hash: [u8; 32], valid: bool) {
        if self.has(&hash) == valid {
            return;
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !valid {
            known.remove(&hash);
            return;
        }
        if known.len() >= KNOWN {
            known.clear();
        }
        known.insert(hash);
    }
}

/// Room for those that are known.
pub(crate) fn identities() -> Identities {
    Remembered::new(KNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::tokens::HeldScope;

    fn identity(scopes: &[(&str, Basis)], bindings: &[&str]) -> Identity {
        let scope = |text: &str| text.parse::<Scope>().expect("a scope");
        let id = uuid::Uuid::from_u128(1);
        Identity::new(Credentials {
            token: TokenId(id),
            principal: PrincipalId(id),
            tenant: model::TenantId(id),
            subject: Subject::parse("alice").expect("a subject"),
            kind: PrincipalKind::Person,
            expires_at: Timestamp(1),
            scopes: scopes.iter().map(|(text, basis)| HeldScope { scope: scope(text), basis: *basis }).collect(),
            bindings: bindings.iter().map(|text| scope(text)).collect(),
        })
    }

    #[test]
    fn a_binding_removed_or_weakened_weakens_living_tokens() {
        let key = RepoKey::parse("libs").expect("a key");
        let bound = identity(&[("repo:libs:write", Basis::Binding)], &["repo:libs:write"]);
        assert!(bound.has_role(&key, Role::Write));
        let weakened = identity(&[("repo:libs:write", Basis::Binding)], &["repo:libs:read"]);
        assert!(!weakened.has_role(&key, Role::Write) && weakened.has_role(&key, Role::Read));
        assert_eq!(weakened.scopes().iter().map(ToString::to_string).collect::<Vec<_>>(), ["repo:libs:read"]);
        let removed = identity(&[("repo:libs:write", Basis::Binding)], &[]);
        assert!(!removed.has_role(&key, Role::Read));
    }

    /// Two ways to say what may be read: of one repository, and of all at once.
    #[test]
    fn the_reach_is_what_has_role_says_of_each() {
        let sets: [&[&str]; 6] = [
            &[],
            &["repo:libs:read"],
            &["repo:*:write"],
            &["tenant:admin"],
            &["tenant:operator", "repo:libs:promote"],
            &["repo:apps:admin", "repo:libs:read"],
        ];
        for (granted, capped, bound) in sets
            .iter()
            .flat_map(|a| sets.iter().map(move |b| (a, b)))
            .flat_map(|(a, b)| sets.iter().map(move |c| (a, b, c)))
        {
            let scopes: Vec<_> = granted
                .iter()
                .map(|it| (*it, Basis::Grant))
                .chain(capped.iter().map(|it| (*it, Basis::Binding)))
                .collect();
            let identity = identity(&scopes, bound);
            let reach = identity.reach();
            for key in ["libs", "apps", "other"] {
                let key = RepoKey::parse(key).expect("a key");
                let reached = reach.every || reach.keys.contains(&key);
                assert_eq!(reached, identity.has_role(&key, Role::Read), "{scopes:?} {bound:?} {key}");
            }
        }
    }

    #[test]
    fn a_grant_stands_by_itself_and_a_binding_alone_gives_nothing() {
        let key = RepoKey::parse("libs").expect("a key");
        assert!(identity(&[("repo:libs:read", Basis::Grant)], &[]).has_role(&key, Role::Read));
        assert!(!identity(&[("repo:libs:read", Basis::Binding)], &["repo:libs:admin"]).has_role(&key, Role::Write));
        assert!(!identity(&[], &["repo:libs:admin"]).has_role(&key, Role::Read));
    }
}
