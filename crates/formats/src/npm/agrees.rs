//! What a client says of a package against what the package says of itself. An index that hides what
//! installing does ("manifest confusion") is refused.

use std::collections::BTreeMap;

use model::Refusal;
use serde_json::{Map, Value as Json};

use super::archive::Archive;
use super::names::clean;
use crate::tarball::contradiction;

type Object = Map<String, Json>;
type Pairs = BTreeMap<String, String>;

/// Refuses what the request and the archive tell differently: name, version, what is depended on,
/// what is run on installation, what commands there will be.
pub(super) fn agrees(sent: &Object, archive: &Archive) -> Result<(), Refusal> {
    let stated = &archive.package;
    let text = |object: &Object, key| object.get(key).and_then(Json::as_str).map(str::to_owned);
    same("name", text(sent, "name"), text(stated, "name"))?;
    let version = |object| text(object, "version").map(|text| clean(&text).unwrap_or(text));
    same("version", version(sent), version(stated))?;
    dependencies(sent, stated)?;
    for script in ["preinstall", "install", "postinstall"] {
        let of = |object: &Object| object.get("scripts")?.get(script)?.as_str().map(str::to_owned);
        let (sent, stated) = (of(sent), of(stated));
        let implied = stated.is_none() && archive.gyp && script == "install";
        if !(implied && sent.as_deref().is_none_or(|sent| sent == "node-gyp rebuild")) {
            same(&format!("scripts.{script}"), sent, stated)?;
        }
    }
    commands(sent, stated)
}

fn same(what: &str, sent: Option<String>, stated: Option<String>) -> Result<(), Refusal> {
    if sent == stated {
        return Ok(());
    }
    let text = |value: Option<String>| value.map_or("nothing".to_owned(), |value| format!("{value:?}"));
    let (sent, stated) = (text(sent), text(stated));
    Err(contradiction(format!("the request says {what} {sent}, package.json in the archive says {stated}")))
}

/// Optional dependencies count as dependencies too: clients put them there, or take them away.
fn dependencies(sent: &Object, stated: &Object) -> Result<(), Refusal> {
    for field in ["optionalDependencies", "peerDependencies"] {
        equal(field, &pairs(sent, field)?, &pairs(stated, field)?)?;
    }
    let all = |object: &Object| -> Result<Pairs, Refusal> {
        let mut all = pairs(object, "dependencies")?;
        all.extend(pairs(object, "optionalDependencies")?);
        Ok(all)
    };
    equal("dependencies", &all(sent)?, &all(stated)?)
}

fn equal(field: &str, sent: &Pairs, stated: &Pairs) -> Result<(), Refusal> {
    let names = sent.keys().chain(stated.keys());
    for name in names {
        same(&format!("{field}.{name}"), sent.get(name).cloned(), stated.get(name).cloned())?;
    }
    Ok(())
}

fn pairs(object: &Object, field: &str) -> Result<Pairs, Refusal> {
    let odd = || contradiction(format!("{field} must be an object of texts"));
    match object.get(field) {
        None | Some(Json::Null | Json::Bool(false)) => Ok(Pairs::new()),
        Some(Json::Array(list)) if list.is_empty() => Ok(Pairs::new()),
        Some(Json::Object(map)) => map
            .iter()
            .map(|(name, value)| Ok((name.clone(), value.as_str().ok_or_else(odd)?.trim().to_owned())))
            .collect(),
        Some(_) => Err(odd()),
    }
}

/// Commands: their names and the files that they run. `directories.bin` names a folder, whose files
/// clients list themselves.
fn commands(sent: &Object, stated: &Object) -> Result<(), Refusal> {
    let listed = stated.get("directories").and_then(|folders| folders.get("bin")).is_some();
    if listed && !stated.contains_key("bin") {
        return Ok(());
    }
    equal("bin", &bin(sent), &bin(stated))
}

fn bin(object: &Object) -> Pairs {
    let file = |path: &str| path.trim_start_matches(['.', '/']).to_owned();
    let short = |name: &str| name.rsplit(['/', '\\', ':']).next().unwrap_or(name).to_owned();
    match object.get("bin") {
        Some(Json::String(path)) => {
            let name = object.get("name").and_then(Json::as_str).map(short).unwrap_or_default();
            Pairs::from([(name, file(path))])
        }
        Some(Json::Object(map)) => {
            map.iter().filter_map(|(name, path)| Some((short(name), file(path.as_str()?)))).collect()
        }
        Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).map(|path| (short(path), file(path))).collect(),
        _ => Pairs::new(),
    }
}
