//! What an upstream tells of a package, with what is known better here: for those who put several together.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use formats::{Format, Head, PackageAt, Site, View};
use model::Timestamp;

use super::facts::{fragments, shown};
use super::known::Seen;
use super::overlay::Overlay;
use super::shown::Admitted;
use crate::authorize::{Grant, Read};
use crate::error::Result;
use crate::packaging::Fragments;

/// What is told of a package.
pub(crate) struct Witness {
    seen: Arc<Seen>,
    overlay: Overlay,
}

impl Grant<Read> {
    pub(crate) async fn witness(&self, at: &PackageAt, admitted: Admitted) -> Result<Witness> {
        let overlay = self.overlay_of(at, &admitted).await?;
        Ok(Witness { seen: admitted.seen, overlay })
    }
}

impl Witness {
    /// Another number when something else is told.
    pub(crate) fn state(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.seen.answers, self.overlay.state()).hash(&mut hasher);
        hasher.finish()
    }

    /// What is told of other packages: package and ref.
    pub(crate) fn around(&self) -> impl Iterator<Item = &(String, String)> {
        let out = &self.overlay.kept_out.around;
        self.seen.known.around.iter().filter(|(other, _)| !out.contains(other))
    }

    pub(crate) fn stale_since(&self) -> Option<Timestamp> {
        self.seen.stale_since
    }

    /// The package, and each of its versions as it stands in an index.
    pub(crate) fn rendered(
        &self,
        format: &dyn Format,
        at: &PackageAt,
        view: View,
        site: &Site<'_>,
    ) -> (Head, Fragments) {
        let (head, versions) = shown(&self.seen.known, &self.overlay).facts(at, 0, self.seen.changed_at);
        (head, fragments(format, view, &versions, site))
    }
}
