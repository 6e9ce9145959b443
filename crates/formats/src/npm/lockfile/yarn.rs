//! `yarn.lock`, of Yarn 1 and of those since version 2.

use super::add;
use super::lines::{Line, lines};
use crate::lockfile::in_hex;
use crate::{Algorithm, Lockfile, Unreadable};

/// An entry under way.
#[derive(Default)]
struct Entry<'t> {
    key: &'t str,
    version: Option<&'t str>,
    resolved: Option<&'t str>,
    resolution: Option<&'t str>,
    integrity: &'t str,
}

pub(super) fn read(text: &str) -> Result<Lockfile, Unreadable> {
    let first = text.lines().any(|line| line.trim() == "# yarn lockfile v1");
    let later = lines(text).any(|line| line.indent == 0 && line.key == "__metadata");
    if !first && !later {
        return Err(Unreadable("it is no lockfile of Yarn".to_owned()));
    }
    let (mut file, mut entry) = (Lockfile::default(), None);
    for line in lines(text) {
        let Line { indent, key, value } = line;
        match (indent, value, &mut entry) {
            (0, None, _) => finish(&mut file, entry.replace(Entry { key, ..Entry::default() }), later)?,
            (0, Some(_), _) => return Err(Unreadable("a line stands where an entry begins".to_owned())),
            (2, Some(value), Some(entry)) => match key {
                "version" => entry.version = Some(value),
                "resolved" => entry.resolved = Some(value),
                "resolution" => entry.resolution = Some(value),
                "integrity" => entry.integrity = value,
                _ => {}
            },
            _ => {}
        }
    }
    finish(&mut file, entry, later)?;
    Ok(file)
}

fn finish(file: &mut Lockfile, entry: Option<Entry<'_>>, later: bool) -> Result<(), Unreadable> {
    let Some(entry) = entry.filter(|entry| entry.key != "__metadata") else { return Ok(()) };
    if later { resolution(file, &entry) } else { version_1(file, &entry) }
}

/// `resolution: "name@npm:1.0.0"`. Their checksums are those of archives of their own.
fn resolution(file: &mut Lockfile, entry: &Entry<'_>) -> Result<(), Unreadable> {
    let resolution = entry.resolution.unwrap_or(entry.key);
    match resolution.split_once("@npm:") {
        Some((name, version)) if !version.contains([':', '/']) => add(file, name, version, None, ""),
        Some((name, _)) => file.pass(name, "it is from no registry"),
        // Of the project itself.
        None if resolution.contains("@workspace:") => Ok(()),
        // What is patched is there without its patch as well.
        None if resolution.contains("@patch:") => Ok(()),
        None => file.pass(resolution, "it is from no registry"),
    }
}

/// `name@range, name@range:`, `version "1.0.0"`, `resolved "https://…#sha1"`.
fn version_1(file: &mut Lockfile, entry: &Entry<'_>) -> Result<(), Unreadable> {
    let spec = entry.key.split(", ").next().unwrap_or_default().trim_matches('"');
    let spec = spec.split_once("@npm:").map_or(spec, |(_, real)| real);
    let name = spec.char_indices().skip(1).find(|(_, c)| *c == '@').and_then(|(at, _)| spec.get(..at)).unwrap_or(spec);
    let (Some(version), Some(resolved)) = (entry.version, entry.resolved) else {
        return file.pass(name, "it is from no registry");
    };
    let (address, sum) = resolved.split_once('#').unwrap_or((resolved, ""));
    let before = file.wanted.len();
    add(file, name, version, Some(address), entry.integrity)?;
    if let Some(added) = file.wanted.get_mut(before) {
        added.sums.extend(in_hex(Algorithm::Sha1, sum, None));
    }
    Ok(())
}
