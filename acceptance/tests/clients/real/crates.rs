//! Crates that this project is built from: Cargo has them in its cache, and what must come of them in its lock file.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use acceptance::server::Backing;
use acceptance::{Result, Trouble, environment, tree};
use flate2::read::GzDecoder;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value as Json, json};
use toml::{Table, Value};

use crate::cargo::cargo;
use crate::desk::Desk;

/// With everything that they need they are some ninety crates: renamed dependencies, features of both kinds,
/// dependencies of some targets alone, build metadata, `links`.
const ROOTS: [&str; 7] = ["chrono", "clap", "proptest", "quick-xml", "serde_json", "tar", "toml"];

/// A crate as a lock file has it: its name and its version.
type Locked = (String, String);

#[tokio::test]
async fn crates_of_this_build() -> Result<()> {
    let desk = Desk::open(Backing::Embedded, "cargo").await?;
    let lock: Table = tree::text("Cargo.lock")?.parse()?;
    let wanted = closure(&lock);
    assert!(wanted.len() >= 40, "only {} crates", wanted.len());
    let crates = stream::iter(&wanted).map(|((name, version), _)| publish(&desk, name, version));
    let lines: Vec<Json> = crates.buffered(4).try_collect().await?;
    for (line, checksum) in lines.iter().zip(wanted.values()) {
        assert_eq!(line["cksum"], **checksum, "{line}");
    }
    assert!(
        lines.iter().any(|line| line["features2"].is_object()) && lines.iter().any(|line| line["links"].is_string())
    );
    let renamed = |dependency: &Json| dependency["package"].is_string();
    assert!(lines.iter().any(|line| line["deps"].as_array().is_some_and(|list| list.iter().any(renamed))));

    // Cargo finds all of them here, resolves to the same, and compares the bytes.
    let config = desk.config("cargo", "config.toml")?;
    desk.write("clean/config.toml", config + "[source.crates-io]\nreplace-with = \"ours\"\n[net]\nretry = 0\n")?;
    desk.write("app/Cargo.toml", application()?)?;
    desk.write("app/src/main.rs", "fn main() {}\n")?;
    let token = desk.admin.token().to_owned();
    cargo(&desk, "clean", &token)?.args(["fetch"]).at(desk.home.join("app")).works()?;
    let found: Table = fs::read_to_string(desk.home.join("app/Cargo.lock"))?.parse()?;
    let found = checksums(&found);
    assert!(found.len() >= 40 && ROOTS.iter().all(|root| found.keys().any(|(name, _)| name == root)), "{found:?}");
    for (locked, checksum) in &found {
        assert_eq!(wanted.get(locked), Some(checksum), "{locked:?}");
    }
    Ok(())
}

/// The packages of a lock file that come from a registry, with their checksums.
fn checksums(lock: &Table) -> BTreeMap<Locked, String> {
    let text = |package: &Value, field: &str| package.get(field).and_then(Value::as_str).map(str::to_owned);
    let packages = lock.get("package").and_then(Value::as_array).into_iter().flatten();
    packages
        .filter_map(|package| Some(((text(package, "name")?, text(package, "version")?), text(package, "checksum")?)))
        .collect()
}

/// What the roots need, and they themselves.
fn closure(lock: &Table) -> BTreeMap<Locked, String> {
    let all = checksums(lock);
    let mut needs: BTreeMap<Locked, Vec<String>> = BTreeMap::new();
    for package in lock.get("package").and_then(Value::as_array).into_iter().flatten() {
        let text = |field: &str| package.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let list = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
        let list = list.filter_map(Value::as_str).map(str::to_owned).collect();
        needs.insert((text("name"), text("version")), list);
    }
    let mut closure = BTreeMap::new();
    let mut open: Vec<String> = ROOTS.map(str::to_owned).to_vec();
    while let Some(need) = open.pop() {
        // A name, with its version where there are several.
        let (name, version) = need.split_once(' ').map_or((need.as_str(), None), |(name, rest)| (name, Some(rest)));
        let fits = |locked: &Locked| locked.0 == name && version.is_none_or(|version| locked.1 == version);
        for (locked, checksum) in all.iter().filter(|(locked, _)| fits(locked)) {
            if closure.insert(locked.clone(), checksum.clone()).is_none() {
                open.extend(needs.get(locked).into_iter().flatten().cloned());
            }
        }
    }
    closure
}

/// A program that needs the roots as this project does.
fn application() -> Result<String> {
    let workspace: Table = tree::text("Cargo.toml")?.parse()?;
    let ours = workspace.get("workspace").and_then(|table| table.get("dependencies"));
    let mut dependencies = Table::new();
    for root in ROOTS {
        let how = ours.and_then(|ours| ours.get(root)).cloned();
        dependencies
            .insert(root.to_owned(), how.ok_or_else(|| Trouble::new(format!("{root} is not needed any more")))?);
    }
    let package = "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";
    let dependencies = Table::from_iter([("dependencies".to_owned(), dependencies.into())]);
    Ok(format!("{package}{dependencies}"))
}

