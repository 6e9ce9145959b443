//! The members of a virtual repository, those of its members included.

use std::sync::Arc;

use formats::{Format, Merging, PackageAt};
use model::state::RepoKind;
use model::{Code, PackageName, RepoKey};

use crate::authorize::{Grant, Member, Read};
use crate::error::{Error, Result};
use crate::remote::Which;
use crate::rules::{Rules, name_of};
use crate::versions::format_of;

/// A virtual repository taken apart.
#[derive(Clone)]
pub struct Members {
    /// Local and remote ones, in the order in which they are asked. Each once.
    pub all: Vec<Member>,
    /// Whose files a package has.
    pub merging: Merging,
    /// Whether a name that a hosted member has never comes from elsewhere.
    hosted_claims: bool,
    /// The rules that claim names: of this repository, of virtual ones in it, and of hosted members.
    claims: Arc<[Arc<Rules>]>,
    pub(super) format: &'static dyn Format,
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
        let (hosted_claims, claims) = (shape.settings.hosted_claims, Arc::clone(&shape.claims));
        Ok(Members { all, merging: shape.merging, hosted_claims, claims, format })
    }

    /// Where what is published through this repository goes. 403: nowhere.
    pub async fn deploy_target(&self) -> Result<RepoKey> {
        let none = || {
            let key = &self.repo().key;
            let why =
                format!("{key} is virtual and takes nothing: publish to one of its members, or have deployTo set");
            Error::refuse(Code::Forbidden, why)
        };
        let shape = self.shape().await?;
        let target = shape.settings.deploy_to.clone().ok_or_else(none)?;
        let mut members = shape.members.iter().map(|member| self.through(member));
        match members.any(|member| !member.is_remote() && *member.key() == target) {
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
    pub async fn answering(&self, at: impl Fn(&Member) -> Option<PackageAt>) -> Result<Vec<&Member>> {
        let claimed = self.is_claimed(&at) || (self.hosted_claims && self.hosting(&at).await?.is_some());
        Ok(self.all.iter().filter(|member| !(claimed && member.is_remote())).collect())
    }

    /// The first member that knows a package. `None`: none does, or it is one that the caller may not read.
    pub async fn owner(&self, at: impl Fn(&Member) -> Option<PackageAt>) -> Result<Option<&Member>> {
        let (claimed, hosting) = (self.is_claimed(&at), self.hosting(&at).await?);
        if claimed || (self.hosted_claims && hosting.is_some()) {
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
            if is_last || member.knows(&at).await? {
                return Ok(Some(member));
            }
        }
        Ok(None)
    }

    /// Whether no upstream may answer for a package: its name is claimed, or a hosted member has it.
    pub async fn is_kept(&self, at: impl Fn(&Member) -> Option<PackageAt>) -> Result<bool> {
        Ok(self.is_claimed(&at) || self.hosting(&at).await?.is_some())
    }

    /// Whether a claim keeps a name from every upstream. Only who may read every member is told so.
    pub fn keep(&self, at: impl Fn(&Member) -> Option<PackageAt>) -> bool {
        self.all.iter().all(|member| member.grant().is_some()) && self.is_claimed(&at)
    }

    /// A repository by itself.
    pub(super) fn only(grant: &Grant<Read>) -> Result<Self> {
        let (all, claims) = (vec![grant.by_itself()], Arc::default());
        Ok(Self { all, merging: Merging::Union, hosted_claims: false, claims, format: format_of(grant.repo())? })
    }

    /// As [`Members::seen`], of all members that have a package here.
    pub(super) async fn showing(&self, at: impl Fn(&Member) -> Option<PackageAt>) -> Result<Vec<&Member>> {
        let mut having = Vec::new();
        for (place, member) in self.all.iter().enumerate() {
            // Who has no package of it has no file of it, or has the file as one of another package.
            if self.merging == Merging::Union || (has(member, &at).await?) {
                having.push(place);
            }
        }
        let hosting = self.hosting_place(&at).await?;
        self.seen(at, &having, hosting).await
    }

    /// Whose versions of a package readers see, in their order, as far as that is known without asking an upstream; those
    /// whose owner, or who of them may answer, the caller may not read, are nobody's. `having`: the members that have its
    /// name, by their places. `hosting`: the first hosted one that has it.
    pub(super) async fn seen(
        &self,
        at: impl Fn(&Member) -> Option<PackageAt>,
        having: &[usize],
        hosting: Option<usize>,
    ) -> Result<Vec<&Member>> {
        let alone = self.is_claimed(&at) || (self.hosted_claims && hosting.is_some());
        let mut seen = Vec::new();
        for place in having {
            let member = &self.all[*place];
            let answers = match (member.is_remote(), at(member)) {
                (true, Some(at)) => {
                    !alone && member.grant().is_some() && !member.whoever_asks().is_claimed(&at).await?
                }
                (true, None) => false,
                (false, _) => self.merging == Merging::Union || hosting == Some(*place),
            };
            if !answers {
                continue;
            }
            seen.extend(member.grant().map(|_| member));
            if self.merging == Merging::Owner {
                break;
            }
        }
        Ok(seen)
    }

    /// The package of this name, as it is stored by one of the members, as each of them has it.
    pub(super) fn named<'a>(&self, at: &'a PackageAt) -> impl Fn(&Member) -> Option<PackageAt> + use<'a> {
        let format = self.format;
        move |member| match (member.is_remote(), PackageName::parse(&at.name)) {
            (false, Ok(name)) => Some(PackageAt { namespace: at.namespace.clone(), name: format.normalise(&name) }),
            _ => Some(at.clone()),
        }
    }

    /// Whether a rule of one of the repositories that are hosted here, or put together here, claims the name.
    fn is_claimed(&self, at: &impl Fn(&Member) -> Option<PackageAt>) -> bool {
        let names = || self.all.iter().filter_map(at).map(|at| name_of(self.format, &at));
        !self.claims.is_empty() && names().any(|name| self.claims.iter().any(|rules| rules.claim(&name)))
    }

    /// Whether no upstream may tell of the packages of the namespace.
    pub(super) fn claim_namespace(&self, namespace: &str) -> bool {
        self.claims.iter().any(|rules| rules.claim_namespace(namespace))
    }

    /// Whether a claim keeps one package from every upstream.
    pub(super) fn claim(&self, at: &PackageAt) -> bool {
        let name = name_of(self.format, at);
        self.claims.iter().any(|rules| rules.claim(&name))
    }

    /// The hosted members whose names never come from elsewhere.
    pub(super) fn claiming(&self) -> impl Iterator<Item = &Member> {
        self.all.iter().filter(|member| self.hosted_claims && !member.is_remote())
    }

    /// The first hosted member that has a package of this name, or ever had one.
    async fn hosting(&self, at: &impl Fn(&Member) -> Option<PackageAt>) -> Result<Option<&Member>> {
        Ok(self.hosting_place(at).await?.map(|place| &self.all[place]))
    }

    /// Its place among the members.
    pub(super) async fn hosting_place(&self, at: &impl Fn(&Member) -> Option<PackageAt>) -> Result<Option<usize>> {
        for (place, member) in self.all.iter().enumerate().filter(|(_, member)| !member.is_remote()) {
            if let Some(at) = at(member)
                && member.knows(&at).await?
            {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

async fn has(member: &Member, at: &impl Fn(&Member) -> Option<PackageAt>) -> Result<bool> {
    match at(member) {
        Some(at) => member.has(&at).await,
        None => Ok(false),
    }
}

impl Member {
    /// Whether a package of this name is here, or ever was. Nobody is asked.
    pub(super) async fn has(&self, at: &PackageAt) -> Result<bool> {
        let grant = self.whoever_asks();
        if let Some(instant) = grant.instant() {
            return grant.had(at, instant).await;
        }
        match grant.state(at).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some(Code::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether it has a package of this name, or ever had one. An upstream that cannot be asked is an error, never a no.
    async fn knows(&self, at: &PackageAt) -> Result<bool> {
        let grant = self.whoever_asks();
        if self.is_remote() && grant.claim_on(at).await?.is_some_and(|denial| denial.claimed) {
            return Ok(false);
        }
        match self.has(at).await? {
            false if self.is_remote() => Ok(grant.told(grant.remote()?, at, Which::All).await?.is_some()),
            there => Ok(there),
        }
    }
}
