//! What clients ask for by digest: versions that are named by their own bytes, and the blobs that they are made of.
//!
//! A version is published when its bytes have come; its blobs come one by one and join it. What no version names yet
//! stays pinned, without an end, until one does.

use std::time::Duration;

use blobs::Received;
use bytes::Bytes;
use formats::{Contents, Named, NewFile as Announced, PackageAt, ReleaseFile, Said, Source, Sums};
use model::{Code, EntryPath, Sha256Digest, VersionName};
use store::releases::{self, NewFile, PublishRelease};
use store::uploads::in_order::Finish;
use store::{manifests, observations};

use super::Remote;
use super::ask::names;
use super::coming::FillHead;
use super::fill::{Fetch, Need, Reached};
use super::look::failed;
use super::object::Object;
use super::source::Declared;
use super::verify::{lies, verify};
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::fetch::Found;
use crate::packaging::{Staged, Staging};
use crate::store_file::stored_place;

/// For how long a blob is kept that no version names: it was asked for, and is not asked for again.
const FOR_GOOD: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Grant<Read> {
    /// The version that is named by this digest, whose bytes are at `path`: from here or from the upstream.
    pub async fn reach_version(&self, at: &PackageAt, named: &Named, path: &EntryPath, need: Need) -> Result<Found> {
        match self.find(path).await {
            Err(error) if error.code() == Some(Code::NotFound) && self.is_remote() => {}
            Ok(found) if need.comes_again(&found) => {}
            found => return Ok(found?.asked_as(|again| again.for_version(at, named, path))),
        }
        if self.is_ruled() {
            Box::pin(self.expect_let_in(at, named, None)).await?;
        }
        if self.instant().is_some() {
            return match Box::pin(self.reach_then(at, named, Some(path), need)).await? {
                Reached::Here(found) => Ok(found),
                Reached::Coming(coming) => coming.whole().await,
            };
        }
        match self.reach_object(Object::Version(at.clone(), *named, path.clone()), need).await? {
            Reached::Here(found) => Ok(found),
            Reached::Coming(coming) => coming.whole().await,
        }
    }

    /// The bytes that a client names, where the repository may serve them; or on their way from the upstream, which is
    /// asked for them as for a part of this package.
    pub async fn reach_blob(&self, at: &PackageAt, named: &Named, need: Need) -> Result<Reached> {
        if self.is_ruled() {
            Box::pin(self.expect_blob_let_in(at, named)).await?;
        }
        match self.find_named(named).await {
            Err(error) if error.code() == Some(Code::NotFound) && self.is_remote() => {}
            Ok(found) if need.comes_again(&found) => {}
            found => return Ok(Reached::Here(found?.asked_as(|again| again.for_blob(at, named)))),
        }
        if self.instant().is_some() {
            return Box::pin(self.reach_then(at, named, None, need)).await;
        }
        self.reach_object(Object::Blob(at.clone(), *named), need).await
    }

    /// The versions of the package that name this content.
    pub(super) async fn naming(&self, at: &PackageAt, named: &Named) -> Result<Vec<manifests::Naming>> {
        let (repo, text) = (self.repo_id(), named.to_string());
        let look = async |session: &mut store::Session<'_>| {
            manifests::naming(session, repo, (&at.namespace, &at.name), &text).await
        };
        Ok(self.store().read(look).await?)
    }

    /// What the upstream answered when it was asked for a ref of the package that stood for this version.
    async fn observed(&self, at: &PackageAt, digest: Sha256Digest) -> Result<Option<(Bytes, String)>> {
        let repo = self.repo_id();
        let look = async |session: &mut store::Session<'_>| observations::with_digest(session, repo, digest).await;
        let beginning = format!("{}/", at.name);
        let mut found = self.store().read(look).await?.into_iter();
        let Some((_, known)) = found.find(|(target, _)| target.starts_with(&beginning)) else { return Ok(None) };
        match self.body_of(&known).await {
            Err(_) if self.is_damaged(&known).await? => Ok(None),
            body => Ok(body?.map(|body| (body, known.media_type))),
        }
    }

    /// The files in the terms of the store, in the order of their digests; and whether none was left out because nobody
    /// knows its name here.
    async fn files(&self, files: Vec<ReleaseFile>, mut own: Option<Received>) -> Result<(Vec<NewFile>, bool)> {
        let (mut found, mut whole) = (Vec::with_capacity(files.len()), true);
        for file in files {
            let bytes = match file.source {
                Source::Staged(_) => own.take().map(|own| releases::Bytes::New(self.registry().new_blob(own))),
                Source::Held { content, size, .. } => {
                    let digest = self.registry().digest_of(&content).await?;
                    digest.map(|digest| releases::Bytes::Held { digest, size, required: false })
                }
                Source::Derived(_) => None,
            };
            let Some(bytes) = bytes else {
                whole = false;
                continue;
            };
            let ReleaseFile { path, location, media_type, attributes, .. } = file;
            found.push(NewFile { path, location, bytes, media_type, attributes });
        }
        found.sort_by_key(|file| file.bytes.named().0);
        Ok((found, whole))
    }

    /// The blob joins the published versions of the package that name it. Where it cannot, it is here all the same: pinned.
    async fn complete(&self, contents: &dyn Contents, at: &PackageAt, named: &Named) {
        let naming = match self.naming(at, named).await {
            Ok(naming) => naming,
            Err(error) => return tracing::warn!(%error, %named, "a blob is not known to be named"),
        };
        for naming in naming.into_iter().filter(|naming| naming.published) {
            let version = naming.version.clone();
            if let Err(error) = self.comes_again(contents, at, naming).await {
                tracing::warn!(%error, %named, version, "a blob could not join a version that names it");
            }
        }
    }

    async fn comes_again(&self, contents: &dyn Contents, at: &PackageAt, naming: manifests::Naming) -> Result<()> {
        let Some(files) = contents.files(at, &naming.version, &naming.manifest) else { return Ok(()) };
        let (files, whole) = self.files(files, None).await?;
        let version = VersionName::parse(&naming.version)?;
        let write = PublishRelease {
            files,
            manifest: naming.manifest,
            again: true,
            joins: true,
            stays_open: !whole,
            ..self.release_of_ours(at.clone(), at.name.clone(), version)
        };
        self.registry().deposit(write).await?;
        Ok(())
    }
}

