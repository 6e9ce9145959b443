//! Addresses, and what the go command is told.

mod archives;
mod remote;

use model::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::{Method, PackageAt};

const MODULE: &str = "example.com/Acme/tool";

fn operation(method: Method, rest: &str) -> Result<String, ParseError> {
    Go.parse(&Asked::plain(method, rest)).map(|operation| format!("{operation:?}"))
}

fn text(operation: Operation) -> Result<String, ParseError> {
    Ok(format!("{operation:?}"))
}

fn path(text: &str) -> EntryPath {
    EntryPath::parse(text).expect("a path")
}

#[test]
fn addresses_are_those_of_a_module_proxy() {
    let tool = || PackageAt::named(MODULE);
    let get = |rest: &str| operation(Method::Get, &format!("example.com/!acme/tool/{rest}"));
    assert_eq!(get("@v/list"), text(Operation::Index(tool(), LIST)));
    assert_eq!(get("@latest"), text(Operation::Index(tool(), LATEST)));
    assert_eq!(get("@v/v1.0.0-!r!c.1.info"), text(Operation::Version(tool(), "v1.0.0-RC.1".to_owned(), INFO)));
    assert_eq!(get("@v/main.info"), text(Operation::Version(tool(), "main".to_owned(), INFO)));
    assert_eq!(get("@v/v1.0.0.mod"), text(Operation::Fetch(path("example.com/!acme/tool/@v/v1.0.0.mod"))));
    assert_eq!(
        get("@v/v1.0.0-!r!c.1.zip"),
        text(Operation::Fetch(path("example.com/!acme/tool/@v/v1.0.0-!r!c.1.zip")))
    );
    let escaped = operation(Method::Get, "example.com/%21acme/tool/%40v/list");
    assert_eq!(escaped, get("@v/list"), "percent escapes mean the same");
    assert_eq!(operation(Method::Get, "sumdb/sum.example.org/supported"), text(Operation::Say(SUMDB)));
    assert!(
        operation(Method::Put, "example.com/!acme/tool/@v/v1.0.0.zip").is_ok_and(|found| found.starts_with("Receive"))
    );
}

#[test]
fn other_addresses_and_methods_are_refused() {
    for unknown in [
        "",
        "example.com/a",
        "example.com/a/@v/",
        "example.com/a/@v/v1.0.0",
        "example.com/a/@v/v1.0.0.txt",
        "example.com/a/@v/v1.0.zip",
        "example.com/a/@v/main.mod",
        "example.com/a/@v/v1.0.0+meta.zip",
        "example.com/a/@v/list/x",
        "@v/list",
    ] {
        assert_eq!(operation(Method::Get, unknown), Err(ParseError::Unknown), "{unknown}");
    }
    for malformed in [
        "example.com/Acme/@v/list",
        "example.com/a!/@v/list",
        "example.com/!A/@v/list",
        "a/@v/list",
        "/@v/list",
        "example.com/a/v1/@latest",
        "example.com/con/@v/list",
        "example.com/a/@v/v1.0.0-RC.info",
        "example.com/a/@v/x/@v/list",
        "example.com/%c3%a4/@v/list",
    ] {
        assert!(matches!(operation(Method::Get, malformed), Err(ParseError::Query(_))), "{malformed}");
    }
    for hostile in
        ["example.com/../@v/list", "example.com%2fa/@v/list", "example.com/%252e%252e/@v/list", "a.b/c;x/..;/@v/list"]
    {
        assert!(operation(Method::Get, hostile).is_err(), "{hostile}");
    }
    for (method, rest, allowed) in [
        (Method::Put, "example.com/a/@v/v1.0.0.mod", "GET, HEAD"),
        (Method::Put, "example.com/a/@v/list", "GET, HEAD"),
        (Method::Delete, "example.com/a/@v/v1.0.0.zip", "GET, HEAD, PUT"),
        (Method::Post, "example.com/a/@latest", "GET, HEAD"),
    ] {
        assert_eq!(operation(method, rest), Err(ParseError::Method(allowed)), "{rest}");
    }
}

#[test]
fn only_versions_that_fit_the_path_are_taken() {
    for good in [
        "example.com/a/@v/v1.0.0.zip",
        "example.com/a/v2/@v/v2.0.0.zip",
        "example.com/a/@v/v2.0.0+incompatible.zip",
        "gopkg.in/a.v3/@v/v3.0.0.zip",
        "example.com/a/@v/v0.0.0-20200101000000-abcdefabcdef.zip",
    ] {
        assert!(operation(Method::Put, good).is_ok(), "{good}");
    }
    for bad in [
        "example.com/a/@v/v1.zip",
        "example.com/a/@v/1.0.0.zip",
        "example.com/a/@v/v1.0.0+meta.zip",
        "example.com/a/@v/v2.0.0.zip",
        "example.com/a/v2/@v/v1.0.0.zip",
        "example.com/a/@v/main.zip",
        "example.com/a/v2/@v/v2.0.0+incompatible.zip",
        "example.com/a/@v/v1.0.0+incompatible.zip",
        "example.com/a/@v/v0.0.0-20209901000000-abcdefabcdef.zip",
        "example.com/a/@v/v1.0.0%0a.zip",
    ] {
        assert!(matches!(operation(Method::Put, bad), Err(ParseError::Query(_))), "{bad}");
    }
}