/// Publishes a crate from Cargo's cache as Cargo does; the line that the index then has of it.
async fn publish(desk: &Desk, name: &str, version: &str) -> Result<Json> {
    let archive = cached(name, version)?;
    let metadata = metadata(&archive)?.to_string();
    let length = |length: usize| u32::try_from(length).unwrap_or_default().to_le_bytes();
    let body = [&length(metadata.len()), metadata.as_bytes(), &length(archive.len()), &archive].concat();
    let answer = desk.admin.put("/repository/cargo/api/v1/crates/new").body(body).send().await?;
    answer.expect(&[200]).map_err(|trouble| Trouble::new(format!("{name} {version}: {trouble:?}")))?;
    let name = name.to_lowercase();
    let folder = match name.len() {
        1 => "1".to_owned(),
        2 => "2".to_owned(),
        3 => format!("3/{}", &name[..1]),
        _ => format!("{}/{}", &name[..2], &name[2..4]),
    };
    let index = desk.admin.get(&format!("/repository/cargo/{folder}/{name}")).send().await?.expect(&[200])?.text();
    let lines: Vec<Json> = index.lines().map(serde_json::from_str).collect::<std::result::Result<_, _>>()?;
    let line = lines.into_iter().find(|line| line["vers"] == version);
    line.ok_or_else(|| Trouble::new(format!("{name} {version} is not in the index")))
}

/// The archive of a crate in the cache that this project was built from.
fn cached(name: &str, version: &str) -> Result<Vec<u8>> {
    let home = environment::read("CARGO_HOME").map(PathBuf::from);
    let home = home.map_or_else(|| environment::require("HOME").map(|home| Path::new(&home).join(".cargo")), Ok)?;
    let file = format!("{name}-{version}.crate");
    let found = fs::read_dir(home.join("registry/cache"))?.flatten().map(|cache| cache.path().join(&file));
    let found = found.into_iter().find(|path| path.is_file());
    let mut bytes = Vec::new();
    fs::File::open(found.ok_or_else(|| Trouble::new(format!("{file} is in no cache")))?)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What Cargo says of a crate when it publishes it, told from the `Cargo.toml` in the archive.
fn metadata(archive: &[u8]) -> Result<Json> {
    let manifest = manifest(archive)?;
    let package = manifest.get("package").and_then(Value::as_table).cloned().unwrap_or_default();
    let mut all = Vec::new();
    dependencies(&manifest, None, &mut all);
    for (target, table) in manifest.get("target").and_then(Value::as_table).into_iter().flatten() {
        dependencies(table.as_table().unwrap_or(&Table::new()), Some(target), &mut all);
    }
    Ok(json!({
        "name": package.get("name"), "vers": package.get("version"), "deps": all,
        "features": manifest.get("features").cloned().unwrap_or_else(|| Table::new().into()),
        "links": package.get("links"), "rust_version": package.get("rust-version"),
        "description": package.get("description"), "license": package.get("license"),
        "keywords": package.get("keywords"), "categories": package.get("categories"), "authors": package.get("authors"),
        "repository": package.get("repository"), "badges": {},
    }))
}

fn manifest(archive: &[u8]) -> Result<Table> {
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if path.components().count() == 2 && path.ends_with("Cargo.toml") {
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            return Ok(text.parse()?);
        }
    }
    Err(Trouble::new("no Cargo.toml"))
}

/// The dependencies in the tables of a manifest, or of a target in it.
fn dependencies(tables: &Table, target: Option<&str>, all: &mut Vec<Json>) {
    for (table, kind) in [("dependencies", "normal"), ("dev-dependencies", "dev"), ("build-dependencies", "build")] {
        for (name, how) in tables.get(table).and_then(Value::as_table).into_iter().flatten() {
            let package = how.get("package").and_then(Value::as_str);
            let requirement = how.as_str().or_else(|| how.get("version").and_then(Value::as_str)).unwrap_or("*");
            all.push(json!({
                "name": package.unwrap_or(name), "explicit_name_in_toml": package.map(|_| name),
                "version_req": requirement, "kind": kind, "target": target, "registry": null,
                "optional": how.get("optional").and_then(Value::as_bool).unwrap_or(false),
                "default_features": how.get("default-features").and_then(Value::as_bool).unwrap_or(true),
                "features": how.get("features").cloned().unwrap_or_else(|| Value::Array(Vec::new())),
            }));
        }
    }
}
