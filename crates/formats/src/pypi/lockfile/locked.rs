//! `poetry.lock` and `uv.lock`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{is_sound, normal, sum};
use crate::{Locked, LockedSum, Lockfile, Unreadable};

#[derive(Deserialize)]
struct Whole {
    #[serde(default)]
    package: Vec<Package>,
    #[serde(default)]
    metadata: Metadata,
}

/// Where Poetry before 1.3 had the files.
#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    files: BTreeMap<String, Vec<File>>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: Option<String>,
    #[serde(default)]
    source: BTreeMap<String, toml::Value>,
    #[serde(default)]
    files: Vec<File>,
    sdist: Option<File>,
    #[serde(default)]
    wheels: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    file: Option<String>,
    url: Option<String>,
    hash: Option<String>,
}

impl File {
    fn sum(&self) -> Option<LockedSum> {
        let of_url = || self.url.as_deref()?.split(['?', '#']).next()?.rsplit('/').next();
        sum(self.hash.as_deref()?, Some(self.file.as_deref().or_else(of_url)?))
    }
}

pub(super) fn read(text: &str) -> Result<Lockfile, Unreadable> {
    let whole: Whole = toml::from_str(text).map_err(|_| Unreadable("it is no lockfile of Poetry or uv".to_owned()))?;
    let mut file = Lockfile::default();
    for package in whole.package {
        let shown = || package.name.escape_debug().to_string();
        let from = match origin(&package.source) {
            Ok(from) => from,
            Err(None) => continue,
            Err(Some(why)) => {
                file.pass(shown(), why)?;
                continue;
            }
        };
        let Some(version) = package.version.as_deref().filter(|version| is_sound(&package.name, version)) else {
            file.lack(shown(), "it has no name and version of a project")?;
            continue;
        };
        let elsewhere = whole.metadata.files.get(&package.name).into_iter().flatten();
        let files = package.files.iter().chain(&package.sdist).chain(&package.wheels).chain(elsewhere);
        let sums = files.filter_map(File::sum).collect();
        file.add(Locked { from, sums, ..Locked::package(normal(&package.name), version) })?;
    }
    Ok(file)
}

/// The index that a package is from: said, or the usual one. Else why it is passed over; `None`: it is the project's own.
fn origin(source: &BTreeMap<String, toml::Value>) -> Result<Option<String>, Option<&'static str>> {
    let word = |name: &str| source.get(name).and_then(toml::Value::as_str);
    let index = |address: &str| Some(address.trim_end_matches('/').to_owned());
    match (word("registry"), word("type"), word("url")) {
        _ if source.is_empty() => Ok(None),
        (Some(address), ..) if address.contains("://") => Ok(index(address)),
        (None, Some("legacy"), Some(address)) => Ok(index(address)),
        _ if ["virtual", "editable"].iter().any(|own| source.contains_key(*own)) => Err(None),
        _ => Err(Some("it is from no registry")),
    }
}
