//! Who may depend on whom, as the design draws it, and which drivers live in which room.

use std::collections::{BTreeMap, BTreeSet};

use acceptance::{Result, tree};
use toml::{Table, Value};

use crate::{is_rust, keep, source};

/// Each room and the rooms that it may use. A new room is a new line here, on purpose.
const ROOMS: [(&str, &[&str]); 10] = [
    ("model", &[]),
    ("formats", &["model"]),
    ("store", &["model"]),
    ("blobs", &["model"]),
    ("outbound", &["model"]),
    ("registry", &["model", "formats", "store", "blobs", "outbound"]),
    ("server", &["model", "formats", "registry"]),
    ("artifortress", &["model", "formats", "registry", "server", "store", "blobs", "outbound"]),
    // Black-box: the tests know the words and none of the verbs.
    ("acceptance", &["model"]),
    ("fuzz", &["model", "formats"]),
];

/// Drivers, the only rooms whose Cargo.toml may name them, and the rooms that may besides, for their tests.
const DRIVERS: [(&str, &[&str], &[&str]); 14] = [
    ("rusqlite", &["store"], &[]),
    ("libsqlite3-sys", &["store"], &[]),
    ("sqlx", &["store"], &[]),
    ("tokio-postgres", &[], &[]),
    ("object_store", &["blobs"], &[]),
    // The blobs room only switches on TLS in object_store's own client: see the test on its code.
    ("reqwest", &["outbound", "blobs"], &[]),
    ("ureq", &[], &[]),
    ("axum", &["server"], &[]),
    ("tower-http", &["server"], &[]),
    ("hyper", &["server", "acceptance"], &["blobs"]),
    ("s3s", &["acceptance"], &["blobs"]),
    ("s3s-fs", &["acceptance"], &["blobs"]),
    ("native-tls", &[], &[]),
    ("openssl", &[], &[]),
];

/// Rooms that do no input or output: no runtime, no sockets.
const PURE: [&str; 2] = ["model", "formats"];
const RUNTIMES: [&str; 5] = ["tokio", "hyper-util", "rustix", "async-std", "smol"];

#[test]
fn the_rooms_depend_on_each_other_as_drawn() -> Result<()> {
    let planted = "[dependencies]\nserver = { path = \"x\" }\nhandy = { package = \"blobs\", path = \"x\" }\n[target.'cfg(unix)'.dependencies]\nstore.workspace = true";
    assert_eq!(complaints("formats", planted)?.len(), 4, "three rooms and the missing lints table");
    assert_eq!(complaints("registry", "[lints]\nworkspace = true\n[dev-dependencies]\nreqwest = \"1\"")?.len(), 1);
    assert_eq!(complaints("model", "[lints]\nworkspace = true\n[dependencies]\ntokio.workspace = true")?.len(), 1);
    assert_eq!(complaints("stranger", "[lints]\nworkspace = true")?.len(), 1);
    let production = "[lints]\nworkspace = true\n[dependencies]\ns3s.workspace = true";
    assert_eq!(complaints("blobs", production)?.len(), 1, "a server for tests is no part of the program");
    let innocent = "[lints]\nworkspace = true\n[dependencies]\nmodel.workspace = true\n[dev-dependencies]\nacceptance.workspace = true";
    assert_eq!(complaints("store", innocent)?, Vec::<String>::new());

    let (mut bad, mut seen) = (Vec::new(), BTreeSet::new());
    for file in tree::files()?.iter().filter(|file| file.ends_with("/Cargo.toml")) {
        let room = file.rsplit('/').nth(1).unwrap_or_default();
        seen.insert(room.to_string());
        bad.extend(complaints(room, &tree::text(file)?)?);
    }
    bad.extend(ROOMS.iter().filter(|(room, _)| !seen.contains(*room)).map(|(room, _)| format!("no room `{room}`")));
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    Ok(())
}

#[test]
fn the_blobs_room_names_no_http_client() -> Result<()> {
    assert_eq!(client("planted.rs", "fn f() { reqwest::get(\"x\"); }").len(), 1);
    assert_eq!(client("innocent.rs", "// reqwest::get\nfn f() { g(\"reqwest\") }"), Vec::<String>::new());

    keep(|file| is_rust(file) && file.starts_with("crates/blobs/"), client)
}

fn client(file: &str, text: &str) -> Vec<String> {
    let named = source::read(text).code.contains("reqwest");
    named.then(|| format!("{file}: names `reqwest`, which is here for a feature alone")).into_iter().collect()
}

fn complaints(room: &str, manifest: &str) -> Result<Vec<String>> {
    let manifest: Table = manifest.parse()?;
    let rooms: BTreeMap<_, _> = ROOMS.into_iter().collect();
    let Some(may) = rooms.get(room) else {
        return Ok(vec![format!("{room}: a room that the design's graph does not know")]);
    };
    let mut bad = Vec::new();
    for (name, dev) in dependencies(&manifest) {
        let harness = dev && name == "acceptance" && room != "model" && room != "formats";
        if rooms.contains_key(name.as_str()) && !may.contains(&name.as_str()) && !harness {
            bad.push(format!("{room}: may not depend on `{name}`"));
        }
        let stranger = |homes: &[&str], tests: &[&str]| !(homes.contains(&room) || dev && tests.contains(&room));
        if DRIVERS.iter().any(|(driver, homes, tests)| *driver == name && stranger(homes, tests)) {
            bad.push(format!("{room}: is not the room for `{name}`"));
        }
        if PURE.contains(&room) && !dev && RUNTIMES.contains(&name.as_str()) {
            bad.push(format!("{room}: is pure and has no use for `{name}`"));
        }
    }
    let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(Value::as_bool);
    if inherits != Some(true) {
        bad.push(format!("{room}: does not inherit the lints table"));
    }
    Ok(bad)
}

/// Every dependency of every kind and target by its real name, and whether it is for tests only.
fn dependencies(manifest: &Table) -> Vec<(String, bool)> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
    let tables = targets.filter_map(|(_, target)| target.as_table()).chain([manifest]);
    let kinds = [("dependencies", false), ("dev-dependencies", true), ("build-dependencies", false)];
    tables
        .flat_map(|table| kinds.iter().filter_map(|(kind, dev)| Some((table.get(*kind)?.as_table()?, *dev))))
        .flat_map(|(list, dev)| list.iter().map(move |(name, how)| (real_name(name, how), dev)))
        .collect()
}

fn real_name(name: &str, how: &Value) -> String {
    how.get("package").and_then(Value::as_str).unwrap_or(name).to_string()
}
