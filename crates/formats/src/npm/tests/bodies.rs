//! Bodies: in any cut, contradictory, hostile.

use proptest::prelude::*;

use super::*;
use crate::{Change, What};

fn tool() -> Json {
    json!({"name": "@acme/tool", "version": "1.0.0", "description": "d \"q\" \u{e9}\u{1f600}", "readme": "long"})
}

fn body() -> (Json, Vec<u8>) {
    let archive = package(&tool());
    (publishing(&tool(), &archive), archive)
}

#[test]
fn a_publish_keeps_what_the_package_says() {
    let (body, archive) = body();
    let plan = publish(&body).expect("a plan");
    let release = plan.release.expect("a release");
    assert_eq!((release.package.name.as_str(), release.version.as_str()), ("@acme/tool", "1.0.0"));
    let [file] = release.files.as_slice() else { panic!("one file") };
    assert_eq!(file.location.as_str(), "@acme/tool/-/tool-1.0.0.tgz");
    let manifest: Json = serde_json::from_str(&release.manifest).expect("JSON");
    assert_eq!(manifest["description"], tool()["description"]);
    assert!(manifest.get("dist").is_none() && manifest.get("readme").is_none(), "{manifest}");
    let known: Json = serde_json::from_str(file.attributes.as_deref().expect("attributes")).expect("JSON");
    assert_eq!(known["integrity"], integrity(&archive));
    assert_eq!((known["fileCount"].as_u64(), known["hasInstallScript"].as_bool()), (Some(1), Some(false)));
    assert!(release.refs.iter().any(|name| name.as_str() == "latest"));
}

