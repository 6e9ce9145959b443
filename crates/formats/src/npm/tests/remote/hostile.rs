//! What no registry should say.

use std::fmt::Write as _;

use super::*;

/// What is odd about one version leaves it out, and the others stay.
#[test]
fn versions_that_cannot_be_used_are_left_out() {
    let tarball = |address: &str| dist(json!({"tarball": address}));
    for (what, body) in [
        ("another name", one(json!({"name": "other"}))),
        ("a name that climbs", one(json!({"name": "../tool"}))),
        ("a name that is none", one(json!({"name": {"a": 1}}))),
        ("another version", one(json!({"version": "2.0.0"}))),
        ("a version that is none", one(json!({"version": 1}))),
        ("no dist", one(json!({"dist": null}))),
        ("a dist that is none", one(json!({"dist": []}))),
        ("no tarball", one(json!({"dist": {"shasum": "0a".repeat(20)}}))),
        ("a tarball that is none", dist(json!({"tarball": 7}))),
        ("a file", tarball("file:///etc/passwd")),
        ("a script", tarball("javascript:alert(1)")),
        ("data", tarball("data:application/gzip,x")),
        ("a password", tarball("https://user:secret@there.example/tool-1.0.0.tgz")),
        ("a long address", tarball(&format!("https://there.example/{}", "a".repeat(5000)))),
        ("long metadata", one(json!({"description": "x".repeat(5 << 20)}))),
    ] {
        assert_eq!(taken(&body), None, "{what}");
    }
    let good = one(json!({}))["versions"]["1.0.0"].clone();
    for key in [
        "../1.0.0",
        "1.0",
        "v1.0.0",
        "01.0.0",
        "latest",
        "",
        "1.0.0beta/..",
        "1.0beta",
        "1.0.0.1",
        "1.0.0_b",
        "1.0.0/..",
        "99999999999999999999.0.0",
        "1.0.0\u{202e}",
    ] {
        let mut body = one(json!({}));
        let mut version = good.clone();
        version["version"] = json!(key);
        body["versions"][key] = version;
        let known = read(&body).expect("an answer").expect("a package");
        assert_eq!(known.versions.iter().map(|one| one.version.as_str()).collect::<Vec<_>>(), ["1.0.0"], "{key}");
    }
    for odd in [json!(null), json!("1.0.0"), json!([])] {
        let mut body = one(json!({}));
        body["versions"]["1.0.0"] = odd;
        assert_eq!(taken(&body), None);
    }
}

#[test]
fn times_that_are_garbage_are_unknown() {
    for time in [
        json!(null),
        json!([]),
        json!("x"),
        json!({}),
        json!({"1.0.0": 7}),
        json!({"1.0.0": "yesterday"}),
        json!({"1.0.0": "2020-13-01T00:00:00Z"}),
        json!({"1.0.0": {"1.0.0": "2020-01-01T00:00:00Z"}}),
    ] {
        let mut body = one(json!({}));
        body["time"] = time.clone();
        assert_eq!(taken(&body).expect("a version").published_at, None, "{time}");
    }
    let short = "{\"name\":\"tool\",\"dist-tags\":7,\"versions\":{}}";
    assert_eq!(read_at(ADDRESS, "tool", short.as_bytes()).expect("an answer").expect("a package").versions, []);
}

#[test]
fn warnings_are_bounded() {
    let said = |deprecated: Json| taken(&one(json!({"deprecated": deprecated}))).expect("a version").deprecated;
    assert_eq!(said(json!("\u{e4}".repeat(3000))).map(|text| text.len()), Some(2000));
    assert_eq!((said(json!(true)), said(json!({"a": 1})), said(json!(null))), (Some(String::new()), None, None));
}

