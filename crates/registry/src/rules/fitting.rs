//! What no name and no path can fit is refused where it is written: a rule that never matches protects from nothing.

use std::collections::BTreeSet;
use std::iter;

use formats::Format;
use model::{EntryPath, PackageName};

use super::pattern::{Pattern, name_of, package_named};

/// Why a pattern is refused, as the end of a sentence; `None`: something can fit it.
pub(super) fn misfit(format: &dyn Format, pattern: &str) -> Option<String> {
    if can_fit(format, pattern) {
        return None;
    }
    let what = match pattern.strip_prefix('/') {
        Some(_) => "fits no path: segments between slashes are neither empty nor '.' nor '..'".to_owned(),
        None => format!("fits no name: {}", form(format)),
    };
    Some(format!("{what}{}", meant(format, pattern)))
}

/// Why the name of an image is none that its upstream, at this host, has.
pub(super) fn with_host(host: &str, pattern: &str) -> Option<String> {
    let bare = pattern.strip_prefix(host)?.strip_prefix('/')?;
    Some(format!("fits no name: names of images are without the host of the upstream. Was {bare} meant?"))
}

/// Why packages cannot be called so; `None`: they can.
pub(super) fn misnomer(format: &dyn Format, name: &PackageName) -> Option<String> {
    if name.as_str().contains('*') {
        return Some("must be the name of one package: patterns are for rules, such as allow".to_owned());
    }
    let unfit = !is_name(format, name);
    unfit.then(|| format!("can be the name of no package: {}{}", form(format), meant(format, name.as_str())))
}

/// What names look like.
fn form(format: &dyn Format) -> String {
    format!("names of the format {} are such as {}", format.key(), format.names().join(" or "))
}

/// What was probably meant, as a question.
fn meant(format: &dyn Format, pattern: &str) -> String {
    let found = repairs(format, pattern).into_iter().find(|repaired| repaired != pattern && can_fit(format, repaired));
    found.map(|repaired| format!(". Was {repaired} meant?")).unwrap_or_default()
}

/// What people write in the place of a pattern, as they would have to write it.
fn repairs(format: &dyn Format, pattern: &str) -> Vec<String> {
    let text = pattern.trim();
    // An address: which part of it is the name is nobody's guess.
    if text.contains("://") {
        return Vec::new();
    }
    let plain = text.trim_start_matches('^').trim_end_matches('$');
    let mut all = vec![text.to_owned(), plain.replace(".*", "*"), text.to_lowercase()];
    // A folder, a group, a scope; a name with its scope.
    let all_of = if text.ends_with(['/', ':']) {
        "*"
    } else if text.starts_with('@') {
        "/*"
    } else {
        ":*"
    };
    all.extend([format!("{text}{all_of}"), format!("@{text}")]);
    // A version, or a range of them, behind the name.
    all.extend(text.find([' ', '=', '<', '>', '!', '^', '~', '[', ';']).map(|at| text[..at].to_owned()));
    all.extend(text.rsplit_once(['@', ':']).filter(|(_, end)| !end.contains('/')).map(|(name, _)| name.to_owned()));
    // A path, where groups have dots.
    let path =
        text.rsplit_once('/').filter(|_| format.has_namespaces()).map(|(group, name)| (group.replace('/', "."), name));
    all.extend(path.filter(|(group, _)| group.contains('.')).map(|(group, name)| format!("{group}:{name}")));
    all
}

/// Whether there can be a name, or a path, that fits. Some are tried: with pieces of names of the format for the stars.
fn can_fit(format: &dyn Format, text: &str) -> bool {
    if let Some(path) = text.strip_prefix('/') {
        return fillings(path, &["a.b"]).any(|text| EntryPath::parse(&text).is_ok());
    }
    let pattern = Pattern::new(format, text);
    let fits = |name: &PackageName| pattern.is_name(&name_of(format, &package_named(format, name)));
    let names = fillings(text, format.names()).filter_map(|text| PackageName::parse(&text).ok());
    names.into_iter().any(|name| is_name(format, &name) && fits(&name))
}

fn is_name(format: &dyn Format, name: &PackageName) -> bool {
    format.is_name(&package_named(format, name))
}

/// The pattern with something for each star. What names have once (a colon, a scope, a host) is put for the first or
/// the last of them.
fn fillings(pattern: &str, samples: &[&str]) -> impl Iterator<Item = String> {
    let parts: Vec<_> = pattern.split('*').collect();
    let pieces = if parts.len() == 1 { BTreeSet::from([String::new()]) } else { pieces(samples) };
    // With a dot: before one, Go takes no `~1` at the end of a segment, behind one it does.
    let rest = [("a", "a"), ("a", ""), ("", "a"), ("", ""), ("a", "a.a")];
    let each = pieces.into_iter().flat_map(move |piece| rest.map(|(middle, end)| (piece.clone(), middle, end)));
    each.flat_map(move |(piece, middle, end)| {
        [filled(&parts, &piece, middle, end), filled(&parts, end, middle, &piece)]
    })
}

fn filled(parts: &[&str], first: &str, middle: &str, last: &str) -> String {
    let stars = parts.len() - 1;
    let put = |star: usize| match star {
        1 => first,
        star if star == stars => last,
        _ => middle,
    };
    iter::once("").chain((1..=stars).map(put)).zip(parts).flat_map(|(put, part)| [put, *part]).collect()
}

/// Whatever can be cut out of names between their words and signs.
fn pieces(samples: &[&str]) -> BTreeSet<String> {
    let cut = |sample: &&str| {
        let words = words(sample);
        let spans = (0..words.len()).flat_map(|from| (from..=words.len()).map(move |to| from..to));
        spans.filter_map(|span| words.get(span).map(<[&str]>::concat)).collect::<Vec<_>>()
    };
    samples.iter().flat_map(cut).collect()
}

/// Runs of letters, and every other character by itself.
fn words(mut text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    while !text.is_empty() {
        let end = text.find(|c: char| !c.is_ascii_alphabetic()).map_or(text.len(), |at| at.max(1));
        let (word, rest) = text.split_at(end);
        words.push(word);
        text = rest;
    }
    words
}

#[cfg(test)]
mod tests;