proptest! {
    #[test]
    fn a_body_is_one_however_it_is_cut(cut in 1usize..200, pretty in any::<bool>()) {
        let (body, archive) = body();
        let text = if pretty { serde_json::to_string_pretty(&body).expect("text") } else { body.to_string() };
        let text = text.replace("==", "\\u003d\\u003D").replace('/', "\\/");
        let (plan, bytes) = take("@acme/tool", false, text.as_bytes().chunks(cut)).expect("a plan");
        prop_assert_eq!(bytes, archive);
        prop_assert!(plan.release.is_some());
    }

    #[test]
    fn a_body_that_stops_short_is_refused(part in 0.0f64..1.0) {
        let text = body().0.to_string();
        let length = ((text.len() as f64) * part) as usize;
        let bytes = &text.as_bytes()[..length.min(text.len() - 1)];
        prop_assert!(take("@acme/tool", false, std::iter::once(bytes)).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..400) {
        let mut text = body().0.to_string().into_bytes();
        let at = at.min(text.len());
        text.splice(at..at, bytes);
        drop(take("@acme/tool", false, text.chunks(7)));
    }

    #[test]
    fn scanning_agrees_with_the_parser(text in r#"\{("a":[0-9truefalsn."\[\]{},:\\ -]{0,12},?){0,3}\}"#) {
        let ours = take("a", false, std::iter::once(text.as_bytes()));
        let parses = serde_json::from_str::<Json>(&text).is_ok();
        // Whatever the parser takes is scanned to its end: what is refused then is its content.
        if parses {
            prop_assert!(!refused(ours).1.contains("JSON"), "{}", text);
        }
    }
}

#[test]
fn json_that_readers_disagree_on_is_refused() {
    for (what, text) in [
        ("two names", r#"{"name":"a","name":"a"}"#.to_owned()),
        ("two versions of one name", r#"{"versions":{"1.0.0":{},"1.0.0":{}}}"#.to_owned()),
        ("a key twice in a version", r#"{"versions":{"1.0.0":{"a":1,"a":2}}}"#.to_owned()),
        ("a prototype at the top", r#"{"__proto__":{}}"#.to_owned()),
        ("a prototype escaped", r#"{"\u005f_proto__":{}}"#.to_owned()),
        ("a prototype as a version", r#"{"versions":{"__proto__":{}}}"#.to_owned()),
        ("a prototype in a version", r#"{"versions":{"1.0.0":{"dependencies":{"__proto__":"1"}}}}"#.to_owned()),
        ("nested deeply", format!(r#"{{"x":{}"#, "[".repeat(100_000))),
        ("a lone surrogate", r#"{"x":"\ud800"}"#.to_owned()),
        ("half a pair, then another", r#"{"x":"\ud800\u0041"}"#.to_owned()),
        ("a number without end", format!(r#"{{"x":{}}}"#, "9".repeat(1000))),
        ("a number beyond numbers", r#"{"x":1e400}"#.to_owned()),
        ("an array", "[]".to_owned()),
        ("a text", r#""x""#.to_owned()),
        ("two values", "{}{}".to_owned()),
        ("control characters", "{\"x\":\"\n\"}".to_owned()),
        ("a broken word", r#"{"x":nul}"#.to_owned()),
        ("a missing comma", r#"{"x":1 "y":2}"#.to_owned()),
        ("a trailing comma", r#"{"x":1,}"#.to_owned()),
        ("the wrong end", r#"{"x":[1}"#.to_owned()),
        ("an endless key", format!(r#"{{"{}":1}}"#, "k".repeat(5000))),
        ("versions as a list", r#"{"versions":[]}"#.to_owned()),
        ("attachments as text", r#"{"_attachments":"x"}"#.to_owned()),
    ] {
        let (status, why) = refused(take("a", false, std::iter::once(text.as_bytes())));
        assert_eq!(status, 400, "{what}: {why}");
    }
}

#[test]
fn metadata_is_bounded() {
    let long = format!(r#"{{"versions":{{"1.0.0":{{"x":"{}"}}}}}}"#, "x".repeat(5 << 20));
    assert_eq!(refused(take("a", false, long.as_bytes().chunks(1 << 16))).0, 413);
    let many: String = (0..100_001).map(|n| format!("\"1.0.{n}\":{{}},")).collect();
    let many = format!(r#"{{"versions":{{{}"2.0.0":{{}}}}}}"#, many);
    assert_eq!(refused(take("a", false, many.as_bytes().chunks(1 << 16))).0, 413);
}

#[test]
fn attachments_are_one_archive_and_one_statement() {
    let edit = |edit: &dyn Fn(&mut Json)| {
        let mut body = body().0;
        edit(&mut body);
        publish(&body).map(drop)
    };
    let data = |body: &mut Json, data: &str| body["_attachments"]["@acme/tool-1.0.0.tgz"]["data"] = json!(data);
    for (what, status, result) in [
        ("two archives", 400, edit(&|body| body["_attachments"]["b.tgz"] = json!({"data": "AAAA"}))),
        ("something else", 400, edit(&|body| body["_attachments"]["b.sh"] = json!({"data": "AAAA"}))),
        ("base64 cut", 400, edit(&|body| data(body, "AAA"))),
        ("base64 padded inside", 400, edit(&|body| data(body, "AA==AAAA"))),
        ("no base64", 400, edit(&|body| data(body, "!!!!"))),
        ("no archive", 422, edit(&|body| data(body, "AAAA"))),
        ("data that is a number", 400, edit(&|body| body["_attachments"]["@acme/tool-1.0.0.tgz"]["data"] = json!(1))),
        ("another length", 422, edit(&|body| body["_attachments"]["@acme/tool-1.0.0.tgz"]["length"] = json!(7))),
        ("a broken statement", 422, edit(&|body| body["_attachments"]["x.sigstore"] = json!({"data": "{}"}))),
    ] {
        assert_eq!(refused(result).0, status, "{what}");
    }
}

#[test]
fn contradictions_are_refused_by_name() {
    let edit = |edit: &dyn Fn(&mut Json)| {
        let mut body = body().0;
        edit(&mut body);
        publish(&body).map(drop)
    };
    let one = |body: &mut Json, key: &str, value: Json| body["versions"]["1.0.0"][key] = value;
    for (status, words, result) in [
        (400, "name in the address", edit(&|body| body["_id"] = json!("@acme/other"))),
        (422, "name \"@acme/other\"", edit(&|body| one(body, "name", json!("@acme/other")))),
        (400, "another", edit(&|body| one(body, "version", json!("2.0.0")))),
        (422, "dist.integrity", edit(&|body| one(body, "dist", json!({"integrity": integrity(b"x")})))),
        (422, "dist.shasum", edit(&|body| one(body, "dist", json!({"shasum": "00"})))),
        (400, "sha384", edit(&|body| one(body, "dist", json!({"integrity": "sha384-AAAA"})))),
        (422, "dependencies.evil", edit(&|body| one(body, "dependencies", json!({"evil": "1"})))),
        (422, "scripts.postinstall", edit(&|body| one(body, "scripts", json!({"postinstall": "x"})))),
        (422, "bin.node", edit(&|body| one(body, "bin", json!({"node": "x.js"})))),
        (400, "must point at 1.0.0", edit(&|body| body["dist-tags"]["latest"] = json!("2.0.0"))),
        (400, "cannot be a dist-tag", edit(&|body| body["dist-tags"] = json!({"1.0.0": "1.0.0"}))),
    ] {
        let (found, why) = refused(result);
        assert!(found == status && why.contains(words), "{words}: {found} {why}");
    }
}

#[test]
fn an_update_is_deprecations_and_with_a_revision_what_remains() {
    let versions = json!({"1.0.0": {"deprecated": "old"}, "1.1.0": {"deprecated": ""}});
    let body = json!({"name": "a", "_rev": "7-2", "versions": versions, "dist-tags": {"latest": "1.1.0"}}).to_string();
    let plan = |replaces| take("a", replaces, std::iter::once(body.as_bytes())).expect("a plan").0;
    let marks = plan(false);
    assert_eq!(marks.seen.map(|seen| seen.state), Some(7));
    assert!(matches!(marks.changes.as_slice(),
        [Change { what: What::Mark { text: Some(old), .. }, .. }, Change { what: What::Mark { text: None, .. }, .. }]
        if old == "old"));
    let whole = plan(true);
    assert!(whole.changes.iter().any(|change| matches!(&change.what,
        What::KeepOnly { versions } if versions.as_slice() == ["1.0.0", "1.1.0"])));
    assert!(whole.changes.iter().any(|change| matches!(&change.what, What::Point { .. })));
}

/// `npm owner add` sends owners alone: that must not be read as "no version remains".
#[test]
fn what_names_no_versions_removes_none() {
    let body = json!({"_id": "a", "_rev": "7-2", "maintainers": []}).to_string();
    assert_eq!(refused(take("a", true, std::iter::once(body.as_bytes()))).0, 400);
    let blind = json!({"_id": "a", "versions": {}}).to_string();
    assert_eq!(refused(take("a", true, std::iter::once(blind.as_bytes()))).0, 400, "no revision");
}
