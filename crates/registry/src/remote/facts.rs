//! What an upstream tells, in the terms in which every index is rendered.

use std::sync::Arc;

use formats::{
    Document, FileFacts, Format, Head, KnownFile, KnownVersion, PackageAt, Site, VersionFacts, VersionHead, View,
    Wanting,
};
use model::VersionId;
use uuid::Uuid;

use super::known::Seen;
use super::overlay::Overlay;
use crate::packaging::Shown;

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
    let mut head = head(at, seen);
    let shown = seen.known.versions.iter().filter(|version| !overlay.withdrawn.contains(version.version.as_str()));
    let mut versions: Vec<VersionFacts> = shown.map(|version| facts(version, seen, overlay)).collect();
    let document = match wanted {
        Wanting::One(name) => {
            let pointed = head.refs.iter().find(|(tag, _)| tag == name).map(|(_, version)| version.as_str());
            let name = pointed.unwrap_or(name).to_owned();
            one(format, view, head, versions, &name, site)?
        }
        Wanting::All | Wanting::Part(_) => {
            if let Wanting::Part(part) = wanted {
                versions.retain(|version| format.belongs(&version.head.version, part));
            }
            all(format, view, &mut head, &versions, site)?
        }
    };
    Some(Shown::new(document, Some(seen.changed_at)))
}

fn one(
    format: &dyn Format,
    view: View,
    mut head: Head,
    versions: Vec<VersionFacts>,
    name: &str,
    site: &Site<'_>,
) -> Option<Document> {
    let version = versions.into_iter().find(|version| version.head.version == name)?;
    head.versions = vec![version.head.clone()];
    format.version(view, &head, &version, site)
}

fn all(
    format: &dyn Format,
    view: View,
    head: &mut Head,
    versions: &[VersionFacts],
    site: &Site<'_>,
) -> Option<Document> {
    head.versions = versions.iter().map(|version| version.head.clone()).collect();
    let fragment = |version| format.fragment(view, version, site).map(Arc::from);
    let fragments: Vec<Option<Arc<[u8]>>> = match format.looks_inside(view) {
        true => versions.iter().map(fragment).collect(),
        false => vec![None; versions.len()],
    };
    format.assemble(view, head, &fragments, site)
}

fn head(at: &PackageAt, seen: &Seen) -> Head {
    Head {
        namespace: at.namespace.clone(),
        name: at.name.clone(),
        display: seen.known.display.clone(),
        // What clients send back of it is for publishing, which is not done here.
        generation: u64::try_from(seen.changed_at.0).unwrap_or_default(),
        versions: Vec::new(),
        refs: seen.known.refs.clone(),
        around: seen.known.around.clone(),
    }
}

fn facts(version: &KnownVersion, seen: &Seen, overlay: &Overlay) -> VersionFacts {
    let head = VersionHead {
        id: VersionId(Uuid::nil()),
        version: version.version.to_string(),
        published_at: version.published_at,
        changed_at: version.published_at.unwrap_or(seen.changed_at),
        yanked: version.yanked.clone(),
        deprecated: version.deprecated.clone(),
        unlisted: false,
    };
    let files = version.files.iter().map(|file| file_facts(file, overlay)).collect();
    VersionFacts { head, manifest: version.manifest.clone(), files }
}

fn file_facts(file: &KnownFile, overlay: &Overlay) -> FileFacts {
    let ours = overlay.changed.get(file.location.as_str());
    FileFacts {
        path: file.path.to_string(),
        location: file.location.to_string(),
        digest: ours.map(|ours| ours.digest).or(file.sha256),
        size: ours.map(|ours| ours.size).or(file.size),
        attributes: ours.map_or_else(|| file.attributes.clone(), |ours| ours.attributes.clone()),
        added_at: file.published_at,
        yanked: file.yanked.clone(),
    }
}
