//! What addresses mean.

use super::names::{check_module, check_pair, unescape};
use super::publish::Publish;
use super::version::Version;
use super::{INFO, LATEST, LIST, MOD, SUMDB, ZIP, location};
use crate::address::decode;
use crate::{Asked, Method, Operation, PackageAt, ParseError};

const READ: &str = "GET, HEAD";
const STORE: &str = "GET, HEAD, PUT";

pub(super) fn parse(asked: &Asked<'_>) -> Result<Operation, ParseError> {
    let path = decode(asked.rest)?;
    if path == "sumdb" || path.starts_with("sumdb/") {
        return read(asked, Operation::Say(SUMDB));
    }
    if let Some(module) = path.strip_suffix("/@latest") {
        return read(asked, Operation::Index(PackageAt::named(self::module(module)?), LATEST));
    }
    let (module, file) = path.rsplit_once("/@v/").ok_or(ParseError::Unknown)?;
    let module = self::module(module)?;
    if file == "list" {
        return read(asked, Operation::Index(PackageAt::named(module), LIST));
    }
    let (name, kind) = file.rfind('.').map(|dot| file.split_at(dot)).ok_or(ParseError::Unknown)?;
    let name = unescape(name).ok_or_else(|| {
        ParseError::Query(format!("{} is not spelt as the go command does: !a stands for A", name.escape_debug()))
    })?;
    match kind {
        ".info" => read(asked, Operation::Version(PackageAt::named(module), name, INFO)),
        MOD => read(asked, Operation::Fetch(held(&module, &name, kind)?)),
        ZIP if asked.method == Method::Put => publish(module, name),
        ZIP if asked.method.reads() => Ok(Operation::Fetch(held(&module, &name, kind)?)),
        ZIP => Err(ParseError::Method(STORE)),
        _ => Err(ParseError::Unknown),
    }
}

fn read(asked: &Asked<'_>, operation: Operation) -> Result<Operation, ParseError> {
    if asked.method.reads() { Ok(operation) } else { Err(ParseError::Method(READ)) }
}

fn module(escaped: &str) -> Result<String, ParseError> {
    let told = |why: &str| ParseError::Query(format!("the module path {} {why}", escaped.escape_debug()));
    let path = unescape(escaped).ok_or_else(|| told("is not spelt as the go command does: !a stands for A"))?;
    check_module(&path).map_err(|why| told(&why))?;
    Ok(path)
}

/// Where the bytes are. What cannot have been published is not there.
fn held(module: &str, version: &str, kind: &str) -> Result<model::EntryPath, ParseError> {
    Version::parse(version).ok_or(ParseError::Unknown)?;
    Ok(location(module, version, kind)?)
}

fn publish(module: String, text: String) -> Result<Operation, ParseError> {
    let Some(version) = Version::parse(&text) else {
        let why = "is not a canonical version: write it as v1.2.3, v1.2.3-rc.1 or v2.3.4+incompatible";
        return Err(ParseError::Query(format!("{} {why}", text.escape_debug())));
    };
    check_pair(&module, &version).map_err(ParseError::Query)?;
    if version.revised_at() == Some(None) {
        return Err(ParseError::Query(format!("the pseudo-version {text} names no time that there is")));
    }
    Ok(Operation::Receive(Box::new(Publish::new(module, text))))
}
