//! What addresses mean.

use std::borrow::Cow;

use super::names::{self, archive, is_name, normal, place};
use super::publish::Put;
use super::tags::PutTag;
use super::{ABBREVIATED, ATTESTATIONS, AUDIT, BULK_AUDIT, FULL, NOT_OFFERED, ONE, PING, SEARCH, TAGS, WHOAMI, done};
use crate::address::decode;
use crate::{Answer, Asked, Catalogue, Change, Method, Operation, PackageAt, ParseError, TokenDeed, What};

/// Results of a search that names no number, and at most; where they may begin at most.
const SEARCHED: (u32, u32) = (20, 250);
const SKIPPED: u32 = 5000;

pub(super) fn parse(asked: &Asked<'_>) -> Result<Operation, ParseError> {
    let path = decode(&plain(one_slash(once(asked))))?;
    let segments: Vec<&str> = path.split('/').collect();
    match segments.as_slice() {
        ["-", rest @ ..] => service(asked, rest),
        [scope, base, rest @ ..] if scope.starts_with('@') => package(asked, &format!("{scope}/{base}"), rest),
        [name, rest @ ..] => package(asked, name, rest),
        [] => Err(ParseError::Unknown),
    }
}

/// npm 6, and pnpm that calls it, take the path of an archive that is withdrawn for one below the registry's address.
fn once<'r>(asked: &Asked<'r>) -> &'r str {
    let before = asked.path.strip_suffix(asked.rest).map_or("", |before| before.trim_start_matches('/'));
    let again = asked.rest.strip_prefix(before).filter(|_| asked.method == Method::Delete);
    again.unwrap_or(asked.rest)
}

/// npm up to 10 asks for what it needs before it publishes with provenance below a slash too many.
fn one_slash(rest: &str) -> &str {
    rest.strip_prefix('/').filter(|service| service.starts_with("-/")).unwrap_or(rest)
}

/// The address with the slash of a scoped name written plainly: clients write `@scope%2fname`, as one
/// segment. No other separator may be hidden.
pub(super) fn plain(rest: &str) -> Cow<'_, str> {
    let scoped = |start: usize| {
        let segment = rest.get(start..)?;
        let segment = segment.split('/').next().unwrap_or(segment);
        let is_scope = segment.starts_with('@') || segment.starts_with("%40");
        let slash = segment.find("%2f").or_else(|| segment.find("%2F")).filter(|_| is_scope)?;
        Some(start + slash)
    };
    let starts = ["", "-/package/", "-/npm/v1/attestations/", "-/stage/package/"];
    let found =
        starts.into_iter().filter(|start| rest.starts_with(start)).filter_map(|start| scoped(start.len())).next();
    match found.and_then(|slash| Some((rest.get(..slash)?, rest.get(slash + 3..)?))) {
        Some((before, after)) => Cow::Owned(format!("{before}/{after}")),
        None => Cow::Borrowed(rest),
    }
}

fn named(asked: &Asked<'_>, name: &str) -> Result<PackageAt, ParseError> {
    if is_name(name) { Ok(PackageAt::named(counted(asked, name))) } else { Err(ParseError::Unknown) }
}

/// What counts of a name.
fn counted(asked: &Asked<'_>, name: &str) -> String {
    if asked.as_written { name.to_owned() } else { normal(name) }
}

fn package(asked: &Asked<'_>, name: &str, rest: &[&str]) -> Result<Operation, ParseError> {
    let at = named(asked, name)?;
    match (rest, asked.method) {
        ([], Method::Get | Method::Head) => {
            let view = if wants_abbreviated(asked.accept) { ABBREVIATED } else { FULL };
            Ok(Operation::Index(at, view))
        }
        ([], Method::Put) => Ok(Operation::Receive(Box::new(Put::new(name, false)))),
        ([], _) => Err(ParseError::Method("GET, HEAD, PUT")),
        (["-rev", _], Method::Put) => Ok(Operation::Receive(Box::new(Put::new(name, true)))),
        (["-rev", _], Method::Delete) => changed(at, What::KeepOnly { versions: Vec::new() }),
        (["-rev", _], _) => Err(ParseError::Method("PUT, DELETE")),
        (["-", file], _) => {
            let version = names::version_of(name, file).ok_or(ParseError::Unknown)?;
            read(asked, Operation::Fetch(place(&at.name, &archive(name, version))?))
        }
        (["-", file, "-rev", _], Method::Delete) => {
            let version = names::version_of(name, file).ok_or(ParseError::Unknown)?;
            changed(at, What::Withdraw { version: version.to_owned(), repeated: true })
        }
        (["-", _, "-rev", _], _) => Err(ParseError::Method("DELETE")),
        ([version], _) => read(asked, Operation::Version(at, (*version).to_owned(), ONE)),
        _ => Err(ParseError::Unknown),
    }
}

fn changed(package: PackageAt, what: What) -> Result<Operation, ParseError> {
    Ok(Operation::Change(vec![Change { package, what }], done(200)))
}

fn read(asked: &Asked<'_>, operation: Operation) -> Result<Operation, ParseError> {
    if asked.method.reads() { Ok(operation) } else { Err(ParseError::Method("GET, HEAD")) }
}

