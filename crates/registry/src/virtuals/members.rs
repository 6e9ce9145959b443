//! The members of a virtual repository, those of its members included.

use std::sync::Arc;

use formats::{Format, Merging, PackageAt};
use model::state::RepoKind;
use model::{Code, RepoKey};

use super::shape::Shape;
use crate::authorize::{Grant, Member, Read};
use crate::error::{Error, Result};
use crate::remote::Which;
use crate::rules::name_of;
use crate::versions::format_of;

/// A virtual repository taken apart, for one caller.
#[derive(Clone)]
pub struct Members {
    /// Local and remote ones, in the order in which they are asked. Each once.
    pub all: Vec<Member>,
    /// Whose files a package has.
    pub merging: Merging,
    shape: Arc<Shape>,
    format: &'static dyn Format,
}

impl Grant<Read> {
    /// Whether this repository is made of others.
    pub fn is_virtual(&self) -> bool {
        self.repo().kind == RepoKind::Virtual
    }

    /// What a virtual repository is made of.
    pub async fn members(&self) -> Result<Members> {
        let (shape, format) = (self.shape().await?, format_of(self.repo())?);
        let all = shape.members.iter().map(|member| self.through(member)).collect();
        Ok(Members { all, merging: shape.merging, shape, format })
    }

    /// Where what is published through this repository goes. 403: nowhere.
    pub async fn deploy_target(&self) -> Result<RepoKey> {
        let none = || {
            let key = &self.repo().key;
            let why =
                format!("{key} is virtual and takes nothing: publish to one of its members, or have deployTo set");
            Error::refuse(Code::Forbidden, why)
        };
        let members = self.members().await?;
        let target = members.shape.settings.deploy_to.clone().ok_or_else(none)?;
        match members.all.iter().any(|member| !member.is_remote() && *member.key() == target) {
            true => Ok(target),
            false => {
                let why = format!("deployTo names {target}, which is no local member of {}", self.repo().key);
                Err(Error::refuse(Code::Forbidden, why))
            }
        }
    }
}

impl Members {
    /// The members that may answer for a package, `at` as each of them knows it: where its name is claimed, the hosted ones
    /// alone, whether or not the caller may read the one that has it.
    pub async fn answering<'p>(&self, at: impl Fn(&Member) -> Option<&'p PackageAt>) -> Result<Vec<&Member>> {
        let claimed = self.is_claimed(&at) || (self.shape.settings.hosted_claims && self.hosting(&at).await?.is_some());
        Ok(self.all.iter().filter(|member| !(claimed && member.is_remote())).collect())
    }

    /// The first member that knows a package. `None`: none does, or it is one that the caller may not read.
    pub async fn owner<'p>(&self, at: impl Fn(&Member) -> Option<&'p PackageAt>) -> Result<Option<&Member>> {
        let (claimed, hosting) = (self.is_claimed(&at), self.hosting(&at).await?);
        if claimed || (self.shape.settings.hosted_claims && hosting.is_some()) {
            return Ok(hosting.filter(|member| member.grant().is_some()));
        }
        let asks = |member: &Member| member.is_remote() && member.grant().is_some();
        for (place, member) in self.all.iter().enumerate() {
            if hosting.is_some_and(|hosting| hosting.key() == member.key()) {
                return Ok(hosting.filter(|member| member.grant().is_some()));
            }
            // Nobody makes a remote that he may not read ask its upstream.
            let Some(at) = at(member).filter(|_| asks(member)) else { continue };
            // Who alone is left is not asked twice: what he answers is the answer.
            let is_last = hosting.is_none() && !self.all.iter().skip(place + 1).any(asks);
            if is_last || member.knows(at).await? {
                return Ok(Some(member));
            }
        }
        Ok(None)
    }

    /// Whether no upstream may answer for a package: its name is claimed, or a hosted member has it.
    pub async fn is_kept<'p>(&self, at: impl Fn(&Member) -> Option<&'p PackageAt>) -> Result<bool> {
        Ok(self.is_claimed(&at) || self.hosting(&at).await?.is_some())
    }

    /// Whether a claim keeps a name from every upstream. Only who may read every member is told so.
    pub fn keep<'p>(&self, at: impl Fn(&Member) -> Option<&'p PackageAt>) -> bool {
        self.all.iter().all(|member| member.grant().is_some()) && self.is_claimed(&at)
    }

    /// Whether a list of names shows one that these readable members have here.
    pub(super) async fn shows(&self, at: &PackageAt, having: &[&Member]) -> Result<bool> {
        let same = |_: &Member| Some(at);
        let (claimed, hosting) = (self.is_claimed(&same), self.hosting(&same).await?);
        let Some(owner) = hosting else { return Ok(!claimed) };
        let alone = claimed || self.shape.settings.hosted_claims;
        let place = |member: &Member| self.all.iter().position(|one| one.key() == member.key());
        let counts = |has: &&&Member| has.key() == owner.key() || (!alone && place(has) < place(owner));
        Ok(having.iter().any(|has| counts(&has)))
    }

    /// Whether a rule of one of the repositories that are hosted here, or put together here, claims the name.
    fn is_claimed<'p>(&self, at: &impl Fn(&Member) -> Option<&'p PackageAt>) -> bool {
        let names = || self.all.iter().filter_map(at).map(|at| name_of(self.format, at));
        !self.shape.claims.is_empty() && names().any(|name| self.shape.claims.iter().any(|rules| rules.claim(&name)))
    }

    /// The first hosted member that has a package of this name, or ever had one.
    async fn hosting<'p>(&self, at: &impl Fn(&Member) -> Option<&'p PackageAt>) -> Result<Option<&Member>> {
        for member in self.all.iter().filter(|member| !member.is_remote()) {
            if let Some(at) = at(member)
                && member.knows(at).await?
            {
                return Ok(Some(member));
            }
        }
        Ok(None)
    }
}

impl Member {
    /// Whether it has a package of this name, or ever had one. An upstream that cannot be asked is an error, never a no.
    async fn knows(&self, at: &PackageAt) -> Result<bool> {
        let grant = self.whoever_asks();
        if self.is_remote() && grant.claim_on(at).await?.is_some_and(|denial| denial.claimed) {
            return Ok(false);
        }
        let there = match grant.instant() {
            // What is here of an upstream's may have come later than the moment that is asked for.
            Some(instant) => grant.had(at, instant).await?,
            None => grant.state_if_any(at).await?.is_some(),
        };
        Ok(there || (self.is_remote() && grant.told(grant.remote()?, at, Which::All).await?.is_some()))
    }
}