/// What everything was withdrawn from is not there; what makes no sense is a failure.
#[test]
fn answers_that_are_no_packument_are_failures() {
    let gone = json!({"_id": "tool", "name": "tool", "time": {"unpublished": {"name": "ann", "versions": ["1.0.0"]}}});
    assert_eq!(read(&gone), Ok(None));
    let mut array = one(json!({}));
    array["versions"] = json!([]);
    for (what, body) in [
        ("an error", json!({"error": "not_found", "reason": "document not found"})),
        ("another package", json!({"name": "other", "versions": {}})),
        ("a longer name", json!({"name": "tool/..", "versions": {}})),
        ("a name in another script", json!({"name": "too\u{2c6}", "versions": {}})),
        ("a name that is none", json!({"name": ["tool"], "versions": {}})),
        ("no versions", json!({"name": "tool"})),
        ("versions in a list", array),
        ("a list", json!(["tool", {"versions": {}}])),
        ("null", json!(null)),
    ] {
        assert!(read(&body).is_err(), "{what}");
    }
    let good = one(json!({"description": "d"})).to_string();
    let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    for (what, body) in [
        ("a page", "<!DOCTYPE html><html><body>Sign in</body></html>".to_owned()),
        ("nothing", String::new()),
        ("half of it", good[..good.len() / 2].to_owned()),
        ("more behind it", format!("{good}{{}}")),
        ("a byte order mark", format!("\u{feff}{good}")),
        ("a prototype", good.replace("\"description\"", "\"__proto__\"")),
        ("a prototype among versions", good.replace("\"1.0.0\":{", "\"__proto__\":{")),
        ("a prototype in a version", good.replace("\"d\"", "{\"a\":[{\"__proto__\":1}]}")),
        ("a key twice", good.replacen("{\"_id\"", "{\"name\":\"tool\",\"_id\"", 1)),
        ("a key twice, escaped", good.replacen("{\"_id\"", "{\"n\\u0061me\":\"tool\",\"_id\"", 1)),
        ("a version twice", good.replace("\"versions\":{", "\"versions\":{\"1.0.0\":{},")),
        ("a tag twice", good.replace("\"latest\":", "\"latest\":\"1.0.0\",\"latest\":")),
        ("a time twice", good.replace("\"created\":", "\"created\":\"\",\"created\":")),
        ("a digest twice", good.replace("\"shasum\":", "\"shasum\":\"\",\"shasum\":")),
        ("a field twice", good.replace("\"description\":", "\"description\":1,\"description\":")),
        ("a field twice, deep", good.replace("\"d\"", "{\"a\":{\"b\":1,\"b\":2}}")),
        ("a number without end", good.replace("\"d\"", "1e999")),
        ("half a character", good.replace("\"d\"", "\"\\ud800\"")),
        ("nesting", good.replace("\"d\"", &nested)),
        ("nested objects", good.replace("\"d\"", &objects)),
        ("nesting alone", nested.clone()),
        ("nested objects alone", objects.clone()),
    ] {
        let read = read_at(ADDRESS, "tool", body.as_bytes());
        let why = read.expect_err(what).0;
        assert!(why.len() < 200 && !why.contains("tool"), "{what}: {why}");
    }
    assert!(read_at(ADDRESS, "tool", &[&good.as_bytes()[..20], &b"\xff\xfe"[..]].concat()).is_err());
    let latin: Vec<u8> = good.replace("\"d\"", "\"?\"").bytes().map(|b| if b == b'?' { 0xe9 } else { b }).collect();
    assert!(read_at(ADDRESS, "tool", &latin).is_err(), "not UTF-8");
    // Nobody looks into what is not kept.
    let readme = good.replacen("{\"_id\"", &format!("{{\"readme\":{nested},\"_id\""), 1);
    assert!(read_at(ADDRESS, "tool", readme.as_bytes()).is_ok());
    assert!(read_at("file:///tool", "tool", good.as_bytes()).is_err());
}

#[test]
fn the_number_of_versions_is_bounded() {
    let many = |count: usize| {
        let mut body = "{\"name\":\"tool\",\"versions\":{".to_owned();
        (0..count).for_each(|one| write!(body, "\"1.0.{one}\":null,").expect("in memory"));
        body.pop();
        body + "}}"
    };
    assert!(read_at(ADDRESS, "tool", many(100_000).as_bytes()).is_ok());
    assert!(read_at(ADDRESS, "tool", many(100_001).as_bytes()).is_err());
}
