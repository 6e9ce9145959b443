//! `package-lock.json` and `npm-shrinkwrap.json`, of lockfile versions 1 to 3.

use serde_json::{Map, Value as Json};

use super::add;
use crate::{Lockfile, Unreadable, strict};

const FOLDER: &str = "node_modules/";

pub(super) fn read(text: &str) -> Result<Lockfile, Unreadable> {
    let whole = strict::read(text.as_bytes()).map_err(|why| Unreadable(format!("it is no strict JSON: {why}")))?;
    let version = whole.get("lockfileVersion").and_then(Json::as_u64);
    let members = |field: &str| whole.get(field).and_then(Json::as_object);
    match (version, members("packages"), members("dependencies")) {
        (Some(2 | 3), Some(packages), _) => folders(packages),
        (Some(1), _, Some(dependencies)) => nested(dependencies),
        (Some(1..=3), None, None) => Ok(Lockfile::default()),
        _ => Err(Unreadable("it is no lockfile of npm of version 1, 2 or 3".to_owned())),
    }
}

/// Since version 2: what is in each folder.
fn folders(packages: &Map<String, Json>) -> Result<Lockfile, Unreadable> {
    let mut file = Lockfile::default();
    for (place, one) in packages {
        // What is not in such a folder is of the project itself.
        let Some((_, name)) = place.rsplit_once(FOLDER) else { continue };
        let word = |field: &str| one.get(field).and_then(Json::as_str);
        let says = |field: &str| one.get(field).and_then(Json::as_bool) == Some(true);
        // A bundled one comes with what it is in.
        if says("inBundle") {
            continue;
        }
        let name = word("name").unwrap_or(name);
        match (says("link"), word("version")) {
            (true, _) => file.pass(name, "it is a link to a folder")?,
            (false, None) => file.lack(name, "it has no version")?,
            (false, Some(version)) => {
                add(&mut file, name, version, word("resolved"), word("integrity").unwrap_or_default())?;
            }
        }
    }
    Ok(file)
}

/// Version 1: what each one needs is inside of it.
fn nested(dependencies: &Map<String, Json>) -> Result<Lockfile, Unreadable> {
    let mut file = Lockfile::default();
    let mut waiting = vec![dependencies];
    while let Some(level) = waiting.pop() {
        for (name, one) in level {
            waiting.extend(one.get("dependencies").and_then(Json::as_object));
            let word = |field: &str| one.get(field).and_then(Json::as_str);
            if one.get("bundled").and_then(Json::as_bool) == Some(true) {
                continue;
            }
            let Some(version) = word("version") else {
                file.lack(name, "it has no version")?;
                continue;
            };
            // An alias says which package it is.
            let alias = version.strip_prefix("npm:").and_then(|spec| spec.rsplit_once('@'));
            let (name, version) = alias.unwrap_or((name, version));
            match version.contains([':', '/']) {
                true => file.pass(name, "it is from no registry")?,
                false => add(&mut file, name, version, word("resolved"), word("integrity").unwrap_or_default())?,
            }
        }
    }
    Ok(file)
}
