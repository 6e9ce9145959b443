//! What crates hold: what the index says of them, and archives that are not what they should be.

use std::io::{Cursor, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use model::{Code, Refusal, Sha256Digest};
use serde_json::{Value, json};

use super::publish::Publish;
use crate::{Intake as _, Plan, StagedFile, Sums};

const CARGO_TOML: &str = "[package]\nname = \"a\"\nversion = \"1.0.0\"\n";

type Member<'a> = (&'a str, tar::EntryType, &'a [u8]);

/// A crate with these members; names are written as they are, whatever they mean.
fn archive(members: &[Member<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, kind, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *content).expect("added");
    }
    builder.into_inner().expect("ended").finish().expect("packed")
}

fn publish(metadata: &Value, archive: Vec<u8>) -> Result<Plan, Refusal> {
    let metadata = metadata.to_string();
    let length = |length: usize| u32::try_from(length).expect("short").to_le_bytes();
    let head = [&length(metadata.len()), metadata.as_bytes(), &length(archive.len())].concat();
    let (mut intake, mut out) = (Publish::default(), Vec::new());
    intake.push(Bytes::from(head), &mut out)?;
    let length = archive.len() as u64;
    intake.push(Bytes::from(archive.clone()), &mut out)?;
    intake.end(&mut out)?;
    let bytes = Box::new(Cursor::new(archive));
    let mut files = [StagedFile { length, sha256: Sha256Digest([7; 32]), sums: Sums::default(), bytes }];
    Box::new(intake).plan(&mut files)
}

fn sound() -> Vec<u8> {
    archive(&[("a-1.0.0/Cargo.toml", tar::EntryType::Regular, CARGO_TOML.as_bytes())])
}

/// A crate whose `Cargo.toml` says the same as the metadata.
fn stating(metadata: &Value) -> Vec<u8> {
    let links = metadata["links"].as_str().map(|library| format!("links = {library:?}\n")).unwrap_or_default();
    let mut text = CARGO_TOML.replace("[package]\n", &format!("[package]\n{links}"));
    for one in metadata["deps"].as_array().into_iter().flatten() {
        let word = |field: &str| one[field].as_str();
        let kind = word("kind").filter(|kind| *kind != "normal").map(|kind| format!("{kind}-")).unwrap_or_default();
        let target = word("target").map(|target| format!("target.{target:?}.")).unwrap_or_default();
        let name = word("explicit_name_in_toml").or(word("name")).unwrap_or_default();
        text += &format!("[{target}{kind}dependencies.{name}]\nversion = {}\n", one["version_req"]);
        text += &word("registry").map(|from| format!("registry-index = {from:?}\n")).unwrap_or_default();
        text += &word("explicit_name_in_toml").map(|_| format!("package = {}\n", one["name"])).unwrap_or_default();
        for (field, key) in
            [("optional", "optional"), ("default_features", "default-features"), ("features", "features")]
        {
            text += &one.get(field).map(|value| format!("{key} = {value}\n")).unwrap_or_default();
        }
    }
    text += "[features]\n";
    for (name, values) in metadata["features"].as_object().into_iter().flatten() {
        text += &format!("{name} = {values}\n");
    }
    archive(&[("a-1.0.0/Cargo.toml", tar::EntryType::Regular, text.as_bytes())])
}

/// The line of the index for this metadata.
fn line(more: Value) -> Value {
    let mut metadata = json!({"name": "a", "vers": "1.0.0", "deps": [], "features": {}});
    for (key, value) in more.as_object().expect("an object") {
        metadata[key] = value.clone();
    }
    let release = publish(&metadata, stating(&metadata)).expect("a plan").release.expect("a release");
    let manifest: Value = serde_json::from_str(&release.manifest).expect("JSON");
    manifest["index"].clone()
}

#[test]
fn features_of_the_new_kind_are_kept_from_old_readers() {
    let features = json!({"std": [], "json": ["dep:serde", "std"], "weak": ["serde?/derive"], "plain": ["std"]});
    let line = line(json!({"features": features}));
    assert_eq!(line["features"], json!({"std": [], "plain": ["std"]}));
    assert_eq!(line["features2"], json!({"json": ["dep:serde", "std"], "weak": ["serde?/derive"]}));
    assert_eq!(line["v"], 2);
    let old = self::line(json!({"features": {"std": []}}));
    assert!(old.get("features2").is_none() && old.get("v").is_none());
}

