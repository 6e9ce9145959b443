//! Lockfiles of npm, Yarn and pnpm.

mod lines;
mod npm;
mod pnpm;
#[cfg(test)]
mod tests;
mod yarn;

use super::names::{is_listed, is_name};
use crate::lockfile::{integrity, origin, text};
use crate::{Locked, Lockfile, Unreadable};

pub(super) fn read(name: &str, bytes: &[u8]) -> Option<Result<Lockfile, Unreadable>> {
    let read: fn(&str) -> Result<Lockfile, Unreadable> = match name.rsplit_once('.')?.1 {
        "json" => npm::read,
        "lock" => yarn::read,
        "yaml" | "yml" => pnpm::read,
        _ => return None,
    };
    Some(text(bytes).and_then(read).map(Lockfile::once))
}

/// Adds a version that is from a registry.
fn add(file: &mut Lockfile, name: &str, version: &str, resolved: Option<&str>, sums: &str) -> Result<(), Unreadable> {
    if !is_name(name) || !is_listed(version) {
        let what = format!("{}@{}", name.escape_debug(), version.escape_debug());
        return file.lack(what, "it has no name and version of a package");
    }
    let from = match resolved.map(|resolved| registry(name, resolved)) {
        Some(None) => return file.pass(format!("{name}@{version}"), "it is from no registry"),
        Some(Some(from)) => Some(from),
        None => None,
    };
    file.add(Locked { from, sums: integrity(sums), ..Locked::package(name, version) })
}

/// The registry that an archive is from: what stands before its name, or else its origin.
fn registry(name: &str, resolved: &str) -> Option<String> {
    let origin = origin(resolved)?;
    let lower = resolved.to_ascii_lowercase();
    let spelt = [name.to_ascii_lowercase(), name.to_ascii_lowercase().replace('/', "%2f")];
    let before = spelt.iter().find_map(|name| lower.find(&format!("/{name}/-/")));
    Some(before.and_then(|at| resolved.get(..at)).map_or(origin, str::to_owned))
}