fn service(asked: &Asked<'_>, rest: &[&str]) -> Result<Operation, ParseError> {
    match rest {
        ["ping"] => read(asked, Operation::Say(PING)),
        ["whoami"] => read(asked, Operation::Say(WHOAMI)),
        ["v1", "search"] => read(asked, search(asked)?),
        ["npm", "v1", "security", "advisories", "bulk"] => told(asked, BULK_AUDIT),
        ["npm", "v1", "security", "audits"] | ["npm", "v1", "security", "audits", "quick"] => told(asked, AUDIT),
        ["npm", "v1", "attestations", spec @ ..] => {
            let spec = spec.join("/");
            let (name, version) = spec.rsplit_once('@').ok_or(ParseError::Unknown)?;
            read(asked, Operation::Version(named(asked, name)?, version.to_owned(), ATTESTATIONS))
        }
        ["package", scope, base, "dist-tags", tag @ ..] if scope.starts_with('@') => {
            tags(asked, named(asked, &format!("{scope}/{base}"))?, tag)
        }
        ["package", name, "dist-tags", tag @ ..] => tags(asked, named(asked, name)?, tag),
        ["user", "token", token] => match asked.method {
            Method::Delete => Ok(Operation::Leave(model::Secret::new((*token).to_owned()), done(200))),
            _ => Err(ParseError::Method("DELETE")),
        },
        ["npm", "v1", "tokens"] => tokens(asked),
        ["npm", "v1", "tokens", "token", named] => match asked.method {
            Method::Delete => {
                let gone = Answer { status: 204, ..Answer::default() };
                Ok(Operation::Tokens(TokenDeed::End(model::Secret::new((*named).to_owned()), gone)))
            }
            _ => Err(ParseError::Method("DELETE")),
        },
        // Who may see and publish, and from where: settings of the public registry.
        ["package", _, "access" | "collaborators" | "visibility" | "trust"]
        | ["package", _, _, "access" | "collaborators" | "visibility" | "trust"]
        | ["v1", "login"]
        | ["stage" | "_view", ..]
        | ["npm", "v1", ..]
        | ["user" | "org" | "team", ..] => Ok(Operation::Say(NOT_OFFERED)),
        _ => Err(ParseError::Unknown),
    }
}

fn tokens(asked: &Asked<'_>) -> Result<Operation, ParseError> {
    match asked.method {
        Method::Get | Method::Head => {
            let after = form_urlencoded::parse(asked.query.as_bytes()).find(|(key, _)| key == "after");
            let after = after.map(|(_, id)| id.parse()).transpose();
            let after = after.map_err(|_| ParseError::Query("after is the key of a token".to_owned()))?;
            Ok(Operation::Tokens(TokenDeed::List(after)))
        }
        Method::Post => Ok(Operation::Tokens(TokenDeed::Make)),
        _ => Err(ParseError::Method("GET, HEAD, POST")),
    }
}

/// A question whose body changes nothing in the answer.
fn told(asked: &Asked<'_>, view: crate::View) -> Result<Operation, ParseError> {
    if asked.method == Method::Post { Ok(Operation::Say(view)) } else { Err(ParseError::Method("POST")) }
}

fn tags(asked: &Asked<'_>, at: PackageAt, tag: &[&str]) -> Result<Operation, ParseError> {
    match (tag, asked.method) {
        ([] | [""], Method::Get | Method::Head) => Ok(Operation::Index(at, TAGS)),
        ([] | [""], _) => Err(ParseError::Method("GET, HEAD")),
        ([tag], Method::Put | Method::Post) => Ok(Operation::Receive(Box::new(PutTag::new(at, tag)))),
        (["latest"], Method::Delete) => Err(ParseError::Query("the dist-tag latest cannot be removed".to_owned())),
        ([tag], Method::Delete) => {
            let name = names::tag(tag).map_err(|refusal| ParseError::Query(refusal.detail))?;
            changed(at, What::Drop { name })
        }
        ([_], _) => Err(ParseError::Method("PUT, POST, DELETE")),
        _ => Err(ParseError::Unknown),
    }
}

fn search(asked: &Asked<'_>) -> Result<Operation, ParseError> {
    let (mut prefix, mut limit, mut skip) = (String::new(), SEARCHED.0, 0);
    for (key, value) in form_urlencoded::parse(asked.query.as_bytes()) {
        let number = |most: u32| {
            let number = value.parse::<u32>().ok().filter(|number| *number <= most);
            number.ok_or_else(|| ParseError::Query(format!("{key} is a number up to {most}")))
        };
        match key.as_ref() {
            "text" => prefix = counted(asked, value.trim()),
            "size" => limit = number(SEARCHED.1)?,
            "from" => skip = number(SKIPPED)?,
            _ => {}
        }
    }
    Ok(Operation::Catalogue(Catalogue { view: SEARCH, prefix, after: String::new(), limit: Some(limit), skip }))
}

/// Whether a client prefers the document made for installing.
fn wants_abbreviated(accept: &str) -> bool {
    let weight = |wanted: &str| {
        let found = accept.split(',').find_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next()?;
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok());
            kind.eq_ignore_ascii_case(wanted).then(|| weight.unwrap_or(0.0))
        });
        found.unwrap_or(0.0)
    };
    let abbreviated = weight("application/vnd.npm.install-v1+json");
    abbreviated > 0.0 && abbreviated >= weight("application/json")
}
