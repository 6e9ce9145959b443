//! Raw files: a path is a name. PUT stores, GET fetches, a trailing slash lists, DELETE withdraws.

use model::{EntryPath, NameError, PackageName, VersionName};
use percent_encoding::percent_decode_str;

use crate::{Format, Method, Operation, ParseError};

/// The format of plain files.
#[derive(Clone, Copy, Debug)]
pub struct Raw;

impl Format for Raw {
    fn key(&self) -> &'static str {
        "raw"
    }

    fn parse(&self, method: Method, rest: &str) -> Result<Operation, ParseError> {
        let path = decode(rest)?;
        if path.is_empty() {
            return folder(method, None);
        }
        if let Some(name) = path.strip_suffix('/') {
            return folder(method, Some(EntryPath::parse(name)?));
        }
        let path = EntryPath::parse(&path)?;
        Ok(match method {
            Method::Get | Method::Head => Operation::Fetch(path),
            Method::Put => Operation::Store(path),
            Method::Delete => Operation::Withdraw(path),
        })
    }

    fn adds_files(&self) -> bool {
        false
    }

    fn has_namespaces(&self) -> bool {
        false
    }

    fn normalise(&self, name: &PackageName) -> String {
        name.as_str().to_owned()
    }

    fn location(&self, package: &PackageName, version: &VersionName, path: &EntryPath) -> Result<EntryPath, NameError> {
        EntryPath::parse(&format!("{package}/{version}/{path}"))
    }
}

fn folder(method: Method, folder: Option<EntryPath>) -> Result<Operation, ParseError> {
    match method {
        Method::Get | Method::Head => Ok(Operation::List(folder)),
        Method::Put | Method::Delete => Err(ParseError::Method("GET, HEAD")),
    }
}

/// Decodes once. An encoded slash or backslash, or an escape that is none, is refused: what decides
/// who may read must not look different to whoever decodes twice.
fn decode(rest: &str) -> Result<String, ParseError> {
    let bytes = rest.as_bytes();
    for (index, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%') {
        let Some(escape) = bytes.get(index + 1..index + 3).filter(|pair| pair.iter().all(u8::is_ascii_hexdigit)) else {
            return Err(ParseError::Encoding("the path has a broken percent escape"));
        };
        if matches!(escape.to_ascii_lowercase().as_slice(), b"2f" | b"5c" | b"00") {
            return Err(ParseError::Encoding("the path hides a separator or NUL behind a percent escape"));
        }
    }
    let text = percent_decode_str(rest).decode_utf8().map_err(|_| ParseError::Encoding("the path is not UTF-8"))?;
    if text.split('/').any(climbs_when_read_again) {
        return Err(ParseError::Encoding(
            "the path has a segment that means another folder to whoever decodes it again",
        ));
    }
    Ok(text.into_owned())
}

/// Whether a segment, decoded a second time or cut at a `;` as some proxies do, leaves its folder.
fn climbs_when_read_again(segment: &str) -> bool {
    let again = percent_decode_str(segment).collect::<Vec<u8>>();
    let plain = again.split(|byte| *byte == b';').next().unwrap_or_default();
    let separates = again.len() != segment.len() && again.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0));
    separates || plain == b".." || plain == b"."
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(method: Method, rest: &str) -> Result<Operation, ParseError> {
        Raw.parse(method, rest)
    }

    fn path(text: &str) -> EntryPath {
        EntryPath::parse(text).expect("a path")
    }

    #[test]
    fn addresses_become_operations() {
        assert_eq!(parse(Method::Get, "a/b.txt"), Ok(Operation::Fetch(path("a/b.txt"))));
        assert_eq!(parse(Method::Head, "a%20b"), Ok(Operation::Fetch(path("a b"))));
        assert_eq!(parse(Method::Put, "x"), Ok(Operation::Store(path("x"))));
        assert_eq!(parse(Method::Delete, "x"), Ok(Operation::Withdraw(path("x"))));
        assert_eq!(parse(Method::Get, ""), Ok(Operation::List(None)));
        assert_eq!(parse(Method::Get, "a/b/"), Ok(Operation::List(Some(path("a/b")))));
        assert_eq!(parse(Method::Put, "a/"), Err(ParseError::Method("GET, HEAD")));
    }

    #[test]
    fn entries_are_found_below_package_and_version() {
        let (package, version) = (PackageName::parse("tools/hammer"), VersionName::parse("1.2"));
        let (package, version) = (package.expect("a name"), version.expect("a version"));
        assert_eq!(Raw.location(&package, &version, &path("bin/x")), Ok(path("tools/hammer/1.2/bin/x")));
        assert!(Raw.location(&package, &version, &path(&vec!["a"; 510].join("/"))).is_err());
    }

    #[test]
    fn hostile_addresses_are_refused_in_every_encoding() {
        let bad = [
            "../x",
            "a/../x",
            "%2e%2e/x",
            "%2E%2E/x",
            "a%2fb",
            "a%2Fb",
            "a%5cb",
            "a\\b",
            "a%00b",
            "a//b",
            "./a",
            "a/%2e/b",
            "%",
            "%2",
            "%zz",
            "%ff",
            "a/%0d%0aX",
            "..%2f",
            "%252e%252e/../x",
            "%252e%252e/x",
            "..%252fx",
            "a%255cb",
            "a%2500b",
            "..;/x",
            "..;a=b/x",
        ];
        for rest in bad {
            assert!(parse(Method::Get, rest).is_err(), "{rest}");
            assert!(parse(Method::Put, rest).is_err(), "{rest}");
        }
    }

    proptest! {
        #[test]
        fn what_is_parsed_survives_encoding(name in "[a-zA-Zäé0-9 _.+~-]{1,20}(/[a-zA-Z0-9 _+-]{1,10}){0,3}") {
            if let Ok(expected) = EntryPath::parse(&name) {
                let encoded: String = name.split('/').map(|segment| {
                    percent_encoding::utf8_percent_encode(segment, percent_encoding::NON_ALPHANUMERIC).to_string()
                }).collect::<Vec<_>>().join("/");
                prop_assert_eq!(parse(Method::Get, &encoded), Ok(Operation::Fetch(expected)));
            }
        }
    }
}
