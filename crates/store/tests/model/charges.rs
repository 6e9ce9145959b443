//! What the model says of the bytes allowance: whatever a tenant holds is charged exactly once.

use std::collections::BTreeMap;

use model::{Sha256Digest, Timestamp};

use crate::steps::Outcome;
use crate::world::{Version, World};

impl World {
    /// What a draft needs stays pinned, also when the draft is withdrawn: nothing else pays for it.
    pub(crate) fn expire_pins(&mut self, now: Timestamp, keep_until: Timestamp) -> Outcome {
        let due: Vec<_> = self.pins.iter().filter(|(_, (until, _))| *until <= now).map(|(at, _)| *at).collect();
        let mut dropped = false;
        for at in &due {
            let needs = |it: &Version| it.repo == at.0 && !it.was_published && it.needs(at.1);
            if self.versions.values().any(needs) {
                self.pins.entry(*at).and_modify(|pin| pin.0 = keep_until);
            } else {
                self.used_bytes -= self.pins.remove(at).map_or(0, |(_, charged)| charged);
                dropped = true;
            }
        }
        self.events += u64::from(dropped);
        Ok(due.len().to_string())
    }

    /// What the tenant holds, each thing once: what is announced, what is pinned, what was ever published.
    pub(crate) fn held_bytes(&self) -> u64 {
        let open = self.uploads.values().filter(|it| it.state.is_open()).map(|it| it.length);
        let pinned = self.pins.keys().map(|(_, digest)| self.blobs[digest]);
        let published = self.versions.values().filter(|it| it.was_published).map(|it| it.size(&self.blobs));
        open.chain(pinned).chain(published).sum()
    }

    /// Whether everything that a version needs is paid for where it is: by a pin or by a published version.
    pub(crate) fn all_is_paid_for(&self) -> bool {
        self.versions.values().filter(|it| !it.was_published).all(|it| {
            let pays = |other: &Version, digest| other.repo == it.repo && other.was_published && other.needs(digest);
            let paid = |digest| {
                self.pins.contains_key(&(it.repo, digest)) || self.versions.values().any(|other| pays(other, digest))
            };
            self.blobs.keys().filter(|digest| it.needs(**digest)).all(|digest| paid(*digest))
        })
    }
}

impl Version {
    pub(crate) fn needs(&self, digest: Sha256Digest) -> bool {
        self.manifest_blob == Some(digest) || self.entries.values().any(|entry| entry.digest == digest)
    }

    pub(crate) fn size(&self, blobs: &BTreeMap<Sha256Digest, u64>) -> u64 {
        let entries: u64 = self.entries.values().map(|entry| entry.size).sum();
        entries + self.manifest_blob.map_or(0, |digest| blobs[&digest])
    }
}
