//! Roles and scopes: who may do what, as plain values.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::names::RepoKey;

/// A role on one repository. `Admin` includes all others; `Write` and `Promote` include `Read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See and download.
    Read,
    /// Upload and publish.
    Write,
    /// Promote, tombstone, restore, quarantine.
    Promote,
    /// Everything, settings and bindings included.
    Admin,
}

impl Role {
    /// Every role, weakest first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Promote, Self::Admin];

    /// Whether holding `self` satisfies a need for `needed`.
    pub fn includes(self, needed: Self) -> bool {
        self == needed || self == Self::Admin || needed == Self::Read
    }

    /// The word used in scopes and bindings.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Promote => "promote",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.word() == text).ok_or(ScopeError)
    }
}

/// A role on the tenant. `Admin` includes `Operator`, which includes `Auditor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TenantRole {
    /// Read the journal, the operations summary and the evidence.
    Auditor,
    /// Run collections, scrubs, job replays.
    Operator,
    /// Everything, on every repository too.
    Admin,
}

impl TenantRole {
    /// Every role, weakest first.
    pub const ALL: [Self; 3] = [Self::Auditor, Self::Operator, Self::Admin];

    /// Whether holding `self` satisfies a need for `needed`.
    pub fn includes(self, needed: Self) -> bool {
        self >= needed
    }

    /// The word used in scopes and bindings.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auditor => "auditor",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for TenantRole {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.word() == text).ok_or(ScopeError)
    }
}

/// Which repositories a scope covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ScopeRepo {
    /// `*`: every repository, those made later included.
    Every,
    /// One repository by key.
    One(RepoKey),
}

/// A right, in the form in which tokens carry it: `repo:<key|*>:<role>` or `tenant:<role>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// A role on repositories.
    Repo(ScopeRepo, Role),
    /// A role on the tenant.
    Tenant(TenantRole),
}

/// A text that is no scope or role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scope is repo:<key|*>:<read|write|promote|admin> or tenant:<auditor|operator|admin>")]
pub struct ScopeError;

impl Scope {
    /// `repo:*:admin`, which includes every tenant role as well.
    pub fn everything() -> Self {
        Self::Repo(ScopeRepo::Every, Role::Admin)
    }

    /// The role that this scope gives on `repo`, if any. A tenant admin is admin of every repository.
    pub fn role_on(&self, repo: &RepoKey) -> Option<Role> {
        match self {
            Self::Repo(ScopeRepo::Every, role) => Some(*role),
            Self::Repo(ScopeRepo::One(key), role) if key == repo => Some(*role),
            Self::Tenant(TenantRole::Admin) => Some(Role::Admin),
            _ => None,
        }
    }

    /// The role that this scope gives on the tenant, if any.
    pub fn tenant_role(&self) -> Option<TenantRole> {
        match self {
            Self::Tenant(role) => Some(*role),
            Self::Repo(ScopeRepo::Every, Role::Admin) => Some(TenantRole::Admin),
            Self::Repo(..) => None,
        }
    }

    /// Whether whoever holds `self` holds `other` as well.
    pub fn includes(&self, other: &Self) -> bool {
        match other {
            Self::Tenant(needed) => self.tenant_role().is_some_and(|held| held.includes(*needed)),
            Self::Repo(ScopeRepo::One(key), needed) => self.role_on(key).is_some_and(|held| held.includes(*needed)),
            Self::Repo(ScopeRepo::Every, needed) => match self {
                Self::Repo(ScopeRepo::Every, held) => held.includes(*needed),
                Self::Repo(ScopeRepo::One(_), _) => false,
                Self::Tenant(held) => *held == TenantRole::Admin,
            },
        }
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        match parts.as_slice() {
            ["repo", "*", role] => Ok(Self::Repo(ScopeRepo::Every, role.parse()?)),
            ["repo", key, role] => {
                let key = RepoKey::parse(key).map_err(|_| ScopeError)?;
                Ok(Self::Repo(ScopeRepo::One(key), role.parse()?))
            }
            ["tenant", role] => Ok(Self::Tenant(role.parse()?)),
            _ => Err(ScopeError),
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Repo(ScopeRepo::Every, role) => write!(f, "repo:*:{}", role.word()),
            Self::Repo(ScopeRepo::One(key), role) => write!(f, "repo:{key}:{}", role.word()),
            Self::Tenant(role) => write!(f, "tenant:{}", role.word()),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        text.parse().expect("a scope")
    }

    #[test]
    fn roles_include_what_the_contract_says() {
        assert!(Role::Write.includes(Role::Read));
        assert!(Role::Promote.includes(Role::Read));
        assert!(!Role::Promote.includes(Role::Write));
        assert!(!Role::Write.includes(Role::Promote));
        assert!(Role::ALL.iter().all(|role| Role::Admin.includes(*role)));
        assert!(!Role::Write.includes(Role::Admin));
        assert!(TenantRole::Admin.includes(TenantRole::Auditor));
        assert!(!TenantRole::Auditor.includes(TenantRole::Operator));
    }

    #[test]
    fn scopes_include_each_other_without_gaps() {
        assert!(scope("repo:*:admin").includes(&scope("tenant:admin")));
        assert!(scope("tenant:admin").includes(&scope("repo:*:admin")));
        assert!(scope("repo:*:write").includes(&scope("repo:libs:read")));
        assert!(!scope("repo:libs:write").includes(&scope("repo:*:read")));
        assert!(!scope("repo:libs:admin").includes(&scope("tenant:auditor")));
        assert!(!scope("tenant:operator").includes(&scope("repo:libs:read")));
    }

    #[test]
    fn only_the_grammar_is_read() {
        for bad in ["", "repo", "repo:libs", "repo:libs:owner", "repo:LIBS:read", "tenant:read", "repo:a:read:x"] {
            assert!(bad.parse::<Scope>().is_err(), "{bad}");
        }
        assert_eq!(scope("repo:*:promote").to_string(), "repo:*:promote");
    }
}
