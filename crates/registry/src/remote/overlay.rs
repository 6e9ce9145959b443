//! What we know better than an upstream: what was withdrawn here, and the bytes that we have of its files.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use formats::{Algorithm, Known, KnownFile, PackageAt, Sums};
use model::Sha256Digest;
use store::observations::{self, Kept};

use super::sift::KeptOut;
use crate::authorize::{Grant, Read};
use crate::error::Result;

/// Where what is here differs from what the upstream tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Overlay {
    /// Versions that are not shown.
    pub(super) withdrawn: BTreeSet<String>,
    /// Files whose bytes are others there by now, by their location: ours stay.
    pub(super) changed: BTreeMap<String, Ours>,
    /// What the rules keep out.
    pub(super) kept_out: Arc<KeptOut>,
}

/// What we have of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ours {
    pub(super) digest: Sha256Digest,
    pub(super) size: u64,
    pub(super) attributes: Option<String>,
}

impl Ours {
    /// Whether the upstream tells of other bytes.
    fn differs(&self, told: &KnownFile) -> bool {
        let sums = self.attributes.as_deref().map(Sums::of_attributes).unwrap_or_default();
        let known = |algorithm| sums.hex(algorithm).zip(told.sums.hex(algorithm));
        told.sha256.is_some_and(|digest| digest != self.digest)
            || Algorithm::ALL.into_iter().filter_map(known).any(|(ours, theirs)| ours != theirs)
    }
}

impl Overlay {
    pub(super) fn of(known: &Known, kept: Vec<Kept>) -> Self {
        let mut overlay = Self::default();
        let mut here: BTreeMap<String, Ours> = BTreeMap::new();
        for file in kept {
            if !file.shown {
                overlay.withdrawn.insert(file.version);
            } else if let (Some(location), Some(digest), Some(size)) = (file.location, file.digest, file.size) {
                here.insert(location, Ours { digest, size, attributes: file.attributes });
            }
        }
        for file in known.versions.iter().flat_map(|version| &version.files) {
            let ours = here.remove_entry(file.location.as_str());
            overlay.changed.extend(ours.filter(|(_, ours)| ours.differs(file)));
        }
        overlay
    }

    /// How many versions and files it holds.
    pub(super) fn rows(&self) -> u64 {
        (self.withdrawn.len() + self.changed.len()) as u64
    }

    /// A number that is another one for another overlay.
    pub(super) fn state(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

impl Grant<Read> {
    /// What is here of a package.
    pub(super) async fn kept(&self, at: &PackageAt) -> Result<Vec<Kept>> {
        let (repo, when) = (self.repo_id(), self.when());
        let look = async |session: &mut store::Session<'_>| {
            observations::kept(session, repo, &at.namespace, &at.name, when).await
        };
        Ok(self.store().read(look).await?)
    }
}

#[cfg(test)]
mod tests {
    use formats::KnownVersion;
    use model::{EntryPath, VersionId, VersionName};

    use super::*;

    fn known(files: &[(&str, Option<u8>)]) -> Known {
        let file = |(name, digest): &(&str, Option<u8>)| KnownFile {
            path: EntryPath::parse(name).expect("a path"),
            location: EntryPath::parse(name).expect("a path"),
            target: String::new(),
            size: None,
            sha256: digest.map(|byte| Sha256Digest([byte; 32])),
            sums: Default::default(),
            attributes: None,
            published_at: None,
            yanked: None,
        };
        let version = KnownVersion {
            version: VersionName::parse("1.0").expect("a name"),
            published_at: None,
            manifest: String::new(),
            yanked: None,
            deprecated: None,
            files: files.iter().map(file).collect(),
        };
        Known { versions: vec![version], ..Known::default() }
    }

    fn kept(version: &str, shown: bool, file: &str, digest: u8) -> Kept {
        let (location, digest) = (Some(file.to_owned()), Some(Sha256Digest([digest; 32])));
        let (id, fetched_at) = (VersionId(Default::default()), None);
        Kept { id, fetched_at, version: version.to_owned(), shown, location, digest, size: Some(7), attributes: None }
    }

    #[test]
    fn only_what_differs_counts() {
        let known = known(&[("same", Some(1)), ("other", Some(2)), ("untold", None), ("new", Some(3))]);
        let here = vec![kept("1.0", true, "same", 1), kept("1.0", true, "other", 9), kept("1.0", true, "untold", 8)];
        let overlay = Overlay::of(&known, here.clone());
        assert_eq!(overlay.changed.keys().collect::<Vec<_>>(), ["other"]);
        assert!(overlay.withdrawn.is_empty());
        let more = [here, vec![kept("0.9", false, "old", 1), kept("2.0", true, "elsewhere", 4)]].concat();
        let with_more = Overlay::of(&known, more);
        assert_eq!(with_more.withdrawn.iter().collect::<Vec<_>>(), ["0.9"]);
        assert_eq!(with_more.changed, overlay.changed);
        assert_ne!(with_more.state(), overlay.state());
        assert_eq!(Overlay::of(&known, Vec::new()), Overlay::default());
    }

    #[test]
    fn any_digest_tells_bytes_apart() {
        let mut told = known(&[("file", None)]);
        told.versions[0].files[0].sums.sha1 = Some([1; 20]);
        let here = |byte: u8| {
            let attributes = Sums { sha1: Some([byte; 20]), ..Sums::default() }.attributes();
            let attributes = Some(serde_json::Value::Object(attributes).to_string());
            vec![Kept { attributes, ..kept("1.0", true, "file", 1) }]
        };
        assert_eq!(Overlay::of(&told, here(1)), Overlay::default());
        assert_eq!(Overlay::of(&told, here(2)).changed.len(), 1);
    }
}
