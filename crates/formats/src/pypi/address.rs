//! What addresses mean.

use std::borrow::Cow;

use super::accept::choose;
use super::form::boundary;
use super::names::{is_name, normal, version};
use super::upload::Upload;
use super::{PROJECT, location};
use crate::address::decode;
use crate::{Answer, Asked, Catalogue, Method, Operation, PackageAt, ParseError, View};

pub(super) fn parse(asked: &Asked<'_>) -> Result<Operation, ParseError> {
    let path = decode(asked.rest)?;
    let segments: Vec<&str> = path.split('/').collect();
    match segments.as_slice() {
        [""] if asked.method == Method::Post => upload(asked),
        ["legacy"] | ["legacy", ""] => match asked.method {
            Method::Post => upload(asked),
            _ => Err(ParseError::Method("POST")),
        },
        [""] | ["simple"] => read(asked, moved(asked, "simple/")),
        ["simple", ""] => read(asked, indexed(asked, |view| Operation::Catalogue(all(view)))),
        ["simple", name] if is_name(name) => read(asked, moved(asked, &format!("{}/", normal(name)))),
        ["simple", name, ""] if is_name(name) => {
            let known = normal(name);
            let operation = match known == **name {
                true => indexed(asked, |view| Operation::Index(PackageAt::named(known), view)),
                false => moved(asked, &format!("../{known}/")),
            };
            read(asked, operation)
        }
        // pip-tools looks beside the index, and did beneath it, for the digests that `--generate-hashes` writes.
        ["pypi", name, "json"] | [name, "json"] | ["simple", "pypi", name, "json"] if is_name(name) => {
            read(asked, Operation::Index(PackageAt::named(normal(name)), PROJECT))
        }
        ["pypi", name, text, "json"] if is_name(name) => {
            let text = version(text).ok_or(ParseError::Unknown)?.to_string();
            read(asked, Operation::Version(PackageAt::named(normal(name)), text, PROJECT))
        }
        ["packages", name, version, file] => read(asked, Operation::Fetch(location(name, version, file)?)),
        _ => Err(ParseError::Unknown),
    }
}

fn read(asked: &Asked<'_>, operation: Operation) -> Result<Operation, ParseError> {
    if asked.method.reads() { Ok(operation) } else { Err(ParseError::Method("GET, HEAD")) }
}

fn upload(asked: &Asked<'_>) -> Result<Operation, ParseError> {
    let boundary = boundary(asked.content_type).map_err(ParseError::Query)?;
    Ok(Operation::Receive(Box::new(Upload::new(&boundary))))
}

fn all(view: View) -> Catalogue {
    Catalogue { view, prefix: String::new(), after: String::new(), limit: None, skip: 0 }
}

/// In the form that the client wants.
fn indexed(asked: &Asked<'_>, of: impl FnOnce(View) -> Operation) -> Operation {
    // The query, for those who cannot set a header, goes before it.
    let format = form_urlencoded::parse(asked.query.as_bytes()).find(|(key, _)| key == "format");
    // A plus in a query is a space to those who decode it.
    let accept = format.map_or(Cow::Borrowed(asked.accept), |(_, value)| Cow::Owned(value.replace(' ', "+")));
    match choose(&accept) {
        Some(view) => of(view),
        None => {
            let why =
                "this index is application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html or text/html\n";
            Operation::Tell(Answer::text(406, why))
        }
    }
}

/// The address where a thing is, seen from where it was asked for: so it holds behind any proxy.
fn moved(asked: &Asked<'_>, there: &str) -> Operation {
    let query = if asked.query.is_empty() { String::new() } else { format!("?{}", asked.query) };
    let headers = vec![("location", format!("{there}{query}"))];
    Operation::Tell(Answer { status: 308, headers, ..Answer::default() })
}
