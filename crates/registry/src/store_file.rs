//! A file comes in and becomes a published version.

use blobs::{Body, Expect, Received, Writer};
use bytes::Bytes;
use model::state::CopyKind;
use model::{EntryPath, Sha256Digest, VersionId};
use store::blobs::{NewBlob, NewBody};
use store::deposit::Deposit;
use store::packages::Coordinate;
use store::publish::{PublishFile, Replace};

use crate::authorize::{Grant, Write};
use crate::error::Result;
use crate::registry::Registry;
use crate::repositories::RepoSettings;
use crate::to_the_end::to_the_end;

/// What the client said about the bytes.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// Their digest.
    pub sha256: Option<Sha256Digest>,
    /// Their length.
    pub length: Option<u64>,
    /// Their media type.
    pub media_type: Option<String>,
}

/// Bytes being received. Dropped before [`Incoming::publish`], it leaves nothing behind.
pub struct Incoming {
    grant: Grant<Write>,
    writer: Writer,
    path: EntryPath,
    declared: Declared,
    overwrite: bool,
    replace: Replace,
}

/// What became of them.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The version that now answers at the path.
    pub version: VersionId,
    /// The content's name.
    pub digest: Sha256Digest,
    /// Its length.
    pub size: u64,
    /// Whether the path had a version before.
    pub replaced: bool,
}

impl Grant<Write> {
    /// Begins to receive a file for `path`. Refuses at once what could only fail later.
    pub async fn receive(&self, path: EntryPath, declared: Declared, replace: Replace) -> Result<Incoming> {
        let overwrite = RepoSettings::of(self.repo())?.allow_overwrite;
        let limit = self.settings().max_upload;
        if declared.length.is_some_and(|length| length > limit) {
            return Err(blobs::Error::TooLong { limit }.into());
        }
        let writer = self.registry().blobs().writer(self.ambient()).at_most(limit);
        Ok(Incoming { grant: self.clone(), writer, path, declared, overwrite, replace })
    }
}

impl Incoming {
    /// Takes the next bytes.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        Ok(self.writer.write(bytes).await?)
    }

    /// Verifies, makes durable and publishes, also when the caller goes away: from the next request on
    /// everybody sees it.
    pub async fn publish(self) -> Result<Stored> {
        to_the_end(self.keep()).await
    }

    async fn keep(self) -> Result<Stored> {
        let expect = Expect { sha256: self.declared.sha256, length: self.declared.length };
        let received = self.writer.finish(expect).await?;
        let registry = self.grant.registry().clone();
        let (digest, size) = (received.digest, received.length);
        let place = stored_place(&received);
        let version = self.grant.ambient().id();
        let name = self.path.as_str().to_owned();
        let write = PublishFile {
            act: self.grant.act(),
            repo: self.grant.repo_id(),
            package: Coordinate {
                kind: "raw".to_owned(),
                namespace: String::new(),
                name: name.clone(),
                display_name: name,
            },
            new_package: self.grant.ambient().id(),
            version,
            path: self.path,
            media_type: self.declared.media_type,
            blob: registry.new_blob(received),
            overwrite: self.overwrite,
            replace: self.replace,
            upstream: None,
            limits: self.grant.settings().limits,
        };
        match registry.deposit(write).await {
            Ok(published) => Ok(Stored { version: published.id, digest, size, replaced: published.replaced }),
            Err(error) => {
                registry.abandon(place, &error).await;
                Err(error.into())
            }
        }
    }
}

pub(crate) fn stored_place(received: &Received) -> Option<blobs::Key> {
    match &received.body {
        Body::Stored { key } => Some(key.clone()),
        Body::Inline(_) => None,
    }
}

impl Registry {
    /// Puts received bytes into the terms of the store, with a fresh copy id.
    pub(crate) fn new_blob(&self, received: Received) -> NewBlob {
        let body = match received.body {
            Body::Inline(bytes) => NewBody::Inline(bytes.into()),
            Body::Stored { key } => NewBody::Stored { kind: self.stored_kind(), place: key.as_str().to_owned() },
        };
        let sums = received.sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        NewBlob { digest: received.digest, length: received.length, sums, copy: self.ambient().id(), body }
    }

    /// Writes what brings bytes: they are let go of only where a known copy was looked at.
    pub(crate) async fn deposit<D: Deposit>(&self, deposit: D) -> store::Result<D::Out> {
        self.store().deposit(deposit, self).await
    }

    fn stored_kind(&self) -> CopyKind {
        self.blobs().kind()
    }

    /// Deletes bytes whose row was refused. When nobody knows whether the row exists, they stay: the
    /// reconciliation decides later. A commit whose sync failed is such a case: the next start may
    /// find it in the log.
    pub(crate) async fn abandon(&self, place: Option<blobs::Key>, error: &store::Error) {
        let Some(key) = place else { return };
        if !is_certain(error) {
            return;
        }
        if let Err(error) = self.blobs().remove(&key).await {
            tracing::warn!(%error, key = key.as_str(), "refused bytes could not be removed; the sweep will");
        }
    }
}

/// Whether nothing was changed for sure: the row of bytes that are refused does not exist.
pub(crate) fn is_certain(error: &store::Error) -> bool {
    !matches!(error, store::Error::Unknown | store::Error::Poisoned(_) | store::Error::Damaged(_))
}
