//! Documents in memory: made at most once for each state of their package, compressed at most once.

use std::any::Any;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};
use std::io::Write as _;
use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use formats::{Around, Document, PackageAt, VersionHead, View};
use model::{ObservationId, PackageId, RepoId, Sha256Digest, Timestamp, VersionId};
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use store::Stamp;
use tokio::sync::Semaphore;

use crate::noted::Note;

/// Shorter documents are not compressed: it would not save a packet.
const WORTH_COMPRESSING: usize = 1200;

/// Up to this length compressing is cheaper than handing it over.
const AT_ONCE: usize = 64 << 10;

/// Documents of these lengths, in bytes, are worth a copy that can be sent without copying.
const KEPT_TWICE: RangeInclusive<usize> = (64 << 10)..=(2 << 20);

/// How many documents the memory is laid out for: so few that it is not divided, as a part would be too small for a
/// long one. There may be more of them.
const FEW: usize = 32;

/// Lists of all packages that are made at the same time.
const LISTS: usize = 2;

/// A document as it is shown.
#[derive(Debug)]
pub struct Shown {
    media_type: &'static str,
    body: Bytes,
    digest: Sha256Digest,
    changed_at: Option<Timestamp>,
    stale_since: Option<Timestamp>,
    gzip: Arc<OnceLock<Option<Bytes>>>,
    note: Note,
    /// By the number of their algorithm.
    pub(super) sums: Arc<[OnceLock<String>; 5]>,
}

impl Shown {
    pub(crate) fn new(document: Document, changed_at: Option<Timestamp>) -> Self {
        let body = Bytes::from(document.body);
        let digest = Sha256Digest(Sha256::digest(&body).into());
        Self {
            media_type: document.media_type,
            body,
            digest,
            changed_at,
            stale_since: None,
            gzip: Arc::default(),
            note: Note::default(),
            sums: Arc::default(),
        }
    }

    /// Its media type.
    pub fn media_type(&self) -> &'static str {
        self.media_type
    }

    /// Its bytes.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Whether those who show it may keep its bytes a second time, in [`Shown::noted`]: their memory is counted.
    pub fn may_be_kept_twice(&self) -> bool {
        KEPT_TWICE.contains(&self.body.len())
    }

    /// The SHA-256 of its bytes.
    pub fn digest(&self) -> Sha256Digest {
        self.digest
    }

    /// When what it tells of last changed, where that is known.
    pub fn changed_at(&self) -> Option<Timestamp> {
        self.changed_at
    }

    /// The same, made from answers of an upstream that could not be asked again since then.
    pub(crate) fn stale(&self, since: Timestamp) -> Self {
        let (gzip, sums) = (Arc::clone(&self.gzip), Arc::clone(&self.sums));
        let note = Note::default();
        Self { body: self.body.clone(), stale_since: Some(since), gzip, note, sums, ..*self }
    }

    /// Since when the upstream cannot be asked whether it still holds.
    pub fn stale_since(&self) -> Option<Timestamp> {
        self.stale_since
    }

    /// What `make` makes of this document, made once for as long as it is remembered; as of a file, see
    /// [`crate::Found::noted`].
    pub fn noted<T: Any + Send + Sync>(&self, make: impl Fn() -> T) -> Arc<T> {
        self.note.get_or_make(make)
    }

    /// Its bytes compressed with gzip, where that is worth it. Long ones are compressed off the async workers.
    pub async fn gzip(self: &Arc<Self>) -> Option<Bytes> {
        if self.gzip.get().is_none() && self.body.len() > AT_ONCE {
            let shown = Arc::clone(self);
            let work = tokio::task::spawn_blocking(move || {
                shown.gzip.get_or_init(|| compress(&shown.body));
            });
            work.await.ok()?;
        }
        self.gzip.get_or_init(|| compress(&self.body)).clone()
    }
}

fn compress(body: &Bytes) -> Option<Bytes> {
    if body.len() < WORTH_COMPRESSING {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::default());
    encoder.write_all(body).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// What a document depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DocumentKey {
    pub(crate) of: Of,
    /// The state of what it tells of: its generation, or embedded the stamp of its counter.
    pub(crate) state: u64,
    pub(crate) view: View,
    /// The version or the part that was asked for; empty for the whole index.
    pub(crate) only: Box<str>,
    pub(crate) base: Box<str>,
}

/// A name in a repository, borrowed: what is remembered of it is found without a copy.
#[derive(Hash)]
pub(super) struct Named<'a>(pub(super) RepoId, pub(super) &'a PackageAt);

impl quick_cache::Equivalent<(RepoId, PackageAt)> for Named<'_> {
    fn equivalent(&self, key: &(RepoId, PackageAt)) -> bool {
        self.0 == key.0 && *self.1 == key.1
    }
}

