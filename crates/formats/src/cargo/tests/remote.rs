//! What other registries say, and what none should say.

use std::sync::Arc;

use model::{EntryPath, Sha256Digest, Timestamp};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::super::*;
use crate::{Known, KnownVersion, Origin, PackageAt, Said, Unreadable, Upstream, VersionHead, Wanting};

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
    lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect()
}

fn render(known: Known) -> Vec<Json> {
    let (head, facts) = known.facts(&PackageAt::named("tool"), 3, Timestamp(0));
    rendered(&head, &facts)
}

#[test]
fn the_index_is_asked_for_in_every_spelling() {
    let targets = |name: &str| {
        let asks = Cargo.asks(&PackageAt::named(name), Wanting::All);
        asks.into_iter().map(|ask| ask.target).collect::<Vec<_>>()
    };
    assert_eq!(targets("tool"), ["config.json", "to/ol/tool"]);
    assert_eq!(targets("a-b"), ["config.json", "3/a/a-b", "3/a/a_b"]);
    let all = ["a-/b-/a-b-c", "a_/b-/a_b-c", "a-/b_/a-b_c", "a_/b_/a_b_c"];
    assert_eq!(targets("a-b-c")[1..], all);
    assert_eq!(targets("a-b-c-d-e").len(), 17);
    assert_eq!(targets("a-b-c-d-e-f")[1..], ["a-/b-/a-b-c-d-e-f", "a_/b_/a_b_c_d_e_f"]);
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
        let known = ask("tool-x", &json!({"dl": dl}).to_string(), &index).expect("an answer").expect("a crate");
        let file = &known.versions[0].files[0];
        assert_eq!((file.target.as_str(), known.display.as_str()), (target, "Tool_x"), "{dl}");
        assert_eq!((file.path.as_str(), file.location.as_str()), ("Tool_x-1.0.0.crate", "dl/tool-x/1.0.0/download"));
        assert_eq!(Cargo.origin(&file.location), Some(Origin::Listed(PackageAt::named("tool-x"))));
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

#[test]
fn one_crate_answers_to_all_spellings() {
    let at = PackageAt::named("a-b");
    let (one, other) = (line("1.0.0", json!({"name": "a_b"})), line("1.0.0", json!({"name": "a-b"})));
    let both = format!("{one}\n{}", line("2.0.0", json!({"name": "a_b"})));
    let read = |first: Option<&str>, second: Option<&str>| {
        let said = [said(DL), first.and_then(said), second.and_then(said)];
        Cargo.read(&at, Wanting::All, &said).map(|known| known.map(|known| known.versions.len()))
    };
    assert_eq!(read(None, Some(&one)), Ok(Some(1)));
    assert_eq!(read(Some(&one), Some(&one)), Ok(Some(1)));
    assert_eq!(read(Some(&both), Some(&one)), Ok(Some(2)), "published between the two");
    assert!(read(Some(&other), Some(&one)).is_err(), "two crates there, one here");
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
    for path in [
        "config.json",
        "dl/a_b/1.0.0/download",
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
