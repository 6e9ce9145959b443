//! What addresses mean.

use model::state::MarkKind;
use serde_json::json;

use super::publish::Publish;
use super::{CONFIG, INDEX, OWNERS, SEARCH, download, is_name, normal};
use crate::address::decode;
use crate::{Answer, Asked, Catalogue, Change, Method, Operation, PackageAt, ParseError, What};

/// Results of a search that names no number, and at most.
const SEARCHED: (u32, u32) = (10, 100);

pub(super) fn parse(asked: &Asked<'_>) -> Result<Operation, ParseError> {
    let path = decode(asked.rest)?;
    let segments: Vec<&str> = path.split('/').collect();
    match segments.as_slice() {
        ["config.json"] => read(asked, Operation::Say(CONFIG)),
        ["api", "v1", "crates"] => read(asked, search(asked)?),
        ["api", "v1", "crates", "new"] if asked.method == Method::Put => {
            Ok(Operation::Receive(Box::new(Publish::default())))
        }
        ["api", "v1", "crates", "new"] => Err(ParseError::Method("PUT")),
        ["api", "v1", "crates", name, "owners"] if is_name(name) => match asked.method {
            Method::Get | Method::Head => Ok(Operation::Writers(named(asked, name), OWNERS)),
            Method::Put | Method::Delete => Ok(Operation::Say(OWNERS)),
            Method::Post | Method::Patch => Err(ParseError::Method("GET, HEAD, PUT, DELETE")),
        },
        ["api", "v1", "crates", name, version, "yank"] => yank(asked, Method::Delete, "DELETE", name, version),
        ["api", "v1", "crates", name, version, "unyank"] => yank(asked, Method::Put, "PUT", name, version),
        ["dl", name, version, "download"] | ["api", "v1", "crates", name, version, "download"] => {
            if !is_name(name) {
                return Err(ParseError::Unknown);
            }
            read(asked, Operation::Fetch(download(&counted(asked, name), version)?))
        }
        [.., name] if is_name(name) && path == index_path(name) => {
            read(asked, Operation::Index(named(asked, name), INDEX))
        }
        _ => Err(ParseError::Unknown),
    }
}

fn named(asked: &Asked<'_>, name: &str) -> PackageAt {
    PackageAt::named(counted(asked, name))
}

/// What counts of a name.
fn counted(asked: &Asked<'_>, name: &str) -> String {
    if asked.as_written { name.to_ascii_lowercase() } else { normal(name) }
}

fn read(asked: &Asked<'_>, operation: Operation) -> Result<Operation, ParseError> {
    if asked.method.reads() { Ok(operation) } else { Err(ParseError::Method("GET, HEAD")) }
}

fn yank(
    asked: &Asked<'_>,
    method: Method,
    allowed: &'static str,
    name: &str,
    version: &str,
) -> Result<Operation, ParseError> {
    if asked.method != method {
        return Err(ParseError::Method(allowed));
    }
    let text = (method == Method::Delete).then(String::new);
    let what = What::Mark { version: version.to_owned(), kind: MarkKind::Yanked, text };
    let change = Change { package: named(asked, name), what };
    Ok(Operation::Change(vec![change], Answer::json(&json!({"ok": true}))))
}

fn search(asked: &Asked<'_>) -> Result<Operation, ParseError> {
    let (mut prefix, mut limit) = (String::new(), SEARCHED.0);
    for (key, value) in form_urlencoded::parse(asked.query.as_bytes()) {
        match key.as_ref() {
            "q" => prefix = counted(asked, &value),
            "per_page" => {
                let number = value.parse().ok().filter(|number| (1..=SEARCHED.1).contains(number));
                limit = number.ok_or_else(|| ParseError::Query(format!("per_page is 1 to {}", SEARCHED.1)))?;
            }
            _ => {}
        }
    }
    Ok(Operation::Catalogue(Catalogue { view: SEARCH, prefix, after: String::new(), limit: Some(limit), skip: 0 }))
}

/// Where the index file of a crate is: lower case, in folders by its first letters.
pub(super) fn index_path(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    [folder(&name).as_str(), "/", &name].concat()
}

/// The folder for a crate, by the first letters of its name.
pub(super) fn folder(name: &str) -> String {
    match name.as_bytes() {
        [_] => "1".to_owned(),
        [_, _] => "2".to_owned(),
        [a, _, _] => String::from_iter(['3', '/', char::from(*a)]),
        [a, b, c, d, ..] => {
            let [a, b, c, d] = [*a, *b, *c, *d].map(char::from);
            String::from_iter([a, b, '/', c, d])
        }
        [] => String::new(),
    }
}
