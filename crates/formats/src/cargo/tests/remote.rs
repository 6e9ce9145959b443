//! What other registries say, and what none should say.

use std::sync::Arc;

use model::{EntryPath, Sha256Digest, Timestamp};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::address::index_path;
use super::super::*;
use crate::{Known, KnownVersion, Method, Origin, PackageAt, Said, Unreadable, Upstream, VersionHead, Wanting};

const SITE: Site<'static> = Site { base: "https://ours.example/repository/rs", auth_required: false, subject: None };
const DL: &str = r#"{"dl":"https://there.example/crates","api":"https://there.example","auth-required":true}"#;
const SUM: &str = "0707070707070707070707070707070707070707070707070707070707070707";

fn said(body: &str) -> Option<Said<'_>> {
    let address = "https://index.example/se/rd/serde-json";
    Some(Said { body: body.as_bytes(), media_type: "", address, changed_at: None })
}

fn ask(name: &str, config: &str, index: &str) -> Result<Option<Known>, Unreadable> {
    Cargo.read(&PackageAt::named(name), Wanting::All, &[said(config), said(index)])
}

fn read(index: &str) -> Result<Vec<KnownVersion>, Unreadable> {
    ask("tool", DL, index).map(|known| known.expect("a crate").versions)
}

/// A line of the crate `tool`, of which this is said too.
fn line(version: &str, more: Json) -> String {
    let mut line = json!({"name": "tool", "vers": version, "deps": [], "cksum": SUM, "features": {}, "yanked": false});
    line.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    line.to_string()
}

fn names(versions: &[KnownVersion]) -> Vec<&str> {
    versions.iter().map(|known| known.version.as_str()).collect()
}

fn rendered(head: &Head, facts: &[VersionFacts]) -> Vec<Json> {
    let lines: Vec<_> = facts.iter().map(|one| Cargo.fragment(INDEX, one, &SITE).map(Arc::from)).collect();
    let body = Cargo.assemble(INDEX, head, &lines, &SITE).expect("an index").body;
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| model::json::from_slice(line).expect("JSON")).collect()
}

fn render(known: Known) -> Vec<Json> {
    let (head, facts) = known.facts(&PackageAt::named("tool"), 3, Timestamp(0));
    rendered(&head, &facts)
}

#[test]
fn the_configuration_and_one_index_file_are_asked_for() {
    let targets = |name: &str| {
        let asks = Cargo.asks(&PackageAt::named(name), Wanting::All);
        asks.into_iter().map(|ask| ask.target).collect::<Vec<_>>()
    };
    assert_eq!(targets("tool"), ["config.json", "to/ol/tool"]);
    assert_eq!(targets("serde_json"), ["config.json", "se/rd/serde_json"]);
    assert_eq!(targets("a-b_c"), ["config.json", "a-/b_/a-b_c"]);
    for odd in ["", "../x", "a/b", "\u{e9}"] {
        assert_eq!(targets(odd), [""; 0], "{odd}");
    }
}

