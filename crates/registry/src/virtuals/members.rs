//! The members of a virtual repository, those of its members included.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use formats::{Format, Merging, PackageAt};
use model::state::RepoKind;
use model::{Code, PackageName, RepoKey};

use super::spellings::spellings;
use crate::authorize::{Grant, Member, Read};
use crate::error::{Error, Result};
use crate::remote::Which;
use crate::rules::{Claims, name_of};
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
    claims: Arc<[Claims]>,
    /// The members as if no upstream had anything.
    silent: OnceLock<Vec<Member>>,
    whole: Grant<Read>,
    pub(super) format: &'static dyn Format,
}

/// Whether upstreams may answer for a package, and who may know of it where they may not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    No,
    /// A claim keeps it, or a hosted member that the caller may know of has it.
    Known,
    /// The same of what he may not know of: to him it is as if no upstream had it.
    Hidden,
}

/// The hosted members that have a package of a name, or ever had one, by their places.
#[derive(Clone, Copy, Default)]
pub(super) struct Hosting {
    /// The first that the caller may read.
    shown: Option<usize>,
    /// The first before that.
    hidden: Option<usize>,
    /// The first of those that he may know of all the same.
    told: Option<usize>,
}

impl Hosting {
    /// Of the members that have it, in their order.
    pub(super) fn note(&mut self, place: usize, member: &Member) {
        if self.shown.is_some() {
            return;
        }
        if member.grant().is_some() {
            self.shown = Some(place);
            return;
        }
        self.hidden.get_or_insert(place);
        if member.is_known() {
            self.told.get_or_insert(place);
        }
    }

