//! What an upstream tells, in the terms in which every index is rendered.

use std::sync::Arc;

use formats::{Document, Format, Head, Known, PackageAt, Site, VersionFacts, View, Wanting};

use super::known::Seen;
use super::overlay::Overlay;
use crate::packaging::{Fragments, Shown};

/// The document; `None`: there is no such thing.
pub(super) fn render(
    format: &dyn Format,
    at: &PackageAt,
    view: View,
    wanted: Wanting<'_>,
    site: &Site<'_>,
    seen: &Seen,
    overlay: &Overlay,
) -> Option<Shown> {
    // What clients send back of a generation is for publishing, which is not done here.
    let generation = u64::try_from(seen.changed_at.0).unwrap_or_default();
    let (head, versions) = shown(&seen.known, overlay).facts(at, generation, seen.changed_at);
    let document = match wanted {
        Wanting::All => all(format, view, head, &versions, site)?,
        Wanting::Part(part) => {
            let belongs = |version: &VersionFacts| format.belongs(&version.head.version, part);
            all(format, view, head, &versions.into_iter().filter(belongs).collect::<Vec<_>>(), site)?
        }
        Wanting::One(name) => one(format, view, head, versions, name, site)?,
    };
    Some(Shown::new(document, Some(seen.changed_at)))
}

/// What the upstream tells, and where we know better what we know.
pub(super) fn shown(known: &Known, overlay: &Overlay) -> Known {
    let mut known = known.clone();
    let out = &overlay.kept_out;
    let is_out = |version: &str| overlay.here.withdrawn.contains(version) || out.versions.contains(version);
    known.versions.retain(|version| !is_out(version.version.as_str()));
    known.refs.retain(|(_, version)| !is_out(version));
    if !out.files.is_empty() {
        let files = known.versions.iter_mut().map(|version| &mut version.files);
        files.for_each(|files| files.retain(|file| !out.files.contains(file.location.as_str())));
    }
    known.around.retain(|(other, _)| !out.around.contains(other));
    for file in known.versions.iter_mut().flat_map(|version| &mut version.files) {
        if let Some(ours) = overlay.here.changed.get(file.location.as_str()) {
            (file.sha256, file.size) = (Some(ours.digest), Some(ours.size));
            file.attributes.clone_from(&ours.attributes);
        }
    }
    known
}

fn one(
    format: &dyn Format,
    view: View,
    mut head: Head,
    versions: Vec<VersionFacts>,
    name: &str,
    site: &Site<'_>,
) -> Option<Document> {
    let pointed = head.refs.iter().find(|(tag, _)| tag == name).map(|(_, version)| version.as_str());
    let named = versions.iter().any(|version| version.head.version == pointed.unwrap_or(name));
    let standing = (!named && format.standing_ref() == Some(name)).then(|| {
        let versions = versions.iter().map(|version| version.head.clone()).collect();
        format.stands_for(&Head { versions, ..head.clone() })
    });
    let standing = standing.flatten();
    let name = standing.as_deref().or(pointed).unwrap_or(name);
    let version = versions.into_iter().find(|version| version.head.version == name)?;
    head.versions = vec![version.head.clone()];
    format.version(view, &head, &version, site)
}

fn all(
    format: &dyn Format,
    view: View,
    mut head: Head,
    versions: &[VersionFacts],
    site: &Site<'_>,
) -> Option<Document> {
    head.versions = versions.iter().map(|version| version.head.clone()).collect();
    format.assemble(view, &head, &fragments(format, view, versions, site), site)
}

/// Each version as it stands in an index.
pub(super) fn fragments(format: &dyn Format, view: View, versions: &[VersionFacts], site: &Site<'_>) -> Fragments {
    match format.looks_inside(view) {
        true => versions.iter().map(|version| format.fragment(view, version, site).map(Arc::from)).collect(),
        false => vec![None; versions.len()],
    }
}