impl Fetch {
    pub(super) async fn bring_version(&self, remote: &Remote, at: &PackageAt, named: &Named) -> Result<Sha256Digest> {
        let contents = contents(remote)?;
        let observed = match named {
            Named::Sha256(digest) => self.grant.observed(at, *digest).await?,
            Named::Sha512(_) => None,
        };
        let (body, media_type) = match observed {
            Some(observed) => observed,
            None => self.ask_version(remote, contents, at, named).await?,
        };
        let said = Said { body: &body, media_type: &media_type, address: "", changed_at: None };
        let release = contents.release(at, named, said).map_err(|error| {
            let why = format!("the upstream's answer is not understood: {error}");
            Error::refuse(Code::ServiceUnavailable, why)
        })?;
        let mut staging = Staging::begin(self.grant.registry(), &Announced::default())?;
        staging.write(body).await?;
        let received = staging.finish().await?.received;
        let (place, digest) = (stored_place(&received), received.digest);
        self.tell(FillHead { length: Some(received.length), sha256: Some(digest), published_at: None, here: false });
        let (files, whole) = self.grant.files(release.files, Some(received)).await?;
        let write = PublishRelease {
            files,
            manifest: release.manifest,
            subject: release.subject,
            stays_open: !whole,
            ..self.grant.release_of_ours(release.package, release.display, release.version)
        };
        self.write(write, digest, place).await
    }

    async fn ask_version(
        &self,
        remote: &Remote,
        contents: &dyn Contents,
        at: &PackageAt,
        named: &Named,
    ) -> Result<(Bytes, String)> {
        let reply = self.open(&remote.with_longest(contents.longest()), &contents.version(at, named)).await?;
        let media_type = reply.media_type();
        let body = reply.whole().await.map_err(|failure| failed(Some(&remote.upstream), &failure))?;
        match names(named, &body) {
            true => Ok((body, media_type)),
            false => Err(lies(&self.object, "they do not have the digest that they are asked for by")),
        }
    }

    pub(super) async fn bring_blob(
        &self,
        remote: &Remote,
        at: &PackageAt,
        named: &Named,
    ) -> Result<(Sha256Digest, Option<Bytes>)> {
        let (grant, contents) = (&self.grant, contents(remote)?);
        let naming = grant.naming(at, named).await?;
        if !naming.is_empty() && naming.iter().all(|naming| !naming.published) {
            return Err(Error::refuse(Code::Gone, format!("{named} was withdrawn with what it is part of")));
        }
        let declared = declared(named);
        let sums = formats::Wanted { sha512: declared.sums.sha512.is_some(), ..formats::Wanted::default() };
        let (staged, last, _) = self.receive(remote, &contents.blob(at, named), &declared, sums, None).await?;
        if let Err(error) = verify(&self.object, &declared.sums, None, &staged) {
            staged.discard(grant.registry());
            return Err(error);
        }
        let digest = self.pin(staged, declared.sums.sha512).await?;
        grant.complete(contents, at, named).await;
        Ok((digest, last))
    }

    /// From here on it is served from here.
    async fn pin(&self, staged: Staged, sha512: Option<[u8; 64]>) -> Result<Sha256Digest> {
        let (grant, digest, place) = (&self.grant, staged.received.digest, stored_place(&staged.received));
        let act = grant.act_of_ours();
        let write = Finish {
            pin_until: act.at.plus(FOR_GOOD),
            act,
            repo: grant.repo_id(),
            session: None,
            blob: grant.registry().new_blob(staged.received),
            sha512,
            limits: grant.settings().limits,
        };
        if let Err(error) = grant.registry().deposit(write).await {
            grant.registry().abandon(place, &error).await;
            return Err(error.into());
        }
        Ok(digest)
    }
}

pub(super) fn contents(remote: &Remote) -> Result<&'static dyn Contents> {
    remote.format.contents().ok_or_else(|| Error::Defect("a format without content by digest".to_owned()))
}

fn declared(named: &Named) -> Declared {
    match named {
        Named::Sha256(digest) => Declared { sha256: Some(*digest), ..Declared::default() },
        Named::Sha512(digest) => {
            let sums = Sums { sha512: Some(*digest), ..Sums::default() };
            Declared { sums, ..Declared::default() }
        }
    }
}