    fn is_any(self) -> bool {
        self.shown.is_some() || self.hidden.is_some()
    }
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
        let (silent, whole) = (OnceLock::new(), self.clone());
        Ok(Members { all, merging: shape.merging, hosted_claims, claims, silent, whole, format })
    }

    /// Where what is published through this repository goes. 403: nowhere that the caller may know of; 401: nobody may
    /// know of such a place.
    pub async fn deploy_target(&self) -> Result<RepoKey> {
        let none = || {
            if let Err(unknown) = self.call().identity() {
                return unknown;
            }
            let key = &self.repo().key;
            let why = format!(
                "{key} is virtual: publish to one of its members, or have deployTo name one that you may write to"
            );
            Error::refuse(Code::Forbidden, why)
        };
        let shape = self.shape().await?;
        let target = shape.settings.deploy_to.clone().ok_or_else(none)?;
        let mut members = shape.members.iter().map(|member| self.through(member));
        match members.find(|member| !member.is_remote() && *member.key() == target) {
            Some(member) if member.grant().is_some() => Ok(target),
            Some(_) => Err(none()),
            None if !self.is_of_admin() => Err(none()),
            None => {
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
        Ok(match self.kept(&at, self.hosting(&at).await?) {
            Kept::No => self.all.iter().collect(),
            Kept::Known => self.all.iter().filter(|member| !member.is_remote()).collect(),
            Kept::Hidden => self.silent().iter().collect(),
        })
    }

    /// The first member that knows a package, of those that the caller may read. `None`: none does.
    pub async fn owner(&self, at: impl Fn(&Member) -> Option<PackageAt>) -> Result<Option<&Member>> {
        let hosting = self.hosting(&at).await?;
        let mut all = match self.kept(&at, hosting) {
            Kept::Known => return Ok(hosting.shown.map(|place| &self.all[place])),
            Kept::Hidden => self.silent(),
            Kept::No => self.all.as_slice(),
        };
        let asks = |member: &Member| member.is_remote() && member.grant().is_some();
        for place in 0..self.all.len() {
            if hosting.shown == Some(place) {
                return Ok(Some(&self.all[place]));
            }
            // The name is that member's, and not of an upstream behind it.
            if hosting.hidden == Some(place) {
                all = self.silent();
            }
            let member = &all[place];
            // Nobody makes a remote that he may not read ask its upstream.
            let Some(at) = at(member).filter(|_| asks(member)) else { continue };
            // Who alone is left is not asked twice: what he answers is the answer.
            let is_last = hosting.shown.is_none() && !self.all.iter().skip(place + 1).any(asks);
            if is_last || member.knows(&at).await? {
                return Ok(Some(member));
            }
        }
        Ok(None)
    }

    /// Whether no upstream may answer for a package: its name is claimed, or a hosted member has it.
    pub async fn is_kept(&self, at: impl Fn(&Member) -> Option<PackageAt>) -> Result<bool> {
        Ok(self.claims_of(&at).next().is_some() || self.hosting(&at).await?.is_any())
    }

    /// Whether a claim that the caller may know of keeps a name from every upstream.
    pub fn keep(&self, at: impl Fn(&Member) -> Option<PackageAt>) -> bool {
        self.claims_of(&at).any(|claims| claims.claimant.is_known_through(&self.whole))
    }

    /// The first hosted member that has a package, as far as the caller may know of it.
    pub(crate) async fn host(&self, at: impl Fn(&Member) -> Option<PackageAt>) -> Result<Option<&Member>> {
        let hosting = self.hosting(&at).await?;
        Ok(hosting.told.or(hosting.shown).map(|place| &self.all[place]))
    }

    fn kept(&self, at: &impl Fn(&Member) -> Option<PackageAt>, hosting: Hosting) -> Kept {
        let hosted = self.hosted_claims && hosting.is_any();
        if !hosted && self.claims_of(at).next().is_none() {
            return Kept::No;
        }
        let known = hosted && (hosting.shown.is_some() || hosting.told.is_some());
        if known || self.keep(at) { Kept::Known } else { Kept::Hidden }
    }

    /// The members as if no upstream had anything, nor had ever had.
    fn silent(&self) -> &[Member] {
        self.silent.get_or_init(|| self.all.iter().map(Member::silent).collect())
    }

    /// A repository by itself.
    pub(super) fn only(grant: &Grant<Read>) -> Result<Self> {
        Ok(Self {
            all: vec![grant.by_itself()],
            merging: Merging::Union,
            hosted_claims: false,
            claims: Arc::default(),
            silent: OnceLock::new(),
            whole: grant.clone(),
            format: format_of(grant.repo())?,
        })
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
        let hosting = self.hosting(&at).await?;
        self.seen(at, &having, hosting).await
    }

    /// Whose versions of a package readers see, in their order, as far as that is known without asking an upstream. `having`:
    /// the members that have its name, by their places. `hosting`: the hosted ones of them.
    pub(super) async fn seen(
        &self,
        at: impl Fn(&Member) -> Option<PackageAt>,
        having: &[usize],
        hosting: Hosting,
    ) -> Result<Vec<&Member>> {
        let mut alone = self.kept(&at, hosting) != Kept::No;
        let mut seen = Vec::new();
        for place in having {
            let member = &self.all[*place];
            alone |= self.merging == Merging::Owner && hosting.hidden == Some(*place);
            let answers = match (member.is_remote(), at(member)) {
                _ if member.grant().is_none() => false,
                (true, Some(at)) => !alone && !member.whoever_asks().is_claimed(&at).await?,
                (true, None) => false,
                (false, _) => self.merging == Merging::Union || hosting.shown == Some(*place),
            };
            if answers {
                seen.push(member);
            }
            if answers && self.merging == Merging::Owner {
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

    /// The rules of the repositories that are hosted here, or put together here, that claim the name.
    fn claims_of(&self, at: &impl Fn(&Member) -> Option<PackageAt>) -> impl Iterator<Item = &Claims> {
        let names: HashSet<String> = match self.claims.is_empty() {
            true => HashSet::new(),
            false => self.all.iter().filter_map(at).map(|at| name_of(self.format, &at)).collect(),
        };
        self.claims.iter().filter(move |claims| names.iter().any(|name| claims.rules.claim(name)))
    }

    /// Whether no upstream may tell of the packages of the namespace.
    pub(super) fn claim_namespace(&self, namespace: &str) -> bool {
        self.claims.iter().any(|claims| claims.rules.claim_namespace(namespace))
    }

    /// Whether a claim keeps one package from every upstream.
    pub(super) fn claim(&self, at: &PackageAt) -> bool {
        let name = name_of(self.format, at);
        self.claims.iter().any(|claims| claims.rules.claim(&name))
    }

    /// The hosted members whose names never come from elsewhere.
    pub(super) fn claiming(&self) -> impl Iterator<Item = &Member> {
        self.all.iter().filter(|member| self.hosted_claims && !member.is_remote())
    }

    /// The hosted members that have a package of this name, or ever had one. Where none has, those that have it in composed
    /// or decomposed characters: rules and claims take both for one name, so an upstream may not have the other one.
    pub(super) async fn hosting(&self, at: &impl Fn(&Member) -> Option<PackageAt>) -> Result<Hosting> {
        let written = self.hosting_as_written(at).await?;
        if written.is_any() || self.all.iter().filter_map(at).all(|at| at.name.is_ascii()) {
            return Ok(written);
        }
        let ways =
            self.all.iter().filter_map(at).map(|at| spellings(&at.name)).max_by_key(Vec::len).unwrap_or_default();
        for way in 0..ways.len() {
            let other = |member: &Member| {
                let at = at(member)?;
                let name = spellings(&at.name).into_iter().nth(way)?;
                Some(PackageAt { name, ..at })
            };
            let hosting = self.hosting_as_written(&other).await?;
            if hosting.is_any() {
                return Ok(hosting);
            }
        }
        Ok(written)
    }

    async fn hosting_as_written(&self, at: &impl Fn(&Member) -> Option<PackageAt>) -> Result<Hosting> {
        let mut hosting = Hosting::default();
        for (place, member) in self.all.iter().enumerate().filter(|(_, member)| !member.is_remote()) {
            if hosting.shown.is_none()
                && let Some(at) = at(member)
                && member.knows(&at).await?
            {
                hosting.note(place, member);
            }
        }
        Ok(hosting)
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
