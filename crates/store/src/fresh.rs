//! What caches ask before they believe themselves, when one process owns the database.
//!
//! Every committed change raises the stripes of what it touched after the commit and before the
//! acknowledgement. A cached answer carries the [`Stamp`] that was read *before* the facts were;
//! it is good as long as the stamp still holds. Two packages may share a stripe: that costs a
//! needless miss, never a stale answer. Memory is constant.

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use model::PackageId;

const STRIPES: usize = 1 << 14;

/// The counters of one embedded store.
pub struct Fresh {
    writes: AtomicU64,
    lists: AtomicU64,
    auth: AtomicU64,
    config: AtomicU64,
    copies: AtomicU64,
    packages: Box<[AtomicU64]>,
}

/// The state of a counter at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(u64);

impl Stamp {
    /// The stamp of a counter that was read from the database.
    pub fn from_epoch(epoch: u64) -> Self {
        Self(epoch)
    }

    /// The number behind it: for keys of caches.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl Default for Fresh {
    fn default() -> Self {
        let packages = std::iter::repeat_with(AtomicU64::default).take(STRIPES).collect();
        let zero = AtomicU64::default;
        Self { writes: zero(), lists: zero(), auth: zero(), config: zero(), copies: zero(), packages }
    }
}

impl Fresh {
    /// Tokens, principals and bindings.
    pub fn auth(&self) -> Stamp {
        Stamp(self.auth.load(Ordering::Acquire))
    }

    /// Repositories, their settings and rules.
    pub fn config(&self) -> Stamp {
        Stamp(self.config.load(Ordering::Acquire))
    }

    /// The copies of blobs that existed before: damaged, healed, moved or removed ones.
    pub fn copies(&self) -> Stamp {
        Stamp(self.copies.load(Ordering::Acquire))
    }

    /// Every committed transaction.
    pub fn writes(&self) -> Stamp {
        Stamp(self.writes.load(Ordering::Acquire))
    }

    /// All packages, of whatever repository.
    pub fn lists(&self) -> Stamp {
        Stamp(self.lists.load(Ordering::Acquire))
    }

    /// One package (and those that share its stripe).
    pub fn package(&self, id: PackageId) -> Stamp {
        Stamp(self.packages[stripe(id)].load(Ordering::Acquire))
    }

    pub(crate) fn apply(&self, touched: &Touched) {
        self.writes.fetch_add(1, Ordering::AcqRel);
        if touched.copies {
            self.copies.fetch_add(1, Ordering::AcqRel);
        }
        if touched.auth {
            self.auth.fetch_add(1, Ordering::AcqRel);
        }
        if touched.config {
            self.config.fetch_add(1, Ordering::AcqRel);
        }
        if !touched.packages.is_empty() {
            self.lists.fetch_add(1, Ordering::AcqRel);
        }
        for package in &touched.packages {
            self.packages[stripe(*package)].fetch_add(1, Ordering::AcqRel);
        }
    }
}

fn stripe(id: PackageId) -> usize {
    let mut hasher = std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default().build_hasher();
    hasher.write(id.0.as_bytes());
    usize::try_from(hasher.finish() % STRIPES as u64).unwrap_or_default()
}

/// What a transaction touched; collected while it runs, applied after its commit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Touched {
    pub(crate) auth: bool,
    pub(crate) config: bool,
    pub(crate) copies: bool,
    pub(crate) packages: Vec<PackageId>,
    /// Whether the journal or the job queue has something new.
    pub(crate) work: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_holds_until_its_package_is_touched() {
        let fresh = Fresh::default();
        let package = PackageId(uuid::Uuid::from_u128(7));
        let before = (fresh.package(package), fresh.auth(), fresh.lists());
        fresh.apply(&Touched { config: true, ..Touched::default() });
        assert_eq!((fresh.package(package), fresh.auth(), fresh.lists()), before);
        fresh.apply(&Touched { packages: vec![package], ..Touched::default() });
        assert_ne!(fresh.package(package), before.0);
        assert_ne!(fresh.lists(), before.2);
        assert_eq!(fresh.auth(), before.1);
    }
}