#[test]
fn lines_become_our_lines() {
    let dependencies = json!([
        {"name": "serde", "req": "^1", "features": ["derive"], "optional": false, "default_features": true,
            "target": "cfg(unix)", "kind": "normal", "registry": null, "package": null, "public": true},
        {"name": "other", "req": "*", "features": [], "optional": true, "default_features": false, "target": null,
            "kind": "dev", "registry": "https://elsewhere.example/index", "package": "real"},
    ]);
    let first = line("1.0.0", json!({"deps": dependencies, "pubtime": "2020-01-02T03:04:05Z", "links": "z"}));
    let second =
        line("2.0.0+b", json!({"v": 2, "features2": {"x": ["dep:serde"]}, "rust_version": "1.70", "yanked": true}));
    let third = line("3.0.0", json!({"v": 99, "deps": {"new": "shape"}, "unknown": [1]}));
    let index = format!("{first}\n{second}\r\n\n  {third}");
    let known = ask("tool", DL, &index).expect("an answer").expect("a crate");
    assert_eq!((known.display.as_str(), names(&known.versions)), ("tool", vec!["1.0.0", "2.0.0+b", "3.0.0"]));
    let (one, file) = (&known.versions[0], &known.versions[0].files[0]);
    let time = Timestamp::parse("2020-01-02T03:04:05Z");
    assert_eq!((one.published_at, file.published_at, known.versions[1].published_at), (time, time, None));
    assert_eq!((file.path.as_str(), file.location.as_str()), ("tool-1.0.0.crate", "dl/tool/1.0.0/download"));
    assert_eq!(file.sha256, Some(Sha256Digest([7; 32])));
    assert_eq!(known.versions[1].files[0].target, "https://there.example/crates/tool/2.0.0+b/download");
    assert_eq!((&one.yanked, &known.versions[1].yanked), (&None, &Some(String::new())));
    let lines: Vec<Json> =
        [first, second, third].iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(render(known), lines);
}

