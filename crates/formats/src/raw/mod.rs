//! Raw files: a path is a name. PUT stores, GET fetches, a trailing slash lists, DELETE withdraws.

mod lockfile;
mod setup;
mod upstream;

use std::borrow::Cow;

use model::{EntryPath, NameError, PackageName, VersionName};

use crate::address::{decode, expect_reachable};
use crate::{
    Asked, Format, Lockfile, Merging, Method, Operation, PackageAt, ParseError, Place, Setup, Unreadable, Upstream,
};

/// The format of plain files.
#[derive(Clone, Copy, Debug)]
pub struct Raw;

impl Format for Raw {
    fn key(&self) -> &'static str {
        "raw"
    }

    fn parse(&self, asked: &Asked<'_>) -> Result<Operation, ParseError> {
        let path = decode(&plain(asked.rest))?;
        if path.is_empty() {
            return folder(asked.method, None);
        }
        if let Some(name) = path.strip_suffix('/') {
            return folder(asked.method, Some(EntryPath::parse(name)?));
        }
        let path = EntryPath::parse(&path)?;
        Ok(match asked.method {
            Method::Get | Method::Head => Operation::Fetch(path),
            Method::Put => Operation::Store(path),
            Method::Delete => Operation::Withdraw(path),
            Method::Post | Method::Patch => return Err(ParseError::Method("GET, HEAD, PUT, DELETE")),
        })
    }

    fn normalise(&self, name: &PackageName) -> String {
        name.as_str().to_owned()
    }

    fn takes_drafts(&self) -> bool {
        true
    }

    fn is_name(&self, at: &PackageAt) -> bool {
        PackageName::parse(&at.name).is_ok()
    }

    fn names(&self) -> &'static [&'static str] {
        &["tool.bin", "team/tool.bin"]
    }

    fn lockfile(&self, name: &str, bytes: &[u8]) -> Option<Result<Lockfile, Unreadable>> {
        lockfile::read(name, bytes)
    }

    fn location(&self, package: &PackageName, version: &VersionName, path: &EntryPath) -> Result<EntryPath, NameError> {
        let location = EntryPath::parse(&format!("{package}/{version}/{path}"))?;
        expect_reachable(&location)?;
        Ok(location)
    }

    fn merging(&self) -> Option<Merging> {
        Some(Merging::Union)
    }

    fn upstream(&self) -> Option<&'static dyn Upstream> {
        Some(&Raw)
    }

    fn setups(&self, place: &Place<'_>) -> Vec<Setup> {
        setup::all(place)
    }
}

/// The path without the segments that say nothing: uploads of whole folders (of Maven's sites, for one) write
/// `site/.//index.html`. Only those that are written plainly: what hides behind an escape is refused, as is `..`.
fn plain(rest: &str) -> Cow<'_, str> {
    let says = |segment: &&str| !matches!(*segment, "" | ".");
    let (above, last) = rest.rsplit_once('/').unwrap_or(("", rest));
    if says(&last) && rest.split('/').all(|segment| says(&segment)) {
        return Cow::Borrowed(rest);
    }
    let mut path: String = above.split('/').filter(says).flat_map(|segment| [segment, "/"]).collect();
    if says(&last) {
        path.push_str(last);
    }
    Cow::Owned(path)
}

fn folder(method: Method, folder: Option<EntryPath>) -> Result<Operation, ParseError> {
    match method {
        Method::Get | Method::Head => Ok(Operation::List(folder)),
        _ => Err(ParseError::Method("GET, HEAD")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What it is, as text: operations have no equality.
    fn parse(method: Method, rest: &str) -> Result<String, ParseError> {
        Raw.parse(&Asked::plain(method, rest)).map(|operation| format!("{operation:?}"))
    }

    fn text(operation: Operation) -> Result<String, ParseError> {
        Ok(format!("{operation:?}"))
    }

    fn path(text: &str) -> EntryPath {
        EntryPath::parse(text).expect("a path")
    }

    #[test]
    fn addresses_become_operations() {
        assert_eq!(parse(Method::Get, "a/b.txt"), text(Operation::Fetch(path("a/b.txt"))));
        assert_eq!(parse(Method::Head, "a%20b"), text(Operation::Fetch(path("a b"))));
        assert_eq!(parse(Method::Put, "x"), text(Operation::Store(path("x"))));
        assert_eq!(parse(Method::Delete, "x"), text(Operation::Withdraw(path("x"))));
        assert_eq!(parse(Method::Get, ""), text(Operation::List(None)));
        assert_eq!(parse(Method::Get, "a/b/"), text(Operation::List(Some(path("a/b")))));
        assert_eq!(parse(Method::Put, "a/"), Err(ParseError::Method("GET, HEAD")));
    }

    #[test]
    fn segments_that_say_nothing_are_left_out() {
        for rest in ["a/b", "a//b", "./a/b", "/a/b", "//a/./b", "a/.//b", "a///././b"] {
            assert_eq!(parse(Method::Put, rest), text(Operation::Store(path("a/b"))), "{rest}");
        }
        for rest in ["a/b/", "a/b//", "a/b/.", "a/./b/./", "//a//b//"] {
            assert_eq!(parse(Method::Get, rest), text(Operation::List(Some(path("a/b")))), "{rest}");
            assert_eq!(parse(Method::Put, rest), Err(ParseError::Method("GET, HEAD")), "{rest}");
        }
        for rest in ["", ".", "/", "./", "//.", "/./"] {
            assert_eq!(parse(Method::Get, rest), text(Operation::List(None)), "{rest}");
        }
        for rest in [".a", "a/.b", "a/..b/c", "a/b.c"] {
            assert_eq!(parse(Method::Put, rest), text(Operation::Store(path(rest))), "{rest}");
        }
    }

    #[test]
    fn entries_are_found_below_package_and_version() {
        let (package, version) = (PackageName::parse("tools/hammer"), VersionName::parse("1.2"));
        let (package, version) = (package.expect("a name"), version.expect("a version"));
        assert_eq!(Raw.location(&package, &version, &path("bin/x")), Ok(path("tools/hammer/1.2/bin/x")));
        assert!(Raw.location(&package, &version, &path(&vec!["a"; 510].join("/"))).is_err());
        for unreachable in ["%2e%2e", "a/%2E/b", "x%2fy", "x%5cy", "%00", "..;a/x", "a/.;/b"] {
            let told = Raw.location(&package, &version, &path(unreachable)).expect_err(unreachable);
            assert!(told.to_string().contains("another folder"), "{told}");
        }
        for fine in ["100%", "a%20b", "%41", "a;b", "a.;b"] {
            let place = Raw.location(&package, &version, &path(fine)).expect(fine);
            let encoded = percent_encoding::utf8_percent_encode(place.as_str(), percent_encoding::NON_ALPHANUMERIC);
            let asked = encoded.to_string().replace("%2F", "/");
            assert_eq!(parse(Method::Get, &asked), text(Operation::Fetch(place)), "what is published is reached");
        }
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
                prop_assert_eq!(parse(Method::Get, &encoded), text(Operation::Fetch(expected)));
            }
        }
    }
}
