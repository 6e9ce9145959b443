//! What addresses mean, however names are encoded.

use super::*;
use crate::Method;
use crate::npm::names::{clean, highest, is_name, tag, version_of};

fn operation(method: Method, rest: &str) -> Result<String, ParseError> {
    Npm.parse(&Asked::plain(method, rest)).map(|operation| format!("{operation:?}"))
}

#[test]
fn a_scope_is_written_in_four_ways() {
    let plain = operation(Method::Get, "@acme/tool").expect("an index");
    for same in ["@acme%2ftool", "@acme%2Ftool", "%40acme%2ftool", "@Acme/Tool"] {
        assert_eq!(operation(Method::Get, same).as_ref(), Ok(&plain), "{same}");
    }
    assert!(plain.contains(r#"name: "@acme/tool""#), "{plain}");
    let tags = operation(Method::Get, "-/package/@acme%2ftool/dist-tags").expect("tags");
    assert_eq!(operation(Method::Get, "-/package/@acme/tool/dist-tags"), Ok(tags));
    let file = operation(Method::Get, "@acme%2ftool/-/tool-1.0.0.tgz").expect("a file");
    assert!(file.contains("@acme/tool/-/tool-1.0.0.tgz"), "{file}");
    assert_eq!(operation(Method::Get, "@acme/Tool/-/Tool-1.0.0.tgz"), Ok(file));
}

/// Elsewhere, names that differ in case may be two packages.
#[test]
fn names_of_other_servers_count_as_they_are_written() {
    let operation = |rest| Npm.parse(&Asked { as_written: true, ..Asked::plain(Method::Get, rest) });
    let package = |rest| match operation(rest).expect(rest) {
        Operation::Index(at, _) | Operation::Version(at, ..) => at.name,
        Operation::Fetch(path) => path.to_string(),
        Operation::Catalogue(search) => search.prefix,
        other => panic!("{rest}: {other:?}"),
    };
    for (rest, name) in [
        ("JSONStream", "JSONStream"),
        ("jsonstream", "jsonstream"),
        ("@Acme%2FTool", "@Acme/Tool"),
        ("JSONStream/1.0.0", "JSONStream"),
        ("-/package/JSONStream/dist-tags", "JSONStream"),
        ("-/package/@Acme%2ftool/dist-tags", "@Acme/tool"),
        ("-/npm/v1/attestations/JSONStream@1.0.0", "JSONStream"),
        ("JSONStream/-/JSONStream-1.0.0-Rc.1.tgz", "JSONStream/-/jsonstream-1.0.0-Rc.1.tgz"),
        ("JSONStream/-/jsonstream-1.0.0.tgz", "JSONStream/-/jsonstream-1.0.0.tgz"),
        ("jsonstream/-/JSONStream-1.0.0.tgz", "jsonstream/-/jsonstream-1.0.0.tgz"),
        ("@Acme/Tool/-/Tool-1.0.0.tgz", "@Acme/Tool/-/tool-1.0.0.tgz"),
    ] {
        assert_eq!(package(rest), name, "{rest}");
    }
    let search = Asked { as_written: true, query: "text=JSON", ..Asked::plain(Method::Get, "-/v1/search") };
    assert!(matches!(Npm.parse(&search), Ok(Operation::Catalogue(search)) if search.prefix == "JSON"));
    for wrong in ["JSONStream/-/other-1.0.0.tgz", "__proto__", "Node_modules", "A/B"] {
        assert!(!matches!(operation(wrong), Ok(Operation::Fetch(_) | Operation::Index(..))), "{wrong}");
    }
    let name = |text| model::PackageName::parse(text).expect("a name");
    assert_eq!((Npm.as_written(&name("@A/B")), Npm.normalise(&name("@A/B"))), ("@A/B".to_owned(), "@a/b".to_owned()));
}

#[test]
fn what_hides_a_separator_is_refused() {
    for hidden in [
        "@acme%252ftool",
        "@acme%2f..%2ftool",
        "@acme%2ftool%2fx",
        "tool%2f..",
        "tool/-/..%2f..%2fx.tgz",
        "@acme%5ctool",
        "@acme%2ftool/-/%2e%2e%2fx-1.0.0.tgz",
        "a%00b",
        "..",
        "@acme/..",
        "-/package/%2f/dist-tags",
        "a;/../b",
    ] {
        assert!(operation(Method::Get, hidden).is_err(), "{hidden}");
    }
}

#[test]
fn names_of_prototypes_and_files_are_no_packages() {
    for name in [
        "__proto__",
        "node_modules",
        "Favicon.ico",
        ".bin",
        "_x",
        "",
        "-",
        "a b",
        "ä",
        "@",
        "@/a",
        "@a/",
        "@a/_b",
        "@a/.b",
        "a/b",
        "@a/b/c",
        "a!b",
        &"a".repeat(215),
    ] {
        assert!(!is_name(name), "{name}");
    }
    for name in ["constructor", "hasOwnProperty", "a", "@a/b", "JSONStream", "a.b_c~d", "@a/node_modules", "0"] {
        assert!(is_name(name), "{name}");
    }
    assert_eq!(operation(Method::Get, "__proto__"), Err(ParseError::Unknown));
}

#[test]
fn what_the_public_registry_offers_beside_packages_is_told_apart_from_nothing() {
    let not_offered = operation(Method::Get, "-/package/tool/access");
    assert!(not_offered.as_ref().is_ok_and(|found| found.starts_with("Say")), "{not_offered:?}");
    for rest in ["-/stage", "-/stage/package/tool", "-/stage/package/@acme%2ftool", "-/_view/starredByUser", "-/org/x"]
    {
        assert_eq!(operation(Method::Get, rest), not_offered, "{rest}");
        assert_eq!(operation(Method::Post, rest), not_offered, "{rest}");
    }
}

#[test]
fn methods_are_the_registrys() {
    for (method, rest, allowed) in [
        (Method::Post, "tool", "GET, HEAD, PUT"),
        (Method::Get, "tool/-rev/1", "PUT, DELETE"),
        (Method::Get, "-/npm/v1/security/advisories/bulk", "POST"),
        (Method::Put, "tool/-/tool-1.0.0.tgz", "GET, HEAD"),
    ] {
        assert_eq!(operation(method, rest), Err(ParseError::Method(allowed)), "{rest}");
    }
    for unknown in ["-/all", "-/x", "-/npm", "-/package/a", "tool/-/other-1.0.0.tgz", "tool/1.0.0/x", "", "-"] {
        assert_eq!(operation(Method::Get, unknown), Err(ParseError::Unknown), "{unknown}");
    }
}

#[test]
fn an_archive_is_withdrawn_also_at_an_address_that_is_there_twice() {
    let at = |method, key: &str, rest| {
        let path = format!("/repository/{key}/{rest}");
        Npm.parse(&Asked { path: &path, ..Asked::plain(method, rest) }).map(|operation| format!("{operation:?}"))
    };
    let withdrawn = operation(Method::Delete, "@acme/tool/-/tool-1.0.0.tgz/-rev/1");
    assert!(withdrawn.is_ok(), "{withdrawn:?}");
    let twice = "repository/npm/@acme/tool/-/tool-1.0.0.tgz/-rev/1";
    assert_eq!(at(Method::Delete, "npm", twice), withdrawn);
    assert_eq!(at(Method::Delete, "other", twice), Err(ParseError::Unknown), "it is another repository's");
    assert!(at(Method::Put, "npm", twice).is_err());
}

#[test]
fn a_slash_too_many_is_no_part_of_a_service() {
    for rest in
        ["-/package/@acme%2ftool/visibility", "-/package/tool/visibility", "-/ping", "-/package/@acme%2ftool/dist-tags"]
    {
        let found = operation(Method::Get, &format!("/{rest}"));
        assert!(found.is_ok(), "{found:?}");
        assert_eq!(found, operation(Method::Get, rest));
    }
    for nothing in ["/tool", "/@acme%2ftool", "//-/ping", "/"] {
        assert!(operation(Method::Get, nothing).is_err(), "{nothing}");
    }
}

#[test]
fn the_short_packument_is_for_those_who_prefer_it() {
    for (accept, short) in [
        ("application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*", true),
        ("application/vnd.npm.install-v1+json", true),
        ("application/json", false),
        ("*/*", false),
        ("", false),
        ("application/json, application/vnd.npm.install-v1+json;q=0.5", false),
        ("application/vnd.npm.install-v1+json;q=0", false),
    ] {
        let asked = Asked { accept, ..Asked::plain(Method::Get, "tool") };
        let found = Npm.parse(&asked).expect("an index");
        assert_eq!(matches!(found, Operation::Index(_, ABBREVIATED)), short, "{accept}");
    }
}

#[test]
fn a_search_is_bounded() {
    let ask = |query| Npm.parse(&Asked { query, ..Asked::plain(Method::Get, "-/v1/search") });
    assert!(ask("text=Gre&size=250&from=5000").is_ok());
    for query in ["size=251", "from=5001", "size=9223372036854775808", "size=-1", "from=x"] {
        assert!(matches!(ask(query), Err(ParseError::Query(_))), "{query}");
    }
}

#[test]
fn versions_are_what_every_client_reads() {
    for (text, version) in [("1.0.0", "1.0.0"), ("v1.2.3", "1.2.3"), (" =1.2.3-rc.1+build ", "1.2.3-rc.1")] {
        assert_eq!(clean(text).as_deref(), Some(version), "{text}");
    }
    for text in
        ["1", "1.0", "", "01.0.0", "1.0.0-", "9007199254740992.0.0", "__proto__", "latest", "1.0.0/..", "1.0.0\n2"]
    {
        assert_eq!(clean(text), None, "{text}");
    }
    assert_eq!(version_of("@acme/tool", "tool-1.0.0-a.tgz"), Some("1.0.0-a"));
    assert_eq!(version_of("tool", "tools-1.0.0.tgz"), None);
    assert_eq!(version_of("a", "é-1.tgz"), None);
    assert_eq!(highest(["1.0.0", "10.0.0-a", "2.0.0"].into_iter()), Some("2.0.0"));
    assert_eq!(highest(["1.0.0-a", "1.0.0-b"].into_iter()), Some("1.0.0-b"));
}

#[test]
fn a_tag_is_no_version_and_no_range() {
    for good in ["latest", "next-11", "beta.1", "vnext", "_internal"] {
        assert!(tag(good).is_ok(), "{good}");
    }
    for bad in ["1.0.0", "v1", "1.x", "x", "*", "__proto__", "a/b", "", "^1", ">=2", "a b"] {
        assert!(tag(bad).is_err(), "{bad}");
    }
}