#[test]
fn dependencies_are_turned_round_for_the_index() {
    let made = line(json!({"rust_version": "1.70", "links": null, "deps": [
        {"name": "rand", "version_req": "^0.8", "explicit_name_in_toml": "chance", "kind": "dev", "optional": true},
        {"name": "other", "version_req": "=1.2.3", "registry": "https://other.example/index", "target": "cfg(unix)",
         "default_features": false, "features": ["x"], "kind": "build"},
    ]}));
    let renamed = &made["deps"][0];
    assert_eq!((&renamed["name"], &renamed["package"]), (&json!("chance"), &json!("rand")));
    assert_eq!(
        (&renamed["req"], &renamed["kind"], &renamed["optional"]),
        (&json!("^0.8"), &json!("dev"), &json!(true))
    );
    assert_eq!(renamed["default_features"], true);
    let foreign = &made["deps"][1];
    assert_eq!(foreign["registry"], "https://other.example/index");
    assert_eq!(foreign["kind"], "build");
    assert_eq!((&foreign["target"], &foreign["features"]), (&json!("cfg(unix)"), &json!(["x"])));
    assert_eq!(foreign["default_features"], false);
    assert_eq!(made["rust_version"], "1.70");
    let absent = [(&made, "links"), (renamed, "registry"), (foreign, "package")];
    for (place, key) in absent {
        assert!(place.get(key).is_none(), "{key} in {place}");
    }
    assert_eq!(line(json!({"links": "z"}))["links"], "z");
}

#[test]
fn the_archive_has_the_last_word_on_dependencies_and_features() {
    let dependency = |more: Value| {
        let mut one = json!({"name": "b", "version_req": "^1.2", "optional": true, "default_features": false,
            "features": ["y", "x"], "target": "cfg(all(unix, target_os = \"linux\"))", "kind": "normal"});
        one.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        json!({"name": "a", "vers": "1.0.0", "deps": [one], "features": {"f": ["dep:b"]}})
    };
    // The same in other words: no caret, other spaces, features in another order, an old spelling, tests' own crates.
    let same = "[dev-dependencies.beside]\npath = \"../beside\"\n[features]\nf = [\"dep:b\"]\n\
        [target.\"cfg(all(unix,target_os=\\\"linux\\\",))\".dependencies.b]\nversion = \"1.2\"\noptional = true\n\
        default_features = false\nfeatures = [\"x\", \"y\"]\n";
    let text = format!("{CARGO_TOML}{same}");
    let stated = || archive(&[("a-1.0.0/Cargo.toml", tar::EntryType::Regular, text.as_bytes())]);
    publish(&dependency(json!({})), stated()).expect("the same");
    for (what, more) in [
        ("another crate", json!({"name": "evil"})),
        ("another crate behind the name", json!({"name": "evil", "explicit_name_in_toml": "b"})),
        ("another requirement", json!({"version_req": "^1.3"})),
        ("no option", json!({"optional": false})),
        ("default features", json!({"default_features": true})),
        ("fewer features", json!({"features": ["x"]})),
        ("another platform", json!({"target": "cfg(unix)"})),
        ("all platforms", json!({"target": null})),
        ("another kind", json!({"kind": "build"})),
    ] {
        let refusal = publish(&dependency(more), stated()).expect_err(what);
        assert_eq!(refusal.code, Code::Unprocessable, "{what}: {}", refusal.detail);
        assert!(refusal.detail.contains("dependency"), "{what}: {}", refusal.detail);
    }
    let mut none = dependency(json!({}));
    none["deps"] = json!([]);
    let refusal = publish(&none, stated()).expect_err("hidden");
    assert!(refusal.detail.contains("normal dependency b ^1.2 for cfg(all(unix,"), "{}", refusal.detail);
    let mut twice = dependency(json!({}));
    let elsewhere = dependency(json!({"registry": "https://other.example/index"}))["deps"][0].clone();
    twice["deps"].as_array_mut().expect("a list").push(elsewhere);
    let refusal = publish(&twice, stated()).expect_err("from two registries");
    assert!(refusal.detail.contains("twice"), "{}", refusal.detail);
    for features in [json!({}), json!({"f": []}), json!({"f": ["dep:b"], "g": []})] {
        let mut other = dependency(json!({}));
        other["features"] = features;
        let refusal = publish(&other, stated()).expect_err("other features");
        assert!(refusal.detail.contains("differ in the feature"), "{}", refusal.detail);
    }
}

