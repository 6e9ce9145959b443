//! Lockfiles of pip, Poetry and uv.

mod locked;
mod requirements;
#[cfg(test)]
mod tests;

use super::names::{is_name, normal, version};
use crate::lockfile::text;
use crate::{Algorithm, LockedSum, Lockfile, Unreadable};

pub(super) fn read(name: &str, bytes: &[u8]) -> Option<Result<Lockfile, Unreadable>> {
    let read: fn(&str) -> Result<Lockfile, Unreadable> = match name.rsplit_once('.')?.1 {
        "txt" | "in" => requirements::read,
        "lock" => locked::read,
        _ => return None,
    };
    Some(text(bytes).and_then(read).map(Lockfile::once))
}

/// Whether a version of a project can be asked for so.
fn is_sound(name: &str, text: &str) -> bool {
    is_name(name) && version(text).is_some()
}

/// `sha256:0f…`
fn sum(text: &str, file: Option<&str>) -> Option<LockedSum> {
    let (word, digits) = text.split_once(':')?;
    let algorithm = Algorithm::ALL.into_iter().find(|algorithm| algorithm.word() == word)?;
    crate::lockfile::in_hex(algorithm, digits, file)
}
