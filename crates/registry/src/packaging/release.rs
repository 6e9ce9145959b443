//! A plan is performed: what it publishes in one transaction, then what it changes.

use bytes::Bytes;
use formats::{Answer, Release, ReleaseFile, Source};
use model::{Code, EntryPath, RefName, Sha256Digest};
use store::packages::Coordinate;
use store::refs::NewRef;
use store::releases::{self, NewFile, PublishRelease};
use store::versions::SealLater;

use super::intake::Taken;
use super::staging::Staged;
use crate::authorize::{Grant, Write};
use crate::error::{Error, Result};
use crate::repositories::RepoSettings;
use crate::store_file::stored_place;
use crate::versions::format_of;

impl Taken {
    /// Does what the body asked for: each right is asked for before anything happens. Returns what
    /// the client is told.
    pub async fn perform(mut self) -> Result<Answer> {
        let answer = std::mem::take(&mut self.plan.answer);
        let changes = std::mem::take(&mut self.plan.changes);
        if let Some(package) = &self.plan.completes {
            Box::pin(self.grant.complete_deployments(package)).await?;
        }
        let release = self.plan.release.take();
        let allowed = self.grant.to_read().allow_changes(changes).await;
        if let (Ok(_), Some(seen)) = (&allowed, &self.plan.seen) {
            self.grant.to_read().expect_seen(seen).await?;
        }
        let (changes, release) = match (allowed, release) {
            (Ok(changes), Some(release)) => (changes, release),
            (allowed, _) => {
                allowed?.apply().await?;
                return Ok(answer);
            }
        };
        self.grant.release(release, self.staged.take()).await?;
        changes.apply().await?;
        Ok(answer)
    }
}

impl Grant<Write> {
    /// Publishes a release from staged files; those that it does not name are removed.
    async fn release(&self, release: Release, staged: Vec<Staged>) -> Result<()> {
        let mut places: Vec<_> = staged.iter().map(|file| stored_place(&file.received)).collect();
        let write = match self.write_of(release, staged, &mut places).await {
            Ok(write) => write,
            Err(error) => {
                for place in places {
                    self.registry().abandon(place, &store::Error::Full).await;
                }
                return Err(error);
            }
        };
        let files: Vec<_> = write.files.iter().map(|file| (file.location.clone(), file.bytes.named().0)).collect();
        match self.store().write(write).await {
            Ok(_) => Ok(()),
            Err(error) => {
                for place in places {
                    self.registry().abandon(place, &error).await;
                }
                self.unless_repeated(&files, error.into()).await
            }
        }
    }

    /// A conflict with what is the same, file by file, is none where the format says so.
    async fn unless_repeated(&self, files: &[(EntryPath, Sha256Digest)], error: Error) -> Result<()> {
        if error.code() != Some(Code::Conflict) || !format_of(self.repo())?.repeats() {
            return Err(error);
        }
        let grant = self.to_read();
        for (location, digest) in files {
            if grant.find(location).await.map(|found| found.digest()).ok() != Some(*digest) {
                return Err(error);
            }
        }
        Ok(())
    }

    /// `places`: where the bytes of the release are, those that are made here too.
    async fn write_of(
        &self,
        release: Release,
        staged: Vec<Staged>,
        places: &mut Vec<Option<blobs::Key>>,
    ) -> Result<PublishRelease> {
        let mut staged: Vec<Option<Staged>> = staged.into_iter().map(Some).collect();
        let mut files = Vec::with_capacity(release.files.len());
        for file in release.files {
            files.extend(self.file(file, &mut staged, places).await?);
        }
        if staged.iter().any(Option::is_some) {
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
            gather: self.gather(&settings),
            limits: self.settings().limits,
            act,
        })
    }

    /// The file in the terms of the store; `None` where it is not required and its name is unknown.
    async fn file(
        &self,
        file: ReleaseFile,
        staged: &mut [Option<Staged>],
        places: &mut Vec<Option<blobs::Key>>,
    ) -> Result<Option<NewFile>> {
        let received = match file.source {
            Source::Staged(number) => {
                let staged = staged.get_mut(number).and_then(Option::take);
                staged.ok_or_else(|| Error::Defect("a plan names a file that was not staged".to_owned()))?.received
            }
            Source::Derived(bytes) => {
                let mut writer = self.registry().blobs().writer(self.ambient());
                writer.write(Bytes::from(bytes)).await?;
                let received = writer.finish(blobs::Expect::default()).await?;
                places.push(stored_place(&received));
                received
            }
            Source::Held { content, size, required } => {
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