#[test]
fn the_archive_has_the_last_word_on_registries() {
    let (ours, other) = ("sparse+https://ours.example/index/", "https://other.example/index");
    let publish_with = |sent: [Option<&str>; 2], stated: [Option<&str>; 2]| {
        let one = |(name, from): (&str, Option<&str>)| json!({"name": name, "version_req": "^1", "registry": from});
        let all = |from: [Option<&str>; 2]| json!({"name": "a", "vers": "1.0.0", "deps": [one(("b", from[0])), one(("c", from[1]))]});
        publish(&all(sent), stating(&all(stated)))
    };
    for (what, sent, stated) in [
        ("from here", [None, None], [Some(ours), Some(ours)]),
        ("from elsewhere", [Some(other), Some(other)], [None, None]),
        ("from both", [None, Some(other)], [Some(ours), None]),
        ("by name", [None, Some("sparse+https://other.example/index/")], [Some(ours), Some(other)]),
        ("by nothing", [None, None], [None, None]),
    ] {
        publish_with(sent, stated).unwrap_or_else(|refusal| panic!("{what}: {}", refusal.detail));
    }
    for (what, sent, stated) in [
        ("from another one", [None, Some("https://evil.example/index")], [Some(ours), Some(other)]),
        ("from here although from elsewhere", [None, None], [Some(ours), Some(other)]),
        ("what says nothing is from one place", [Some(other), Some("https://evil.example/index")], [None, None]),
        ("and not from here too", [None, Some(other)], [None, None]),
        ("what has one address is from one place", [None, Some(other)], [Some(other), Some(other)]),
    ] {
        let refusal = publish_with(sent, stated).expect_err(what);
        assert_eq!(refusal.code, Code::Unprocessable, "{what}: {}", refusal.detail);
        assert!(refusal.detail.contains("the request has the normal dependency"), "{what}: {}", refusal.detail);
    }
}

#[test]
fn metadata_that_is_none_is_refused() {
    let dependency = |more: Value| json!({"name": "a", "vers": "1.0.0", "deps": [more]});
    for (name, metadata) in [
        ("a name with a slash", json!({"name": "a/b", "vers": "1.0.0"})),
        ("a name with a line end", json!({"name": "a\n{}", "vers": "1.0.0"})),
        ("no version", json!({"name": "a", "vers": "1.0"})),
        ("a version with a line end", json!({"name": "a", "vers": "1.0.0\n"})),
        ("a requirement that is none", dependency(json!({"name": "b", "version_req": "about 1"}))),
        ("a dependency without a name", dependency(json!({"name": "", "version_req": "1"}))),
        ("a rename to a path", dependency(json!({"name": "b", "version_req": "1", "explicit_name_in_toml": "../b"}))),
        ("no object", json!([1])),
    ] {
        let refusal = publish(&metadata, sound()).expect_err(name);
        assert_eq!(refusal.code, Code::BadRequest, "{name}: {}", refusal.detail);
    }
}

