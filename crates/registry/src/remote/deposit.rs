//! What was brought from an upstream becomes a version, or a part of one.

use formats::PackageAt;
use model::{Code, Sha256Digest, VersionName};
use store::packages::Coordinate;
use store::releases::{self, NewFile, PublishRelease};

use super::fill::Fetch;
use super::source::Wanted;
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::packaging::Staged;
use crate::store_file::stored_place;

impl Fetch {
    /// From here on it is served from here.
    pub(super) async fn publish(&self, wanted: Wanted, staged: Staged) -> Result<Sha256Digest> {
        let registry = self.grant.registry();
        if let Err(error) = self.grant.expect_same_upstream().await {
            staged.discard(registry);
            return Err(error);
        }
        let (digest, place) = (staged.received.digest, stored_place(&staged.received));
        let attributes = wanted.attributes(&staged.sums);
        let file = NewFile {
            path: wanted.path,
            location: wanted.location,
            bytes: releases::Bytes::New(registry.new_blob(staged.received)),
            media_type: None,
            attributes,
        };
        let write = PublishRelease {
            files: vec![file],
            manifest: wanted.manifest,
            joins: true,
            stays_open: true,
            ..self.grant.release_of_ours(wanted.package, wanted.display, wanted.version)
        };
        self.write(write, digest, place).await
    }

    /// Publishes what was brought: bytes of this digest, at this place.
    pub(super) async fn write(
        &self,
        write: PublishRelease,
        digest: Sha256Digest,
        place: Option<blobs::Key>,
    ) -> Result<Sha256Digest> {
        self.written(self.grant.registry().deposit(write).await, digest, place).await
    }

    /// What came of writing down what was brought. What was refused is removed.
    pub(super) async fn written<T>(
        &self,
        outcome: store::Result<T>,
        digest: Sha256Digest,
        place: Option<blobs::Key>,
    ) -> Result<Sha256Digest> {
        let Err(error) = outcome else { return Ok(digest) };
        self.grant.registry().abandon(place, &error).await;
        let error = Error::from(error);
        if error.code() == Some(Code::Gone) {
            return Err(error);
        }
        // Another process was first.
        match self.grant.find_object(&self.object).await {
            Ok(found) if found.is_absent() => Err(error),
            Ok(found) if found.digest() == digest => Ok(digest),
            Ok(found) => {
                // Readers have had pieces of ours.
                self.alarm(&found, &format!("sha256:{digest}")).await?;
                let why = "another process has brought other bytes meanwhile: ask again";
                Err(Error::refuse(Code::ServiceUnavailable, why))
            }
            Err(_) => Err(error),
        }
    }
}

impl Grant<Read> {
    /// A release of this version as we make it, without files.
    pub(super) fn release_of_ours(&self, package: PackageAt, display: String, version: VersionName) -> PublishRelease {
        PublishRelease {
            act: self.act_of_ours(),
            repo: self.repo_id(),
            package: Coordinate {
                kind: self.repo().format.clone(),
                namespace: package.namespace,
                name: package.name,
                display_name: display,
            },
            new_package: self.ambient().id(),
            exact_name: false,
            id: self.ambient().id(),
            version,
            files: Vec::new(),
            manifest: "{}".to_owned(),
            refs: Vec::new(),
            fixed: Vec::new(),
            subject: None,
            again: false,
            joins: false,
            twin: None,
            seal: None,
            stays_open: false,
            cached: true,
            gather: None,
            limits: self.settings().limits,
        }
    }
}