fn head(version: &str, second: i64) -> VersionHead {
    VersionHead {
        id: model::VersionId(Default::default()),
        version: version.to_owned(),
        published_at: Some(Timestamp(second * 1_000_000)),
        changed_at: Timestamp(second * 1_000_000),
        yanked: None,
        deprecated: None,
        unlisted: false,
    }
}

/// A document from versions and whether each has a `go.mod`.
fn document(view: View, versions: &[(&str, bool)], yanked: &[&str]) -> Option<String> {
    let mut heads: Vec<_> = versions.iter().zip(1..).map(|((version, _), second)| head(version, second)).collect();
    for head in &mut heads {
        head.yanked = yanked.contains(&head.version.as_str()).then(String::new);
    }
    let fragments: Vec<_> = versions.iter().map(|(_, own)| Some(Arc::from(vec![u8::from(*own)]))).collect();
    let head = Head {
        generation: 1,
        around: Vec::new(),
        namespace: String::new(),
        name: MODULE.to_owned(),
        display: MODULE.to_owned(),
        versions: heads,
        refs: Vec::new(),
    };
    let site = Site { base: "http://localhost/repository/go", auth_required: false, subject: None };
    Go.assemble(view, &head, &fragments, &site).map(|document| String::from_utf8(document.body).expect("text"))
}

fn latest_of(versions: &[(&str, bool)], yanked: &[&str]) -> Option<String> {
    let text = document(LATEST, versions, yanked)?;
    let info: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    info["Version"].as_str().map(str::to_owned)
}

const PSEUDO: (&str, bool) = ("v0.0.0-20200102030405-abcdefabcdef", true);

#[test]
fn the_list_is_in_order_and_without_revisions() {
    let versions =
        [("v1.10.0", true), ("v1.9.0", true), PSEUDO, ("v1.10.0-rc.1", true), ("v2.0.0+incompatible", false)];
    let list = document(LIST, &versions, &[]);
    assert_eq!(list.as_deref(), Some("v1.9.0\nv1.10.0-rc.1\nv1.10.0\nv2.0.0+incompatible\n"));
    assert_eq!(
        document(LIST, &versions, &["v1.9.0", "v1.10.0"]).as_deref(),
        Some("v1.10.0-rc.1\nv2.0.0+incompatible\n")
    );
    assert_eq!(document(LIST, &[PSEUDO], &[]).as_deref(), Some(""));
    assert_eq!(document(LIST, &[], &[]), None);
}

#[test]
fn releases_are_latest_before_what_precedes_them() {
    let latest = |versions: &[(&str, bool)]| latest_of(versions, &[]);
    assert_eq!(latest(&[("v1.0.0", true), ("v1.1.0-rc.1", true), PSEUDO]).as_deref(), Some("v1.0.0"));
    assert_eq!(latest(&[("v0.1.0-a", true), PSEUDO]).as_deref(), Some("v0.1.0-a"));
    let young = ("v0.0.0-20210102030405-abcdefabcdef", true);
    assert_eq!(latest(&[young, PSEUDO]).as_deref(), Some(young.0));
    assert_eq!(latest(&[("v1.0.0", true), ("v2.0.0+incompatible", false)]).as_deref(), Some("v1.0.0"));
    assert_eq!(latest(&[("v1.0.0", false), ("v2.0.0+incompatible", false)]).as_deref(), Some("v2.0.0+incompatible"));
    assert_eq!(latest_of(&[("v1.0.0", true), ("v1.1.0", true)], &["v1.1.0"]).as_deref(), Some("v1.0.0"));
    assert_eq!(latest_of(&[("v1.0.0", true)], &["v1.0.0"]), None);
    assert_eq!(latest(&[]), None);
}

#[test]
fn the_time_is_that_of_the_publishing_or_of_the_revision() {
    let told = |version| document(LATEST, &[(version, true)], &[]);
    assert_eq!(told("v1.0.0").as_deref(), Some(r#"{"Time":"1970-01-01T00:00:01Z","Version":"v1.0.0"}"#));
    let revision = r#"{"Time":"2020-01-02T03:04:05Z","Version":"v0.0.0-20200102030405-abcdefabcdef"}"#;
    assert_eq!(told(PSEUDO.0).as_deref(), Some(revision));
}

proptest! {
    #[test]
    fn addresses_never_panic_and_lead_to_small_letters(rest in "[a-zA-Z0-9.!%@/v+-]{0,40}|example.com/[a-zA-Z!/]{0,9}/@v/v1.0.0(-[A-Z!a-z]{1,3})?.(zip|mod|info)") {
        if let Ok(Operation::Fetch(path)) = Go.parse(&Asked::plain(Method::Get, &rest)) {
            prop_assert!(!path.as_str().bytes().any(|byte| byte.is_ascii_uppercase()));
        }
    }
}
