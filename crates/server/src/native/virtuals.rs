//! Repositories that are made of others: which member answers, and where what is published goes.

use std::sync::OnceLock;

use axum::body::Body;
use axum::response::Response;
use formats::{Format, Merging, Operation, PackageAt, Wanting};
use http::request::Parts;
use http::{StatusCode, header};
use model::state::RepoKind;
use registry::{Grant, Member, Members, Read};

use super::documents::{self, Place};
use super::{checksum, fetch, list, moment, parse};
use crate::app::App;
use crate::edge::conditional::without_times;
use crate::problem::Problem;

/// Whether an operation is for the members; the others need nothing but the repository's place.
pub(super) fn concerns_members(operation: &Operation) -> bool {
    !matches!(operation, Operation::Say(_) | Operation::Tell(_) | Operation::Leave(..) | Operation::Tokens(_))
}

/// Performs an operation on the members of a virtual repository.
pub(super) async fn perform(
    app: &App,
    readable: &Grant<Read>,
    format: &dyn Format,
    operation: Operation,
    parts: &Parts,
    rest: &str,
    body: Body,
) -> Result<Response, Problem> {
    match operation {
        Operation::List(folder) => list::list(readable, format, folder, parts).await,
        Operation::Catalogue(asked) => {
            let members = readable.members().await?;
            let shown = readable.catalogue_of_members(&members, &asked, &Place::of(readable, parts)?.site()).await?;
            documents::show(&shown, readable, parts).await
        }
        Operation::Fetch(_)
        | Operation::Index(..)
        | Operation::Part(..)
        | Operation::Version(..)
        | Operation::Checksum(..) => Request::new(readable, format, operation, parts, rest).read().await,
        _ => {
            let target = readable.deploy_target().await?;
            let target = readable.call().authorize::<Read>(&target).await?;
            Box::pin(super::perform(app, &target, format, parts, rest, body)).await
        }
    }
}

/// A request to read.
struct Request<'r> {
    readable: &'r Grant<Read>,
    format: &'r dyn Format,
    parts: &'r Parts,
    rest: &'r str,
    ours: Meant,
    /// As members understand it whose packages come from elsewhere, once one of them is asked.
    theirs: OnceLock<Meant>,
}

/// What is asked for, and of which package.
struct Meant {
    operation: Operation,
    package: Option<PackageAt>,
}

impl<'r> Request<'r> {
    fn new(
        readable: &'r Grant<Read>,
        format: &'r dyn Format,
        operation: Operation,
        parts: &'r Parts,
        rest: &'r str,
    ) -> Self {
        let ours = Meant::new(format, operation);
        Self { readable, format, parts, rest, ours, theirs: OnceLock::new() }
    }
}

impl Meant {
    fn new(format: &dyn Format, operation: Operation) -> Self {
        Self { package: format.package_of(&operation), operation }
    }
}

impl Request<'_> {
    async fn read(&self) -> Result<Response, Problem> {
        let (members, place) = (self.readable.members().await?, Place::of(self.readable, self.parts)?);
        match members.merging {
            Merging::Owner => match members.owner(|member| self.package(member)).await? {
                Some(member) => self.read_of(member, &place).await,
                None if self.may_be_unlisted() && !members.is_kept(|member| self.package(member)).await? => {
                    self.first(&members, &place).await
                }
                None => Err(self.nobody(&members)),
            },
            Merging::Union => self.read_all(&members, &place).await,
        }
    }

    /// Whether an upstream may have it although no index of its tells of the package.
    fn may_be_unlisted(&self) -> bool {
        let one = match &self.ours.operation {
            Operation::Checksum(of, _) => matches!(**of, Operation::Fetch(_)),
            other => matches!(other, Operation::Fetch(_) | Operation::Version(..)),
        };
        one && self.format.upstream().is_some_and(|upstream| upstream.narrows())
    }

    /// The operation as a member understands it: what its names are is decided where its packages come from.
    fn meant(&self, member: &Member) -> Result<&Meant, Problem> {
        match (member.is_remote(), self.theirs.get()) {
            (false, _) => Ok(&self.ours),
            (true, Some(theirs)) => Ok(theirs),
            (true, None) => {
                let theirs = parse(self.format, RepoKind::Remote, self.parts, self.rest)?;
                Ok(self.theirs.get_or_init(|| Meant::new(self.format, theirs)))
            }
        }
    }

    fn package(&self, member: &Member) -> Option<PackageAt> {
        self.meant(member).ok()?.package.clone()
    }

    async fn read_of(&self, member: &Member, place: &Place) -> Result<Response, Problem> {
        let Some(grant) = member.grant() else {
            return Err(Problem::not_found("no member of this repository has that"));
        };
        // Which member answers at an address may change, although none of its files does.
        let parts = without_times(self.parts);
        let mut response = super::read(grant, &self.meant(member)?.operation, place, &parts).await?;
        fetch::let_be_confirmed(&mut response, grant);
        Ok(response)
    }

    async fn read_all(&self, members: &Members, place: &Place) -> Result<Response, Problem> {
        let (readable, site) = (self.readable, place.site());
        let (operation, algorithm) = match &self.ours.operation {
            Operation::Checksum(of, algorithm) => (&**of, Some(*algorithm)),
            other => (other, None),
        };
        let at = |member: &Member| self.package(member);
        let shown = match operation {
            Operation::Index(_, view) => readable.index_of_members(members, at, *view, Wanting::All, &site).await?,
            Operation::Part(_, part, view) => {
                readable.index_of_members(members, at, *view, Wanting::Part(part), &site).await?
            }
            _ => return self.first(members, place).await,
        };
        let mut response = match algorithm {
            Some(algorithm) => checksum::of_document(readable, &shown, algorithm, self.parts)?,
            None => documents::show(&shown, readable, self.parts).await?,
        };
        // What the rules of a member keep out of an index they may let in later. Others see other members.
        let ruled = members.all.iter().any(|member| member.grant().is_some_and(Grant::is_ruled));
        if readable.instant().is_some() && !ruled {
            let [for_good, _] = moment::FOR_GOOD;
            response.headers_mut().insert(header::CACHE_CONTROL, for_good);
        }
        Ok(response)
    }

    /// The file, or what is said of a version, from the first member that has it. One in which it was withdrawn, or that fails, is not passed over.
    async fn first(&self, members: &Members, place: &Place) -> Result<Response, Problem> {
        for member in members.answering(|member| self.package(member)).await? {
            if member.grant().is_none() {
                continue;
            }
            match self.read_of(member, place).await {
                Err(problem) if problem.status() == StatusCode::NOT_FOUND => {}
                answered => return answered,
            }
        }
        Err(self.nobody(members))
    }

    fn nobody(&self, members: &Members) -> Problem {
        Problem::not_found(match members.keep(|member| self.package(member)) {
            true => "no hosted member of this repository has that, and a claim keeps its name from every upstream",
            false => "no member of this repository has that",
        })
    }
}
