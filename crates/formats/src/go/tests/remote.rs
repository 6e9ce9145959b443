//! Proxies of others: lists, versions, and what they cannot mean.

use super::*;
use crate::told::{SITE, facts, head, index, said};
use crate::{Direct, Origin, Unreadable, Wanting};

const MODULE: &str = "example.com/Acme/tool";
const FROM: &str = "https://proxy.example/x";

fn at() -> PackageAt {
    PackageAt::named(MODULE)
}

fn read(wanted: Wanting<'_>, answers: &[Option<&str>]) -> Result<Option<crate::Known>, Unreadable> {
    let answers: Vec<_> = answers.iter().map(|text| text.map(|text| said(text.as_bytes(), "", FROM))).collect();
    Go.read(&at(), wanted, &answers)
}

fn all(list: Option<&str>, latest: Option<&str>) -> crate::Known {
    read(Wanting::All, &[list, latest]).expect("readable").expect("a module")
}

fn names(known: &crate::Known) -> Vec<&str> {
    known.versions.iter().map(|one| one.version.as_str()).collect()
}

fn shown(known: &crate::Known, view: View) -> Option<String> {
    index(&Go, &at(), known, view).map(|document| String::from_utf8(document.body).expect("text"))
}

#[test]
fn questions_are_those_of_the_go_command() {
    let asks = |wanted| Go.asks(&at(), wanted).into_iter().map(|ask| ask.target).collect::<Vec<_>>();
    assert_eq!(asks(Wanting::All), ["example.com/%21acme/tool/@v/list", "example.com/%21acme/tool/@latest"]);
    for (wanted, file) in [
        ("v1.0.0-RC.1", "@v/v1.0.0-%21r%21c.1.info"),
        ("v2.0.0+incompatible", "@v/v2.0.0+incompatible.info"),
        ("main", "@v/main.info"),
        ("feature/x", "@v/feature%2Fx.info"),
        ("../../x?y#z", "@v/..%2F..%2Fx%3Fy%23z.info"),
        ("latest", "@latest"),
    ] {
        assert_eq!(asks(Wanting::One(wanted)), [format!("example.com/%21acme/tool/{file}")]);
    }
    assert!(asks(Wanting::Part("x")).is_empty());
}

#[test]
fn every_file_has_an_address_of_its_own() {
    let origin = |text: &str| Go.origin(&path(text));
    for (version, kind) in [
        ("v1.2.3", ".zip"),
        ("v1.0.0-RC.1", ".mod"),
        ("v0.0.0-20200102030405-abcdefabcdef", ".zip"),
        ("v2.0.0+incompatible", ".mod"),
    ] {
        let location = location(MODULE, version, kind).expect("a path");
        let Some(Origin::Direct(direct)) = origin(location.as_str()) else { panic!("{location}") };
        let target = location.as_str().replace('!', "%21");
        let name = VersionName::parse(version).expect("a version");
        let expected = Direct {
            ask: crate::Ask { target, accept: "" },
            package: at(),
            display: MODULE.to_owned(),
            version: name,
            path: path(&format!("{version}{kind}")),
            sha256: None,
            checksums: Vec::new(),
        };
        assert_eq!(*direct, expected);
        let name = PackageName::parse(MODULE).expect("a name");
        assert_eq!(Go.location(&name, &expected.version, &expected.path), Ok(location));
    }
    for none in [
        "example.com/Acme/tool/@v/v1.0.0.zip",
        "example.com/tool/@v/v1.0.0.info",
        "example.com/tool/@v/list",
        "example.com/tool/@v/main.zip",
        "example.com/tool/@v/v2.0.0.zip",
        "example.com/.c/@v/v1.0.0.zip",
        "tool/@v/v1.0.0.zip",
        "example.com/a/@v/b/@v/v1.0.0.zip",
        "v1.0.0.zip",
    ] {
        assert_eq!(origin(none), None, "{none}");
    }
}