#[test]
fn crates_are_where_the_configuration_says() {
    for (dl, target) in [
        (
            "https://s.example/crates/{crate}/{crate}-{version}.crate",
            "https://s.example/crates/Tool_x/Tool_x-1.0.0.crate",
        ),
        ("https://s.example/{prefix}/{lowerprefix}/x", "https://s.example/To/ol/to/ol/x"),
        ("https://s.example/{sha256-checksum}?v={version}", &format!("https://s.example/{SUM}?v=1.0.0")),
        ("https://s.example/api/v1/crates", "https://s.example/api/v1/crates/Tool_x/1.0.0/download"),
        ("http://s.example:8080/{other}", "http://s.example:8080/%7Bother%7D/Tool_x/1.0.0/download"),
        ("http://index.example/dl", "https://index.example/dl/Tool_x/1.0.0/download"),
    ] {
        let index = line("1.0.0", json!({"name": "Tool_x"}));
        let known = ask("tool_x", &json!({"dl": dl}).to_string(), &index).expect("an answer").expect("a crate");
        let file = &known.versions[0].files[0];
        assert_eq!((file.target.as_str(), known.display.as_str()), (target, "Tool_x"), "{dl}");
        assert_eq!((file.path.as_str(), file.location.as_str()), ("Tool_x-1.0.0.crate", "dl/tool_x/1.0.0/download"));
        assert_eq!(Cargo.origin(&file.location), Some(Origin::Listed(PackageAt::named("tool_x"))));
    }
    let index = line("1.0.0", json!({}));
    for (what, config) in [
        ("a file", r#"{"dl":"file:///crates"}"#),
        ("a script", r#"{"dl":"javascript:x"}"#),
        ("a password", r#"{"dl":"https://user:secret@there.example/"}"#),
        ("a number", r#"{"dl":7}"#),
        ("nothing", "{}"),
        ("two", r#"{"dl":"https://a.example","dl":"https://b.example"}"#),
        ("a page", "<html></html>"),
        ("a list", "[]"),
        ("no text", ""),
    ] {
        assert!(ask("tool", config, &index).is_err(), "{what}");
    }
}

#[test]
fn no_configuration_is_no_registry_and_no_index_is_no_crate() {
    let at = PackageAt::named("tool");
    let index = line("1.0.0", json!({}));
    assert!(Cargo.read(&at, Wanting::All, &[None, said(&index)]).is_err());
    assert!(Cargo.read(&at, Wanting::All, &[None, None]).is_err());
    assert_eq!(Cargo.read(&at, Wanting::All, &[said(DL), None]), Ok(None));
    assert_eq!(Cargo.read(&at, Wanting::All, &[]), Ok(None));
}

/// A registry like ours, to which both are one, answers with the crate's own name.
#[test]
fn a_crate_may_answer_to_another_spelling() {
    for (asked, name) in [("a-b", "a_b"), ("a_b", "A-B"), ("a_b", "a_b")] {
        let known = ask(asked, DL, &line("1.0.0", json!({"name": name}))).expect("an answer").expect("a crate");
        let file = &known.versions[0].files[0];
        assert_eq!((known.display.as_str(), file.location.as_str()), (name, &*format!("dl/{asked}/1.0.0/download")));
        assert_eq!(Cargo.origin(&file.location), Some(Origin::Listed(PackageAt::named(asked))));
    }
}

/// Where an address leads in a repository whose crates are another server's.
fn led(rest: &str) -> Operation {
    Cargo.parse(&Asked { as_written: true, ..Asked::plain(Method::Get, rest) }).expect("an operation")
}

fn package(rest: &str) -> PackageAt {
    match led(rest) {
        Operation::Index(at, _) | Operation::Writers(at, _) => at,
        other => panic!("{rest}: {other:?}"),
    }
}

#[test]
fn names_of_other_servers_count_as_they_are_written() {
    for (rest, name) in [
        ("se/rd/serde_json", "serde_json"),
        ("se/rd/serde-json", "serde-json"),
        ("in/fl/inflector", "inflector"),
        ("api/v1/crates/Serde_Json/owners", "serde_json"),
    ] {
        assert_eq!(package(rest).name, name, "{rest}");
    }
    for rest in ["dl/Serde_Json/1.0.0/download", "api/v1/crates/serde_json/1.0.0/download"] {
        assert!(matches!(led(rest), Operation::Fetch(path) if path.as_str() == "dl/serde_json/1.0.0/download"));
    }
    let search = Asked { as_written: true, query: "q=Serde_", ..Asked::plain(Method::Get, "api/v1/crates") };
    assert!(matches!(Cargo.parse(&search), Ok(Operation::Catalogue(search)) if search.prefix == "serde_"));
    let (name, written) = (PackageName::parse("Serde_Json").expect("a name"), "serde_json".to_owned());
    assert_eq!((Cargo.as_written(&name), Cargo.normalise(&name)), (written, "serde-json".to_owned()));
}

/// Cargo makes the address of a crate of our configuration and of the name in the line.
#[track_caller]
fn expect_found(name: &str, version: &str) {
    let at = package(&index_path(name));
    let known = ask(&at.name, DL, &line(version, json!({"name": name}))).expect("an answer").expect("a crate");
    let location = known.versions[0].files[0].location.clone();
    assert_eq!(Cargo.origin(&location), Some(Origin::Listed(at.clone())));
    let (head, facts) = known.facts(&at, 1, Timestamp(0));
    let lines = rendered(&head, &facts);
    let config: Json = model::json::from_slice(&Cargo.say(CONFIG, &SITE).expect("an answer").body).expect("JSON");
    let dl = config["dl"].as_str().and_then(|dl| dl.strip_prefix(SITE.base)?.strip_prefix('/')).expect("ours");
    let asked = format!("{dl}/{}/{version}/download", lines[0]["name"].as_str().expect("a name"));
    for rest in [asked.as_str(), location.as_str()] {
        assert!(matches!(led(rest), Operation::Fetch(path) if path == location), "{rest}");
    }
}

#[test]
fn downloads_are_where_the_index_says() {
    for name in ["Inflector", "serde_json", "serde-json", "a", "R2D2_a-B"] {
        expect_found(name, "1.0.0");
    }
}

/// What Cargo passes over, and what cannot be named.
#[test]
fn lines_that_are_passed_over() {
    let good = line("1.0.0", json!({}));
    for (what, odd) in [
        ("no object", "null".to_owned()),
        ("a list", "[]".to_owned()),
        ("an error", r#"{"errors":[{"detail":"x"}]}"#.to_owned()),
        ("no version", r#"{"name":"tool"}"#.to_owned()),
        ("a number", line("1", json!({"vers": 1}))),
        ("no semantic version", line("1.0", json!({}))),
        ("a version that climbs", line("../../1.0.0", json!({}))),
        ("a version with a folder", line("1.0.0/../x", json!({}))),
        ("a marker", line("{sha256-checksum}", json!({}))),
        ("a huge number", line("99999999999999999999.0.0", json!({}))),
        ("a version without end", line(&format!("1.0.0-{}", "a".repeat(300)), json!({}))),
        ("a checksum of the future", line("2.0.0", json!({"v": 3, "cksum": "sha3:00"}))),
    ] {
        assert_eq!(
            read(&format!("{odd}\n{good}")).map(|known| names(&known).join(" ")),
            Ok("1.0.0".to_owned()),
            "{what}"
        );
        assert!(read(&odd).is_err(), "nothing is left: {what}");
    }
    let twice = format!("{}\n{good}\n{}", line("1.0.0", json!({"yanked": true})), line("1.0.0+twin", json!({})));
    let twice = read(&twice).expect("lines");
    assert_eq!((names(&twice), &twice[0].yanked), (vec!["1.0.0", "1.0.0+twin"], &None), "the last one counts");
}

#[test]
fn answers_that_are_no_index_are_failures() {
    let good = line("1.0.0", json!({}));
    let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for (what, body) in [
        ("nothing", String::new()),
        ("empty lines", "\n\r\n\n".to_owned()),
        ("a page", "<!DOCTYPE html>\n<html></html>".to_owned()),
        ("half a line", format!("{good}\n{}", &good[..good.len() / 2])),
        ("a byte order mark", format!("\u{feff}{good}")),
        ("another crate", line("1.0.0", json!({"name": "other"}))),
        ("a name that climbs", line("1.0.0", json!({"name": "../tool"}))),
        ("a marker for a name", line("1.0.0", json!({"name": "{version}"}))),
        ("a short checksum", line("1.0.0", json!({"cksum": "00"}))),
        ("a long checksum", line("1.0.0", json!({"cksum": format!("{SUM}00")}))),
        ("a checksum with its algorithm", line("1.0.0", json!({"cksum": format!("sha256:{SUM}")}))),
        ("a checksum in capitals", line("1.0.0", json!({"cksum": "AB".repeat(32)}))),
        ("no checksum", line("1.0.0", json!({"cksum": null}))),
        ("a checksum that is a number", line("1.0.0", json!({"cksum": 1, "v": 2}))),
        ("perhaps yanked", line("1.0.0", json!({"yanked": "no"}))),
        ("a key twice", good.replacen('{', "{\"yanked\":true,", 1)),
        ("a key twice, deep", line("1.0.0", json!({"deps": "X"})).replace("\"X\"", "[{\"a\":1,\"a\":2}]")),
        ("a prototype", line("1.0.0", json!({"features": {"__proto__": []}}))),
        ("half a character", line("1.0.0", json!({"links": "X"})).replace('X', "\\ud800")),
        ("a number without end", line("1.0.0", json!({"links": "X"})).replace("\"X\"", "1e999")),
        ("nesting", line("1.0.0", json!({"deps": "X"})).replace("\"X\"", &nested)),
        ("nesting alone", nested.clone()),
        ("a line without end", line("1.0.0", json!({"x": "x".repeat(5 << 20)}))),
    ] {
        let why = read(&body).expect_err(what).0;
        assert!(why.len() < 200 && !why.contains("tool"), "{what}: {why}");
    }
    let latin = [good.as_bytes(), b"\n\"\xe9\""].concat();
    let said = [said(DL), Some(Said { body: &latin, media_type: "", address: "https://a.example/", changed_at: None })];
    assert!(Cargo.read(&PackageAt::named("tool"), Wanting::All, &said).is_err(), "not UTF-8");
    let long = line("1.0.0", json!({"x": "x".repeat(1 << 20)}));
    assert_eq!(read(&long).map(|known| known.len()), Ok(1), "a long line is a line");
    assert!(read(&"1\n".repeat(100_001)).expect_err("too many").0.contains("100000"));
    let (time, known) = (json!({"pubtime": "yesterday"}), |more| read(&line("1.0.0", more)).expect("a line"));
    assert_eq!(known(time)[0].published_at, None);
}

#[test]
fn only_crates_come_from_there() {
    let origin = |path: &str| Cargo.origin(&EntryPath::parse(path).expect("a path"));
    assert_eq!(origin("dl/a-b/1.0.0+x/download"), Some(Origin::Listed(PackageAt::named("a-b"))));
    assert_eq!(origin("dl/a_b/1.0.0/download"), Some(Origin::Listed(PackageAt::named("a_b"))));
    for path in [
        "config.json",
        "dl/A/1.0.0/download",
        "dl/a/1.0/download",
        "dl/a/1.0.0",
        "dl/a/1.0.0/x/download",
        "a/1.0.0/download",
    ] {
        assert_eq!(origin(path), None, "{path}");
    }
}

proptest! {
    #[test]
    fn downloads_of_any_name_are_where_the_index_says(
        name in "[A-Za-z][A-Za-z0-9_-]{0,8}", version in "[0-9]\\.[0-9]\\.[0-9](-[A-Za-z]{1,3}\\.[0-9])?(\\+[a-z])?",
    ) {
        prop_assume!(EntryPath::parse(&name).is_ok());
        expect_found(&name, &version);
    }

    /// One of us as the upstream of another: what is read back renders the same lines.
    #[test]
    fn what_we_say_reads_back_as_the_same_facts(
        versions in prop::collection::btree_map("[0-9]\\.[0-9]\\.[0-9](-rc\\.[0-9])?(\\+b)?",
            (any::<bool>(), 0i64..2_000_000_000, any::<[u8; 32]>()), 1..6),
    ) {
        let facts: Vec<VersionFacts> = versions.iter().map(|(version, (yanked, seconds, sum))| {
            let at = Timestamp(seconds * 1_000_000);
            let head = VersionHead {
                id: model::VersionId(Default::default()),
                version: version.clone(),
                published_at: Some(at),
                changed_at: at,
                yanked: yanked.then(|| "bad".to_owned()),
                deprecated: None,
                unlisted: false,
            };
            let index = json!({"name": "Tool", "vers": version, "cksum": Sha256Digest(*sum).hex(), "links": null,
                "deps": [{"name": "a", "req": "^1", "registry": null}], "features": {"x": ["y"]}});
            let manifest = json!({"index": index, "description": "d", "published": {"readme": "r"}}).to_string();
            VersionFacts { head, manifest, files: Vec::new() }
        }).collect();
        let head = Head {
            namespace: String::new(),
            name: "tool".to_owned(),
            display: "Tool".to_owned(),
            generation: 3,
            versions: facts.iter().map(|one| one.head.clone()).collect(),
            refs: Vec::new(),
            around: Vec::new(),
        };
        let ours = rendered(&head, &facts);
        let index: String = ours.iter().map(|line| format!("{line}\n")).collect();
        let config = Cargo.say(CONFIG, &SITE).expect("an answer").body;
        let config = String::from_utf8(config).expect("text");
        let known = ask("tool", &config, &index).expect("an answer").expect("a crate");
        prop_assert_eq!(&known.display, "Tool");
        for (known, facts) in known.versions.iter().zip(&facts) {
            let (_, _, sum) = &versions[&facts.head.version];
            prop_assert_eq!((known.published_at, known.files[0].sha256), (facts.head.published_at, Some(Sha256Digest(*sum))));
            prop_assert_eq!(known.yanked.is_some(), facts.head.yanked.is_some());
            let target = format!("https://ours.example/repository/rs/dl/Tool/{}/download", facts.head.version);
            prop_assert_eq!(&known.files[0].target, &target);
        }
        prop_assert_eq!(render(known), ours);
    }
}
