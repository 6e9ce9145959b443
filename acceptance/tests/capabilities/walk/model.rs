//! The permission model, as the contract has it. It knows nothing of the program.

use acceptance::{Result, Trouble};

use super::people::Principal;

/// A role on a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Read,
    Write,
    Promote,
    Admin,
}

impl Role {
    fn gives(self, needed: Role) -> bool {
        self == needed || self == Role::Admin || needed == Role::Read
    }
}

/// A role on the tenant; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) enum Tenancy {
    Auditor,
    Operator,
    Admin,
}

/// Who may call an endpoint, as its description says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Open,
    Token,
    Tenant(Tenancy),
    Repo(Role),
}

impl Access {
    pub(crate) fn read(word: &str) -> Result<Access> {
        Ok(match word {
            "open" => Access::Open,
            "token" => Access::Token,
            "tenant:auditor" => Access::Tenant(Tenancy::Auditor),
            "tenant:operator" => Access::Tenant(Tenancy::Operator),
            "tenant:admin" => Access::Tenant(Tenancy::Admin),
            "repo:read" => Access::Repo(Role::Read),
            "repo:write" => Access::Repo(Role::Write),
            "repo:promote" => Access::Repo(Role::Promote),
            "repo:admin" => Access::Repo(Role::Admin),
            other => return Err(Trouble::new(format!("the permission model knows no access {other:?}"))),
        })
    }
}

/// The repository that a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Private,
    Public,
    /// Private, and nobody publishes to it.
    Remote,
    Absent,
    Retired,
}

impl Target {
    pub(crate) const ALL: [Target; 5] =
        [Target::Private, Target::Public, Target::Remote, Target::Absent, Target::Retired];

    pub(crate) fn key(self) -> &'static str {
        match self {
            Target::Private => "private",
            Target::Public => "public",
            Target::Remote => "faraway",
            Target::Absent => "absent",
            Target::Retired => "retired",
        }
    }

    fn exists(self) -> bool {
        matches!(self, Target::Private | Target::Public | Target::Remote)
    }
}

/// What the door must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    Unauthorized,
    Forbidden,
    NotFound,
}

/// The model: without credentials a non-public thing answers 401 whether it exists or not; with credentials but without
/// read 404 as if it did not exist; with read but without the role 403, and so does publishing to a remote repository, whoever tries. Wrong credentials are never nobody's.
pub(crate) fn verdict(access: Access, principal: &Principal, target: Target) -> Verdict {
    if access == Access::Open {
        return Verdict::Allowed;
    }
    if !principal.valid {
        let nobody_may_read = access == Access::Repo(Role::Read) && target == Target::Public && principal.anonymous;
        return if nobody_may_read { Verdict::Allowed } else { Verdict::Unauthorized };
    }
    match access {
        Access::Open | Access::Token => Verdict::Allowed,
        Access::Tenant(needed) if principal.tenancy().is_some_and(|held| held >= needed) => Verdict::Allowed,
        Access::Tenant(_) => Verdict::Forbidden,
        Access::Repo(needed) => {
            let role = principal.repository_role();
            let reads = target.exists() && (role.is_some() || target == Target::Public);
            let may = role.is_some_and(|held| held.gives(needed)) || needed == Role::Read && target == Target::Public;
            match (reads, may) {
                (false, _) => Verdict::NotFound,
                (true, true) if target == Target::Remote && needed == Role::Write => Verdict::Forbidden,
                (true, true) => Verdict::Allowed,
                (true, false) => Verdict::Forbidden,
            }
        }
    }
}