#[test]
fn a_list_and_the_latest_version_say_what_there_is() {
    let latest = r#"{"Version":"v1.9.0","Time":"2024-01-02T03:04:05+01:00","Origin":{"VCS":"git"}}"#;
    let known = all(Some("v1.10.0-rc.1\r\nv1.9.0\nv1.0.0 2019-01-01T00:00:00Z\nv1.9.0\n"), Some(latest));
    assert_eq!(names(&known), ["v1.10.0-rc.1", "v1.9.0", "v1.0.0"]);
    let times: Vec<_> = known.versions.iter().map(|one| one.published_at).collect();
    assert_eq!(times, [None, Timestamp::parse("2024-01-02T02:04:05Z"), Timestamp::parse("2019-01-01T00:00:00Z")]);
    assert_eq!(shown(&known, LIST).as_deref(), Some("v1.0.0\nv1.9.0\nv1.10.0-rc.1\n"));
    assert_eq!(shown(&known, LATEST).as_deref(), Some(r#"{"Time":"2024-01-02T02:04:05Z","Version":"v1.9.0"}"#));
    let files: Vec<_> = known.versions[1].files.iter().map(|file| (file.path.as_str(), file.target.as_str())).collect();
    let there = "example.com/%21acme/tool/@v/v1.9.0";
    assert_eq!(files, [("v1.9.0.zip", &*format!("{there}.zip")), ("v1.9.0.mod", &*format!("{there}.mod"))]);
}

#[test]
fn what_the_upstream_calls_the_latest_is_the_latest() {
    // All of v1 is retracted there: no list says so.
    let known = all(Some("v0.9.0\nv1.0.0\n"), Some(r#"{"Version":"v0.9.0"}"#));
    assert_eq!(shown(&known, LATEST).as_deref(), Some(r#"{"Version":"v0.9.0"}"#));
    let without = all(Some("v0.9.0\nv1.0.0\n"), None);
    assert_eq!(shown(&without, LATEST).as_deref(), Some(r#"{"Version":"v1.0.0"}"#));
    // Where it may not be shown, the best of the rest is.
    let mut yanked = known;
    yanked.versions[0].yanked = Some(String::new());
    assert_eq!(shown(&yanked, LATEST).as_deref(), Some(r#"{"Version":"v1.0.0"}"#));
}

#[test]
fn a_module_without_releases_has_its_youngest_revision() {
    let latest = r#"{"Version":"v0.0.0-20200102030405-abcdefabcdef","Time":"2020-01-02T03:04:05Z"}"#;
    for list in [Some(""), Some("\n"), None] {
        let known = all(list, Some(latest));
        assert_eq!(shown(&known, LIST).as_deref(), Some(""));
        assert_eq!(shown(&known, LATEST).map(|text| text.contains("v0.0.0-2020")), Some(true));
        assert_eq!(known.versions[0].published_at, Timestamp::parse("2020-01-02T03:04:05Z"));
    }
    assert_eq!(read(Wanting::All, &[None, None]), Ok(None));
    assert_eq!(shown(&all(Some(""), None), LIST), None);
    // Where the upstream names no latest version, as folders of files do, its list has to.
    let (old, young) = ("v0.0.0-20200102030405-abcdefabcdef", "v0.0.0-20210102030405-0123456789ab");
    for list in
        [format!("{old}\n{young}\n"), format!("{young}\n{old}\n"), format!("{young} 2021-01-02T03:04:05Z\n{old}")]
    {
        let known = all(Some(&list), None);
        assert_eq!((names(&known), shown(&known, LIST).as_deref()), (vec![young], Some("")));
        assert_eq!(shown(&known, LATEST), Some(format!(r#"{{"Time":"2021-01-02T03:04:05Z","Version":"{young}"}}"#)));
    }
    assert_eq!(names(&all(Some(&format!("{young}\nv0.1.0\n")), None)), ["v0.1.0"]);
}

#[test]
fn lines_that_are_no_versions_of_the_module_are_left_out() {
    let garbage = "v1.0.0\n\nv1\nmain\n../../etc/passwd\nv1.0.0+meta\nv2.0.0\nv2.0.0+incompatible\n\u{0}\nv0.0.0-20200102030405-abcdefabcdef\n";
    assert_eq!(names(&all(Some(garbage), None)), ["v1.0.0", "v2.0.0+incompatible"]);
    for odd in ["<html>", "not found\n", "{}", "404: no such module\nmore", "1.0.0\n2.0.0\n"] {
        assert!(read(Wanting::All, &[Some(odd), None]).is_err(), "{odd}");
    }
    let binary = said(b"v1.0.0\n\xff", "", FROM);
    assert!(Go.read(&at(), Wanting::All, &[Some(binary), None]).is_err());
    let many: String = (0..=50_000).map(|n| format!("v1.0.{n}\n")).collect();
    assert!(read(Wanting::All, &[Some(&many), None]).is_err());
}

#[test]
fn one_version_is_asked_for_by_any_name() {
    let info = r#"{"Version":"v1.2.3","Time":"2024-01-02T03:04:05Z"}"#;
    let one = |wanted, body| read(Wanting::One(wanted), &[Some(body)]);
    let known = one("v1.2.3", info).expect("readable").expect("a version");
    assert_eq!((names(&known), known.refs.len()), (vec!["v1.2.3"], 0));
    let document = Go.version(INFO, &head(&at(), &known), &facts(&known.versions[0]), &SITE).expect("a document");
    assert_eq!(document.body, br#"{"Time":"2024-01-02T03:04:05Z","Version":"v1.2.3"}"#);
    let pseudo = r#"{"Version":"v1.2.4-0.20240102030405-abcdefabcdef","Time":"2024-01-02T03:04:05Z"}"#;
    for by in ["main", "abcdef", "v1.2", "v1", "latest"] {
        let known = one(by, pseudo).expect("readable").expect("a version");
        assert_eq!(known.refs, [(by.to_owned(), "v1.2.4-0.20240102030405-abcdefabcdef".to_owned())]);
    }
    // A tag that modules of this path cannot have is the version that stands for it.
    assert!(one("v2.0.0", r#"{"Version":"v2.0.0+incompatible"}"#).is_ok_and(|known| known.is_some()));
    assert_eq!(read(Wanting::One("v1.2.3"), &[None]), Ok(None));
    let unknown = one("v1.2.3", r#"{"Version":"v1.2.3","Time":"0001-01-01T00:00:00Z"}"#);
    assert_eq!(unknown.expect("readable").expect("a version").versions[0].published_at, None);
}

#[test]
fn answers_on_a_version_that_lie_are_failures() {
    let deep = "[".repeat(100_000);
    for (wanted, body) in [
        ("v1.2.3", r#"{"Version":"v1.2.4"}"#),
        ("v1.2.3", r#"{"Version":"v1.2.3-0.20240102030405-abcdefabcdef"}"#),
        ("main", r#"{"Version":"main"}"#),
        ("main", r#"{"Version":"v2.0.0"}"#),
        ("main", r#"{"Version":"v1.0.0+meta"}"#),
        ("main", r#"{"Version":"../v1.0.0"}"#),
        ("main", r#"{"Version":""}"#),
        ("main", r#"{"version":"v1.0.0"}"#),
        ("main", r#"{"Version":"v1.0.0","Version":"v1.0.1"}"#),
        ("main", "v1.0.0"),
        ("main", "<html>"),
        ("main", ""),
        ("main", deep.as_str()),
    ] {
        assert!(read(Wanting::One(wanted), &[Some(body)]).is_err(), "{wanted} {}", body.get(..60).unwrap_or(body));
    }
    for latest in ["<html>", r#"{"Version":"main"}"#, "{}"] {
        assert!(read(Wanting::All, &[Some("v1.0.0\n"), Some(latest)]).is_err(), "{latest}");
    }
}

proptest! {
    #[test]
    fn our_own_documents_are_read_as_they_were_told(versions in prop::collection::btree_set("v[01]\\.[0-9]\\.[0-9](-rc\\.[0-9])?", 1..9)) {
        let list: String = versions.iter().map(|version| format!("{version}\n")).collect();
        let told = all(Some(&list), None);
        let (list, latest) = (shown(&told, LIST), shown(&told, LATEST));
        let mut found = all(list.as_deref(), latest.as_deref());
        prop_assert_eq!(shown(&found, LIST), list);
        prop_assert_eq!(shown(&found, LATEST), latest);
        found.versions.sort_by(|a, b| a.version.cmp(&b.version));
        prop_assert_eq!(found.versions, told.versions);
    }

    #[test]
    fn reading_never_panics(text in "(v1\\.0\\.0|\\PC|[\n\r \u{0}{}\":+-]|Version|Time){0,30}") {
        let _ = read(Wanting::All, &[Some(&text), Some(&text)]);
        let _ = read(Wanting::One(&text), &[Some(&text)]);
    }
}
