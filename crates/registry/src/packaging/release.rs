//! A plan is performed: what it publishes and what it changes, in one transaction.

use std::sync::Arc;

use blobs::Received;
use bytes::Bytes;
use formats::{Answer, PackageAt, Release, ReleaseFile, Seen, Source, Sums};
use model::{EntryPath, RefName};
use store::packages::Coordinate;
use store::perform::{self, Perform};
use store::refs::NewRef;
use store::releases::{self, NewFile, PublishRelease};
use store::versions::SealLater;

use super::intake::Taken;
use super::staging::{Staged, StagedFiles};
use crate::authorize::{Grant, Write};
use crate::error::{Error, Result};
use crate::repositories::RepoSettings;
use crate::to_the_end::to_the_end;
use crate::versions::format_of;

impl Taken {
    /// Does what the body asked for, all of it or nothing, also when the caller goes away: each right is
    /// asked for before anything happens. Returns what the client is told.
    pub async fn perform(self) -> Result<Answer> {
        to_the_end(self.do_all()).await
    }

    async fn do_all(mut self) -> Result<Answer> {
        let answer = std::mem::take(&mut self.plan.answer);
        let read = self.grant.to_read();
        let allowed = read.allow_changes(std::mem::take(&mut self.plan.changes)).await?;
        if let Some(package) = &self.plan.completes {
            Box::pin(self.grant.complete_deployments(package)).await?;
        }
        let release = match self.plan.release.take() {
            Some(release) => Some(self.grant.write_of(release, &mut self.staged).await?),
            None => None,
        };
        let seen = self.plan.seen.take().map(|Seen { package, state }| {
            let PackageAt { namespace, name } = package;
            perform::Seen { repo: read.repo_id(), namespace, name, state }
        });
        let changes = match allowed.meant(release.as_ref()).await {
            Ok(changes) => changes,
            Err(error) => {
                // What cannot be found may be what has changed: that is said first.
                if seen.is_some() {
                    read.registry().deposit(Perform { seen, ..Perform::default() }).await?;
                }
                return Err(error);
            }
        };
        let kept = self.staged.hand_over();
        let perform = Arc::new(Perform { seen, release, line: self.line.take(), changes });
        match read.registry().deposit(Arc::clone(&perform)).await {
            Ok(()) => Ok(answer),
            Err(error) => self.grant.settle(&perform, kept, error).await.map(|()| answer),
        }
    }
}

impl Grant<Write> {
    /// The release in the terms of the store; what is made of it here is staged too.
    async fn write_of(&self, release: Release, staged: &mut StagedFiles) -> Result<PublishRelease> {
        let mut received: Vec<_> = staged.files.iter().map(|file| Some(file.received.clone())).collect();
        let mut files = Vec::with_capacity(release.files.len());
        for file in release.files {
            files.extend(self.file(file, &mut received, staged).await?);
        }
        if received.iter().any(Option::is_some) {
            return Err(Error::Defect("a plan leaves a staged file out".to_owned()));
        }
        files.sort_by_key(|file| file.bytes.named().0);
        let (format, settings) = (format_of(self.repo())?, RepoSettings::of(self.repo())?);
        let new_ref = |name: RefName| NewRef { id: self.ambient().id(), fixed: settings.fixes(&name), name };
        let act = self.act();
        let name = &release.package.name;
        let twin = format.twin(&release.version).map(|twin| EntryPath::parse(&format!(".twins/{name}/{twin}")));
        let twin = twin.transpose()?;
        let at = act.at.plus(self.settings().seal_after);
        let seal = (release.joins && format.adds_files()).then(|| SealLater { job: self.ambient().id(), at });
        Ok(PublishRelease {
            repo: self.repo_id(),
            package: Coordinate {
                kind: format.key().to_owned(),
                namespace: release.package.namespace,
                name: release.package.name,
                display_name: release.display,
            },
            new_package: self.ambient().id(),
            exact_name: release.exact_name,
            id: self.ambient().id(),
            version: release.version,
            files,
            manifest: release.manifest,
            refs: release.refs.into_iter().map(new_ref).collect(),
            fixed: settings.immutable_refs.clone(),
            subject: release.subject,
            again: release.again,
            joins: release.joins,
            twin,
            seal,
            stays_open: false,
            cached: false,
            gather: self.gather(&settings),
            limits: self.settings().limits,
            act,
        })
    }

    /// The file in the terms of the store; `None` where it is not required and its name is unknown.
    async fn file(
        &self,
        file: ReleaseFile,
        received: &mut [Option<Received>],
        staged: &mut StagedFiles,
    ) -> Result<Option<NewFile>> {
        let received = match file.source {
            Source::Staged(number) => {
                let received = received.get_mut(number).and_then(Option::take);
                received.ok_or_else(|| Error::Defect("a plan names a file that was not staged".to_owned()))?
            }
            Source::Derived(bytes) => {
                let mut writer = self.registry().blobs().writer(self.ambient());
                writer.write(Bytes::from(bytes)).await?;
                let received = writer.finish(blobs::Expect::default()).await?;
                staged.files.push(Staged { received: received.clone(), sums: Sums::default() });
                received
            }
            Source::Held { content, size, required } => {
                let required = required && !RepoSettings::of(self.repo())?.sparse_manifests;
                let digest = self.registry().digest_of(&content).await?;
                if digest.is_none() && required {
                    return Err(Error::not_found(&content.to_string()));
                }
                let (path, location) = (file.path, file.location);
                return Ok(digest.map(|digest| NewFile {
                    path,
                    location,
                    bytes: releases::Bytes::Held { digest, size, required },
                    media_type: file.media_type,
                    attributes: file.attributes,
                }));
            }
        };
        Ok(Some(NewFile {
            path: file.path,
            location: file.location,
            bytes: releases::Bytes::New(self.registry().new_blob(received)),
            media_type: file.media_type,
            attributes: file.attributes,
        }))
    }
}
