//! `pnpm-lock.yaml`, of lockfile versions 6 to 9: its flat list `packages`.

use super::add;
use super::lines::{Line, lines};
use crate::{Lockfile, Unreadable};

/// An entry under way.
#[derive(Default)]
struct Entry<'t> {
    key: &'t str,
    name: Option<&'t str>,
    version: Option<&'t str>,
    resolution: &'t str,
}

pub(super) fn read(text: &str) -> Result<Lockfile, Unreadable> {
    let version = lines(text).find(|line| line.indent == 0 && line.key == "lockfileVersion");
    let major = version.and_then(|line| line.value?.split('.').next()?.parse::<u32>().ok());
    if !major.is_some_and(|major| (6..=9).contains(&major)) {
        return Err(Unreadable("it is no lockfile of pnpm of version 6 to 9".to_owned()));
    }
    let (mut file, mut entry, mut inside) = (Lockfile::default(), None, false);
    for line in lines(text) {
        let Line { indent, key, value } = line;
        match (indent, value, &mut entry) {
            (0, _, _) => inside = key == "packages",
            _ if !inside => {}
            (2, None, _) => finish(&mut file, entry.replace(Entry { key, ..Entry::default() }))?,
            (4, Some(value), Some(entry)) => match key {
                "resolution" => entry.resolution = value,
                "name" => entry.name = Some(value),
                "version" => entry.version = Some(value),
                _ => {}
            },
            _ => {}
        }
    }
    finish(&mut file, entry)?;
    Ok(file)
}

/// `name@1.0.0(peer@2.0.0)`, before version 9 with a slash before it.
fn finish(file: &mut Lockfile, entry: Option<Entry<'_>>) -> Result<(), Unreadable> {
    let Some(entry) = entry else { return Ok(()) };
    let key = entry.key.strip_prefix('/').unwrap_or(entry.key);
    let key = key.split('(').next().unwrap_or_default();
    let Some((name, version)) = key.rsplit_once('@').filter(|(name, _)| !name.is_empty()) else {
        return file.pass(key, "it is from no registry");
    };
    let (name, version) = (entry.name.unwrap_or(name), entry.version.unwrap_or(version));
    let inner = entry.resolution.trim_start_matches('{').trim_end_matches('}');
    let word = |wanted: &str| {
        let fields = inner.split(", ").filter_map(|field| field.split_once(": "));
        fields.into_iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.trim_matches(['\'', '"']))
    };
    match (word("integrity"), word("tarball")) {
        (Some(sums), tarball) => add(file, name, version, tarball, sums),
        (None, _) => file.pass(key, "it is from no registry"),
    }
}
