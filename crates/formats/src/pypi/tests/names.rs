//! Names, versions, file names, addresses.

use super::super::names::{FileName, is_name, normal, release_of, version};
use super::super::{HTML, JSON, PLAIN_HTML, PROJECT, Pypi};
use crate::{Asked, Catalogue, Format as _, Method, Operation, PackageAt, ParseError};

#[test]
fn names_have_one_normal_form() {
    for name in ["Friendly-Bard", "FRIENDLY.BARD", "friendly_bard", "FrIeNdLy-._.-bArD"] {
        assert_eq!(normal(name), "friendly-bard");
        assert!(is_name(name));
    }
    let long = "a".repeat(201);
    for odd in ["", "-a", "a-", ".a", "a b", "a/b", "ä", "a\n", long.as_str()] {
        assert!(!is_name(odd), "{odd:?}");
    }
}

#[test]
fn spellings_of_a_version_are_one() {
    for (one, other) in [
        ("1.0", "1"),
        ("1.0", "1.0.0"),
        ("1.0", "v1.0"),
        ("1.0a1", "1.0-alpha.1"),
        ("1.0.post1", "1.0-1"),
        ("1.0+ubuntu.1", "1.0.0+Ubuntu-1"),
        ("1!2.0", "1!2"),
        ("0.0", "0"),
    ] {
        assert_eq!(release_of(one), release_of(other), "{one} {other}");
    }
    for (one, other) in [("1.0", "1.0+a"), ("1.0", "1.0.post0"), ("1.0", "1!1.0"), ("1.0", "1.0.dev0"), ("10", "1")] {
        assert_ne!(release_of(one), release_of(other), "{one} {other}");
    }
    let long = "1".repeat(201);
    for odd in ["", "one", "1.0-", "1..0", "1.0+", "1.0+a b", "٣.1", long.as_str()] {
        assert!(version(odd).is_none(), "{odd}");
    }
}

#[test]
fn file_names_say_what_a_file_is() {
    for (text, word, python) in [
        ("demo_lib-1.0-py3-none-any.whl", "bdist_wheel", "py3"),
        ("demo_lib-1.0-1a-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "bdist_wheel", "cp311"),
        ("demo_lib-1.0+local.1-py2.py3-none-any.whl", "bdist_wheel", "py2.py3"),
        ("demo_lib-1.0.tar.gz", "sdist", "source"),
        ("demo-lib-1.0.tar.gz", "sdist", "source"),
        ("Demo.Lib-1.0.zip", "sdist", "source"),
    ] {
        let found = FileName::parse(text).expect(text);
        assert_eq!((found.kind.word(), found.kind.python()), (word, python), "{text}");
        let stated = if text.contains("local") { "1.0+local.1" } else { "1.0" };
        assert!(found.names("demo-lib", &version(stated).expect("a version")), "{text}");
        assert!(!found.names("demo", &version("1.0").expect("a version")), "{text}");
    }
    for odd in [
        "",
        "demo_lib-1.0.egg",
        "demo_lib-1.0.exe",
        "demo_lib-1.0.tar.bz2",
        "demo_lib-1.0-py3-none-any.WHL",
        "demo_lib-1.0-none-any.whl",
        "demo_lib-1.0-x-py3-none-any.whl",
        "demo_lib-1.0-py3--any.whl",
        "demo_lib-one-py3-none-any.whl",
        "demo_lib-.tar.gz",
        "demo_lib.tar.gz",
        "../demo_lib-1.0.tar.gz",
        "a/demo_lib-1.0.tar.gz",
        "demo lib-1.0.tar.gz",
        ".demo-1.0.tar.gz",
        "demo-1.0.tar.gz\n",
    ] {
        assert!(FileName::parse(odd).is_err(), "{odd:?}");
    }
}

fn asked(method: Method, rest: &str, accept: &str) -> Result<String, ParseError> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let asked = Asked { accept, query, ..Asked::plain(method, rest) };
    Pypi.parse(&asked).map(|operation| format!("{operation:?}"))
}

#[test]
fn addresses_mean_what_clients_ask() {
    let at = PackageAt::named("demo-lib");
    let json = "application/vnd.pypi.simple.v1+json";
    let list =
        |view| Operation::Catalogue(Catalogue { view, prefix: "".into(), after: "".into(), limit: None, skip: 0 });
    for (rest, accept, operation) in [
        ("simple/", "", list(PLAIN_HTML)),
        ("simple/", json, list(JSON)),
        ("simple/demo-lib/", json, Operation::Index(at.clone(), JSON)),
        ("simple/demo-lib/", "*/*", Operation::Index(at.clone(), PLAIN_HTML)),
        ("simple/demo-lib/?format=application/vnd.pypi.simple.v1+html", json, Operation::Index(at.clone(), HTML)),
        ("pypi/Demo.Lib/json", "", Operation::Index(at.clone(), PROJECT)),
        ("Demo.Lib/json", "", Operation::Index(at.clone(), PROJECT)),
        ("simple/pypi/Demo.Lib/json", "", Operation::Index(at.clone(), PROJECT)),
        ("pypi/demo-lib/v1.0-alpha1/json", "", Operation::Version(at, "1.0a1".into(), PROJECT)),
    ] {
        assert_eq!(asked(Method::Get, rest, accept).as_deref(), Ok(format!("{operation:?}").as_str()), "{rest}");
    }
    let file = asked(Method::Head, "packages/demo-lib/1.0/demo_lib-1.0%2Ba-py3-none-any.whl.metadata", "");
    assert!(file.is_ok_and(|found| found.contains("demo_lib-1.0+a-py3-none-any.whl.metadata")));
    for (rest, there) in [
        ("", "\"simple/\""),
        ("simple", "\"simple/\""),
        ("simple/Demo_Lib", "\"demo-lib/\""),
        ("simple/demo-lib", "\"demo-lib/\""),
        ("simple/Demo_Lib/?x=1", "\"../demo-lib/?x=1\""),
    ] {
        let found = asked(Method::Get, rest, "").expect(rest);
        assert!(found.contains("status: 308") && found.contains(there), "{rest}: {found}");
    }
    assert!(asked(Method::Get, "simple/", "application/json").is_ok_and(|found| found.contains("status: 406")));
}

#[test]
fn other_addresses_and_methods_are_refused() {
    for unknown in ["simple/a b/", "simple/demo/x", "pypi/demo", "pypi/demo/one/json", "packages/a/b", "x", "simple//"]
    {
        assert_eq!(asked(Method::Get, unknown, ""), Err(ParseError::Unknown), "{unknown}");
    }
    for (method, rest, allowed) in [
        (Method::Post, "simple/", "GET, HEAD"),
        (Method::Put, "simple/demo/", "GET, HEAD"),
        (Method::Get, "legacy/", "POST"),
        (Method::Delete, "packages/demo/1.0/demo-1.0.tar.gz", "GET, HEAD"),
    ] {
        assert_eq!(asked(method, rest, ""), Err(ParseError::Method(allowed)), "{rest}");
    }
    assert!(matches!(asked(Method::Post, "legacy/", ""), Err(ParseError::Query(_))));
    for hostile in ["packages/../x/y", "packages/a/%2e%2e/y", "packages/a%2fb/c/d", "packages/a/b/%252e%252e"] {
        assert!(asked(Method::Get, hostile, "").is_err(), "{hostile}");
    }
    let form = Asked { content_type: "multipart/form-data; boundary=x", ..Asked::plain(Method::Post, "") };
    assert!(matches!(Pypi.parse(&form), Ok(Operation::Receive(_))));
}