/// What a document tells of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Of {
    /// A package.
    Package(PackageId),
    /// All packages of a repository.
    All(RepoId),
    /// What an upstream answered of a package.
    Observed(RepoId, PackageAt, Arc<[ObservationId]>),
    /// What members of a virtual repository have of a package, in these states.
    Merged(RepoId, PackageAt, Arc<[(RepoId, u64)]>),
}

/// What a fragment depends on: a published version changes only in its marks and its added files.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct FragmentKey {
    version: VersionId,
    marks: u64,
    view: View,
    base: u64,
}

impl FragmentKey {
    pub(super) fn new(head: &VersionHead, view: View, base: &str) -> Self {
        let hash = |value: &dyn Fn(&mut DefaultHasher)| {
            let mut hasher = BuildHasherDefault::<DefaultHasher>::default().build_hasher();
            value(&mut hasher);
            std::hash::Hasher::finish(&hasher)
        };
        let marks = hash(&|hasher| {
            (&head.yanked, &head.deprecated, head.unlisted, head.changed_at).hash(hasher);
        });
        Self { version: head.id, marks, view, base: hash(&|hasher| base.hash(hasher)) }
    }
}

#[derive(Clone)]
pub(crate) struct Weight;

impl quick_cache::Weighter<DocumentKey, Arc<Shown>> for Weight {
    fn weight(&self, key: &DocumentKey, shown: &Arc<Shown>) -> u64 {
        // The compressed form comes later; a quarter is about what it takes.
        let again = if shown.may_be_kept_twice() { shown.body.len() } else { 0 };
        (200 + key.base.len() + key.only.len() + shown.body.len() * 5 / 4 + again) as u64
    }
}

impl quick_cache::Weighter<FragmentKey, Option<Arc<[u8]>>> for Weight {
    fn weight(&self, _: &FragmentKey, fragment: &Option<Arc<[u8]>>) -> u64 {
        (100 + fragment.as_ref().map_or(0, |fragment| fragment.len())) as u64
    }
}

/// The memory of documents.
pub(crate) struct Documents {
    /// A name belongs to its package for ever: nothing here grows old.
    pub(super) ids: Cache<(RepoId, PackageAt), PackageId>,
    /// Names of which there was no package, embedded only: believed while none is touched.
    pub(super) absent: Cache<(RepoId, PackageAt), Stamp>,
    pub(crate) shown: Cache<DocumentKey, Arc<Shown>, Weight>,
    pub(super) fragments: Cache<FragmentKey, Option<Arc<[u8]>>, Weight>,
    /// Who makes a list of all packages: each holds all of them in memory, and a connection most of the time.
    pub(crate) lists: Semaphore,
    /// Refs of other packages, embedded only: believed while nothing at all is written.
    pub(super) around: Cache<(RepoId, Around), (Stamp, RefsAround)>,
}

/// Refs of other packages: package and ref.
pub(crate) type RefsAround = Arc<Vec<(String, String)>>;

impl Documents {
    /// Takes at most about `bytes` of memory.
    pub(crate) fn new(bytes: u64) -> Self {
        Self {
            ids: Cache::new(10_000),
            absent: Cache::new(10_000),
            around: Cache::new(1000),
            lists: Semaphore::new(LISTS),
            shown: Cache::with_weighter(FEW, bytes / 2, Weight),
            fragments: Cache::with_weighter(1000, bytes / 2, Weight),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_document_is_remembered() {
        let documents = Documents::new(32 << 20);
        let body = vec![b'x'; 10 << 20];
        let shown = Arc::new(Shown::new(Document { media_type: "text/plain", body }, None));
        let key = DocumentKey {
            of: Of::Package(PackageId(Default::default())),
            state: 1,
            view: 0,
            only: "".into(),
            base: "".into(),
        };
        documents.shown.insert(key.clone(), shown);
        assert!(documents.shown.get(&key).is_some());
    }

    #[tokio::test]
    async fn others_go_on_while_a_long_document_is_compressed() {
        let body: Vec<u8> = (0..4_000_000u32).flat_map(|number| number.to_string().into_bytes()).collect();
        let shown = Arc::new(Shown::new(Document { media_type: "text/plain", body }, Some(Timestamp(0))));
        let (packed, went_on) = tokio::join!(shown.gzip(), async { shown.gzip.get().is_none() });
        assert!(went_on, "the only worker was held until it was done");
        assert_eq!(packed.as_ref(), shown.gzip().await.as_ref());
        assert!(packed.is_some_and(|packed| packed.len() < shown.body().len()));
    }
}
