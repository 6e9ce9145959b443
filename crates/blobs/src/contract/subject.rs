//! A store under test, with a way to damage it behind its back.

use std::path::{Path, PathBuf};

use model::Ambient;
use tempfile::TempDir;

use super::service::Service;
use crate::blobs::Place;
use crate::{Area, Blobs, Key, Options};

/// One store under test.
pub(crate) struct Subject {
    pub(crate) blobs: Blobs,
    /// Where its files are, for places that have files.
    files: Option<PathBuf>,
    /// Where half-received content shows up as files.
    half: Option<PathBuf>,
    pub(crate) service: Option<Service>,
    _folder: Option<TempDir>,
}

impl Subject {
    pub(crate) async fn disk() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let blobs = Blobs::disk(folder.path(), Options::default()).expect("a blob folder");
        let half = Some(folder.path().join("staging"));
        Self { blobs, files: Some(folder.path().to_owned()), half, service: None, _folder: Some(folder) }
    }

    pub(crate) async fn memory() -> Self {
        let blobs = Blobs::memory(Options::default());
        Self { blobs, files: None, half: None, service: None, _folder: None }
    }

    pub(crate) async fn s3() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let service = Service::start(folder.path()).await;
        let blobs = Blobs::s3(&service.config(), Options::default()).expect("a client");
        let files = Some(service.files(folder.path()));
        Self { blobs, files, half: Some(folder.path().to_owned()), service: Some(service), _folder: Some(folder) }
    }

    /// Changes the stored bytes as a failing medium would.
    pub(crate) fn damage(&self, key: &Key, change: impl FnOnce(&mut Vec<u8>)) {
        match (&self.files, &self.blobs.place) {
            (Some(files), _) => damage_file(&files.join(key.as_str()), change),
            (None, Place::Memory(memory)) => {
                let mut bytes = memory.get(key).expect("a copy").to_vec();
                change(&mut bytes);
                memory.replace(key, bytes.into());
            }
            (None, _) => panic!("no way to damage this place"),
        }
    }

    /// The keys of every area.
    pub(crate) async fn keys(&self) -> Vec<Key> {
        let mut keys = Vec::new();
        for area in Area::ALL {
            let page = self.blobs.list(area, None, usize::MAX).await.expect("a list");
            keys.extend(page.into_iter().map(|stored| stored.key));
        }
        keys
    }

    /// Files that belong to no key: staged content, parts of multipart uploads.
    fn half_received(&self) -> usize {
        let Some(half) = &self.half else { return 0 };
        let names = std::fs::read_dir(half).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        names.filter(|name| self.service.is_none() || name.to_string_lossy().contains(".part-")).count()
    }

    /// Waits until nothing is left of abandoned content; fails after some seconds.
    pub(crate) async fn assert_empty(&self) {
        let empty = async {
            while !self.keys().await.is_empty() || self.half_received() > 0 {
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(std::time::Duration::from_secs(10), empty).await.is_err() {
            panic!("left behind: {:?} and {} half-received files", self.keys().await, self.half_received());
        }
    }
}

fn damage_file(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    #[expect(clippy::disallowed_methods, reason = "a test damages a small file whole")]
    let mut bytes = std::fs::read(path).expect("a file");
    change(&mut bytes);
    std::fs::write(path, bytes).expect("written back");
}

/// Chance that repeats itself: every id is the same.
pub(crate) fn stuck() -> Ambient {
    struct Stuck;
    impl model::Random for Stuck {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0x5a);
        }
    }
    let clock = model::ManualClock::at(model::Timestamp(1_763_700_000_000_000));
    Ambient::new(std::sync::Arc::new(clock), std::sync::Arc::new(Stuck))
}
