//! For tests: what an upstream tells becomes the facts that indexes are made of.

use std::sync::Arc;

use model::{Timestamp, VersionId};

use crate::{
    Document, FileFacts, Format, Head, Known, KnownFile, KnownVersion, PackageAt, Said, Site, VersionFacts,
    VersionHead, View, Wanting,
};

/// Where our own documents are in these tests.
pub(crate) const SITE: Site<'static> =
    Site { base: "https://host.example/repository/libs", auth_required: false, subject: None };

/// An answer that came from `address`.
pub(crate) fn said<'a>(body: &'a [u8], media_type: &'a str, address: &'a str) -> Said<'a> {
    Said { body, media_type, address, changed_at: None }
}

/// What is said of a version.
pub(crate) fn facts(version: &KnownVersion) -> VersionFacts {
    let head = VersionHead {
        id: VersionId(Default::default()),
        version: version.version.to_string(),
        published_at: version.published_at,
        changed_at: Timestamp(0),
        yanked: version.yanked.clone(),
        deprecated: version.deprecated.clone(),
        unlisted: false,
    };
    let file = |file: &KnownFile| FileFacts {
        path: file.path.to_string(),
        location: file.location.to_string(),
        digest: file.sha256,
        size: file.size,
        attributes: file.attributes.clone(),
        added_at: file.published_at,
        yanked: file.yanked.clone(),
    };
    let mut files: Vec<FileFacts> = version.files.iter().map(file).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    VersionFacts { head, manifest: version.manifest.clone(), files }
}

/// What stands around the versions.
pub(crate) fn head(at: &PackageAt, known: &Known) -> Head {
    Head {
        namespace: at.namespace.clone(),
        name: at.name.clone(),
        display: known.display.clone(),
        generation: 1,
        versions: known.versions.iter().map(|version| facts(version).head).collect(),
        refs: known.refs.clone(),
        around: known.around.clone(),
    }
}

/// The index that is made of it.
pub(crate) fn index(format: &dyn Format, at: &PackageAt, known: &Known, view: View) -> Option<Document> {
    let fragment = |version: &KnownVersion| format.fragment(view, &facts(version), &SITE).map(Arc::from);
    let fragments: Vec<_> = known.versions.iter().map(fragment).collect();
    format.assemble(view, &head(at, known), &fragments, &SITE)
}

/// What the only answer to the only question says.
pub(crate) fn read(
    format: &dyn Format,
    at: &PackageAt,
    wanted: Wanting<'_>,
    said: Said<'_>,
) -> Result<Option<Known>, crate::Unreadable> {
    format.upstream().expect("an upstream").read(at, wanted, &[Some(said)])
}
