//! Who is told why a name is kept from upstreams: who may read a repository that keeps it, and who administrates the one
//! that he asks: of a virtual one, as far as it comes from the members in its own list. To everybody else it is a name that
//! does not exist.

use std::sync::Arc;

use model::{RepoKey, Role};
use store::repositories::Repository;

use super::judge::{Denial, Rules};
use crate::authorize::{Grant, Read};
use crate::call::Call;

/// A repository whose claims hold elsewhere, too.
#[derive(Clone, Debug)]
pub(crate) struct Claimant {
    key: RepoKey,
    anonymous_read: bool,
}

impl Claimant {
    pub(crate) fn new(key: RepoKey, anonymous_read: bool) -> Self {
        Self { key, anonymous_read }
    }

    pub(crate) fn of(repo: &Repository) -> Self {
        Self::new(repo.key.clone(), repo.anonymous_read)
    }

    /// Whether the caller may know of it.
    pub(crate) fn is_known_to(&self, call: &Call) -> bool {
        call.may_on(&self.key, self.anonymous_read, Role::Read)
    }

    /// The same of one whose claims hold in a virtual repository, that one itself among them.
    pub(crate) fn is_known_through(&self, whole: &Grant<Read>) -> bool {
        self.is_known_to(whole.call()) || whole.is_of_admin_over(&self.key)
    }
}

/// The rules of a repository that claims names for a virtual one.
#[derive(Clone)]
pub(crate) struct Claims {
    pub(crate) claimant: Claimant,
    pub(crate) rules: Arc<Rules>,
}

impl<A> Grant<A> {
    /// Whether the caller administrates the repository.
    pub(crate) fn is_of_admin(&self) -> bool {
        self.call().may(self.repo(), Role::Admin)
    }

    /// Whether the caller administrates this virtual repository, and the one of this key is in its list of members. What is
    /// in a member is that one's: whoever might put it in the list would else learn what its members have.
    pub(crate) fn is_of_admin_over(&self, key: &RepoKey) -> bool {
        self.repo().members.contains(key) && self.is_of_admin()
    }

    /// Whether the caller may know of the rules that hold here: there are some of this repository, or somebody whom he
    /// knows has claims.
    pub(crate) fn may_know_rules(&self, rules: &Rules) -> bool {
        rules.has_own() || self.may_know_any(rules.claimants())
    }

    /// Whether others keep a name from the upstream whom the caller may not know: to him there is no such package.
    pub(crate) fn hides(&self, rules: &Rules, name: &str) -> bool {
        rules.is_claimed_elsewhere(name) && !self.may_know_any(rules.claimants_of(name))
    }

    /// A denial of all versions of a package, as far as the caller may know of it: what others claim, whom he may not know,
    /// is left out. `None`: to him there is no such package.
    pub(crate) fn known_denial(&self, rules: &Rules, name: &str, denial: Denial) -> Option<Denial> {
        match denial.rule {
            Some(_) => Some(denial),
            None if self.hides(rules, name) => rules.judge_name_here(name, self.ambient().now()),
            None => Some(Denial { sentence: rules.why_claimed(name), ..denial }),
        }
    }

    fn may_know_any<'c>(&self, claimants: impl Iterator<Item = &'c Claimant>) -> bool {
        let mut claimants = claimants.peekable();
        claimants.peek().is_some() && (self.is_of_admin() || claimants.any(|one| one.is_known_to(self.call())))
    }
}
