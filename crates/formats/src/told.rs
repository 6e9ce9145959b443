//! For tests: what an upstream tells becomes the facts that indexes are made of.

use std::sync::Arc;

use model::Timestamp;

use crate::{Document, Format, Head, Known, KnownVersion, PackageAt, Said, Site, VersionFacts, View, Wanting};

/// Where our own documents are in these tests.
pub(crate) const SITE: Site<'static> =
    Site { base: "https://host.example/repository/libs", auth_required: false, subject: None };

/// An answer that came from `address`.
pub(crate) fn said<'a>(body: &'a [u8], media_type: &'a str, address: &'a str) -> Said<'a> {
    Said { body, media_type, address, changed_at: None }
}

/// What is said of a version.
pub(crate) fn facts(version: &KnownVersion) -> VersionFacts {
    let known = Known { versions: vec![version.clone()], ..Known::default() };
    known.facts(&PackageAt::named(""), 1, Timestamp(0)).1.remove(0)
}

/// What stands around the versions.
pub(crate) fn head(at: &PackageAt, known: &Known) -> Head {
    known.clone().facts(at, 1, Timestamp(0)).0
}

/// The index that is made of it.
pub(crate) fn index(format: &dyn Format, at: &PackageAt, known: &Known, view: View) -> Option<Document> {
    let (head, versions) = known.clone().facts(at, 1, Timestamp(0));
    let fragments: Vec<_> =
        versions.iter().map(|version| format.fragment(view, version, &SITE).map(Arc::from)).collect();
    format.assemble(view, &head, &fragments, &SITE)
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
