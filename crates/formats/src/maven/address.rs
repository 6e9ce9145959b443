//! What addresses mean.

use model::EntryPath;

use super::builds::Builds;
use super::deposit::{Checksum, File, Ignored};
use super::layout::{METADATA, Stored, check_version, checksum, line};
use super::{ARTIFACT, BUILDS};
use crate::address::decode;
use crate::{Answer, Asked, Change, Method, Operation, PackageAt, ParseError, What};

pub(super) fn parse(asked: &Asked<'_>) -> Result<Operation, ParseError> {
    let path = decode(asked.rest)?;
    match asked.method {
        Method::Get | Method::Head => read(&path),
        Method::Put => put(&path),
        Method::Delete => withdraw(&path),
        Method::Post | Method::Patch => Err(ParseError::Method("GET, HEAD, PUT, DELETE")),
    }
}

fn read(path: &str) -> Result<Operation, ParseError> {
    if path.is_empty() {
        return Ok(Operation::List(None));
    }
    if let Some(folder) = path.strip_suffix('/') {
        return Ok(Operation::List(Some(EntryPath::parse(folder)?)));
    }
    let (of, algorithm) = checksum(path);
    let operation = match index(of) {
        Some(found) => found?,
        None => {
            let location = EntryPath::parse(of)?;
            match Stored::parse(of).ok().filter(Stored::is_of_any_build) {
                Some(Stored { group, artifact, base, .. }) => {
                    return Ok(Operation::Newest(PackageAt { namespace: group, name: artifact }, base, BUILDS));
                }
                None => Operation::Fetch(location),
            }
        }
    };
    Ok(match algorithm {
        Some(algorithm) => Operation::Checksum(Box::new(operation), algorithm),
        None => operation,
    })
}

/// The index at a path, if there can be one: of a line of snapshots, else of an artifact and of the group
/// that has the same path.
fn index(path: &str) -> Option<Result<Operation, ParseError>> {
    let folder = path.strip_suffix(METADATA)?.strip_suffix('/')?;
    if let Err(error) = EntryPath::parse(path) {
        return Some(Err(error.into()));
    }
    let folders: Vec<&str> = folder.split('/').collect();
    let part = match folders.as_slice() {
        [rest @ .., version] if rest.len() >= 2 && line(version).is_some() => Some((rest, (*version).to_owned())),
        _ => None,
    };
    let (folders, part) = part.map_or((folders.as_slice(), None), |(rest, version)| (rest, Some(version)));
    let (name, group) = folders.split_last()?;
    // A group is written with slashes alone: another spelling is not a second address.
    if group.iter().any(|part| part.contains('.')) {
        return Some(Err(ParseError::Unknown));
    }
    let package = PackageAt { namespace: group.join("."), name: (*name).to_owned() };
    Some(Ok(match part {
        Some(version) => Operation::Part(package, version, BUILDS),
        None => Operation::Index(package, ARTIFACT),
    }))
}

fn put(path: &str) -> Result<Operation, ParseError> {
    EntryPath::parse(path)?;
    let (of, algorithm) = checksum(path);
    if let Some(found) = index(of) {
        let completes = match (found?, algorithm) {
            (Operation::Index(package, _), None) => Some(package),
            _ => None,
        };
        return Ok(Operation::Receive(Box::new(Ignored::new(completes))));
    }
    let stored = Stored::parse(of).map_err(ParseError::Query)?;
    Ok(Operation::Receive(match algorithm {
        Some(algorithm) => Box::new(Checksum::new(EntryPath::parse(of)?, Builds::of(&stored), algorithm)),
        None => Box::new(File::new(stored)),
    }))
}

/// A release is withdrawn by its folder, a build of a snapshot by any of its files.
fn withdraw(path: &str) -> Result<Operation, ParseError> {
    if let Ok(stored) = Stored::parse(path) {
        let any = stored.is_of_any_build();
        let Stored { group, artifact, base, build, .. } = stored;
        if any {
            return Err(one_by_one(&base));
        }
        if build == base {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            return Err(ParseError::Query(format!("a release is withdrawn whole, by its folder: {folder}/")));
        }
        return Ok(withdrawing(group, artifact, build));
    }
    let folder = path.strip_suffix('/').unwrap_or(path);
    EntryPath::parse(folder)?;
    let folders: Vec<&str> = folder.split('/').collect();
    let [group @ .., artifact, version] = folders.as_slice() else { return Err(ParseError::Method("GET, HEAD, PUT")) };
    let plain = !group.is_empty() && group.iter().all(|part| !part.contains('.'));
    if plain && line(version).is_some() {
        return Err(one_by_one(version));
    }
    if !plain || check_version(version).is_err() {
        return Err(ParseError::Method("GET, HEAD, PUT"));
    }
    Ok(withdrawing(group.join("."), (*artifact).to_owned(), (*version).to_owned()))
}

fn one_by_one(line: &str) -> ParseError {
    ParseError::Query(format!("builds of {line} are withdrawn one by one, each by one of its files"))
}

fn withdrawing(namespace: String, name: String, version: String) -> Operation {
    let what = What::Withdraw { version, repeated: false };
    let change = Change { package: PackageAt { namespace, name }, what };
    Operation::Change(vec![change], Answer { status: 204, ..Answer::default() })
}