#[test]
fn hostile_archives_are_refused_by_name() {
    use tar::EntryType as T;
    let own: Member<'_> = ("a-1.0.0/Cargo.toml", T::Regular, CARGO_TOML.as_bytes());
    let other = CARGO_TOML.replace("\"a\"", "\"b\"");
    let long = format!("{CARGO_TOML}#{}", "x".repeat(1 << 20));
    let cases: [(&str, &[Member<'_>], &str); 21] = [
        ("nothing", &[], "no Cargo.toml"),
        ("a file outside", &[own, ("b-1.0.0/x", T::Regular, b"")], "lies outside"),
        ("an absolute path", &[own, ("/etc/x", T::Regular, b"")], "lies outside"),
        ("climbing", &[own, ("a-1.0.0/../x", T::Regular, b"")], "lies outside"),
        ("a folder that begins alike", &[own, ("a-1.0.01/x", T::Regular, b"")], "lies outside"),
        ("a symbolic link", &[own, ("a-1.0.0/x", T::Symlink, b"")], "neither a file nor a folder"),
        ("a hard link", &[own, ("a-1.0.0/x", T::Link, b"")], "neither a file nor a folder"),
        ("a device", &[own, ("a-1.0.0/x", T::Char, b"")], "neither a file nor a folder"),
        ("a fifo", &[own, ("a-1.0.0/x", T::Fifo, b"")], "neither a file nor a folder"),
        ("two manifests", &[own, own], "a-1.0.0/Cargo.toml collides"),
        (
            "another crate",
            &[("a-1.0.0/Cargo.toml", T::Regular, other.as_bytes())],
            "Cargo.toml in the archive says \"b\"",
        ),
        ("no TOML", &[("a-1.0.0/Cargo.toml", T::Regular, b"[package")], "cannot be read"),
        ("case twins", &[own, ("a-1.0.0/x", T::Regular, b""), ("a-1.0.0/X", T::Regular, b"")], "collides"),
        (
            "a file, then a folder",
            &[own, ("a-1.0.0/x", T::Regular, b""), ("a-1.0.0/x/", T::Directory, b"")],
            "collides",
        ),
        (
            "a folder, then a file",
            &[own, ("a-1.0.0/x/", T::Directory, b""), ("a-1.0.0/x", T::Regular, b"")],
            "collides",
        ),
        (
            "a file, then one in it",
            &[own, ("a-1.0.0/src", T::Regular, b""), ("a-1.0.0/src/lib.rs", T::Regular, b"")],
            "src/lib.rs collides",
        ),
        (
            "a file, then one above it",
            &[own, ("a-1.0.0/src/a/lib.rs", T::Regular, b""), ("a-1.0.0/src", T::Regular, b"")],
            "src collides",
        ),
        (
            "a file, then a folder in it",
            &[own, ("a-1.0.0/src", T::Regular, b""), ("a-1.0.0/src/a/b/", T::Directory, b"")],
            "src/a/b/ collides",
        ),
        (
            "a file, then one in its case twin",
            &[own, ("a-1.0.0/SRC", T::Regular, b""), ("a-1.0.0/src/lib.rs", T::Regular, b"")],
            "collides",
        ),
        ("a folder for a manifest", &[("a-1.0.0/Cargo.toml", T::Directory, CARGO_TOML.as_bytes())], "no Cargo.toml"),
        ("an endless manifest", &[("a-1.0.0/Cargo.toml", T::Regular, long.as_bytes())], "more than 1048576 bytes"),
    ];
    let metadata = json!({"name": "a", "vers": "1.0.0", "deps": []});
    for (name, members, why) in cases {
        let refusal = publish(&metadata, archive(members)).expect_err(name);
        assert_eq!(refusal.code, Code::Unprocessable, "{name}: {}", refusal.detail);
        assert!(refusal.detail.contains(why), "{name}: {}", refusal.detail);
    }
}

#[test]
fn deep_and_long_manifests_are_refused_in_time() {
    let deep = "a.".repeat(200_000);
    for text in [
        format!("{CARGO_TOML}[package.metadata]\n{deep}a = 1\n"),
        format!("{CARGO_TOML}[{deep}a]\n"),
        format!("{CARGO_TOML}[package.metadata]\na = {}{}\n", "[".repeat(200_000), "]".repeat(200_000)),
        format!("{CARGO_TOML}[package.metadata]\na = {}\n", "{a=".repeat(200_000)),
    ] {
        let archive = archive(&[("a-1.0.0/Cargo.toml", tar::EntryType::Regular, text.as_bytes())]);
        let refusal = publish(&json!({"name": "a", "vers": "1.0.0", "deps": []}), archive).expect_err("deep");
        assert_eq!(refusal.code, Code::Unprocessable, "{}", refusal.detail);
    }
}

#[test]
fn broken_and_endless_archives_are_refused() {
    let metadata = json!({"name": "a", "vers": "1.0.0", "deps": []});
    let whole = sound();
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    let mut header = tar::Header::new_gnu();
    header.set_path("a-1.0.0/zeros").expect("a path");
    header.set_size(2 << 30);
    header.set_cksum();
    bomb.write_all(header.as_bytes()).expect("written");
    let zeros = vec![0; 1 << 20];
    (0..1030).for_each(|_| bomb.write_all(&zeros).expect("written"));
    for (name, archive) in [
        ("no gzip", b"hello".to_vec()),
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("empty", Vec::new()),
        ("a bomb", bomb.finish().expect("packed")),
    ] {
        assert_eq!(publish(&metadata, archive).expect_err(name).code, Code::Unprocessable, "{name}");
    }
}

#[test]
fn build_metadata_makes_no_other_version() {
    use crate::Format as _;
    let twin = |text: &str| super::Cargo.twin(&model::VersionName::parse(text).expect("a version"));
    assert_eq!(twin("1.0.0+a"), twin("1.0.0+b"));
    assert_eq!(twin("1.0.0+a"), twin("1.0.0"));
    assert_ne!(twin("1.0.0-a+x"), twin("1.0.0+x"));
}
