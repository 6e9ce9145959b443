//! Uploads as container clients make them: bytes in order or all at once, the digest last.

use blobs::{BlobCopy, Body, Key, Writer};
use bytes::Bytes;
use formats::{Named, NewFile, Wanted};
use model::{Code, RepoKey, Sha256Digest, UploadId};
use store::blobs::{NewBlob, NewBody, Reach};
use store::pins::LetGo;
use store::uploads::Part;
use store::uploads::in_order::{Append, Begin, Ended, Finish, GiveUp, Grown, Mount, Received};

use crate::authorize::{Grant, Promote, Read, Write};
use crate::error::{Error, Result};
use crate::fetch::Found;
use crate::packaging::Staging;
use crate::registry::Registry;
use crate::store_file::{is_certain, stored_place};
use crate::to_the_end::to_the_end;

impl Registry {
    /// The digest by which we know what a client names; `None` when nothing here has that name.
    pub(crate) async fn digest_of(&self, content: &Named) -> Result<Option<Sha256Digest>> {
        match content {
            Named::Sha256(digest) => Ok(Some(*digest)),
            Named::Sha512(value) => {
                Ok(self.store().read(async |session| store::blobs::named(session, "sha512", value).await).await?)
            }
        }
    }
}

impl Grant<Read> {
    /// The bytes that a client names, where the repository may serve them: published here or uploaded here.
    pub async fn find_named(&self, content: &Named) -> Result<Found> {
        let unknown = || Error::not_found(&content.to_string());
        let digest = self.registry().digest_of(content).await?.ok_or_else(unknown)?;
        self.find_blob(digest).await.map_err(|error| match error.code() {
            Some(Code::NotFound) => unknown(),
            _ => error,
        })
    }
}

impl Grant<Promote> {
    /// Lets go of a blob that no published version has. 404 when it is not here, 409 while one has it.
    pub async fn let_go_of(&self, content: &Named) -> Result<()> {
        let digest = self.registry().digest_of(content).await?;
        let digest = digest.ok_or_else(|| Error::not_found(&content.to_string()))?;
        Ok(self.store().write(LetGo { act: self.act(), repo: self.repo_id(), digest }).await?)
    }
}

impl Grant<Write> {
    /// Begins an upload whose digest comes last.
    pub async fn begin_in_order(&self) -> Result<UploadId> {
        let (act, id) = (self.act(), self.ambient().id());
        let expires_at = act.at.plus(self.settings().upload_session);
        let limits = self.settings().limits;
        self.store().write(Begin { act, id, repo: self.repo_id(), expires_at, limits }).await?;
        Ok(id)
    }

    /// How many bytes of an upload have come. 404 once it has ended.
    pub async fn received(&self, id: UploadId) -> Result<u64> {
        Ok(self.so_far(id).await?.bytes)
    }

    async fn so_far(&self, id: UploadId) -> Result<Received> {
        let repo = self.repo_id();
        let look = async |session: &mut store::Session<'_>| {
            let Some(found) = store::uploads::find(session, repo, id).await? else { return Ok(None) };
            Ok(Some((found, store::uploads::in_order::received(session, id).await?)))
        };
        let found = self.store().read(look).await?;
        let (upload, received) = found.ok_or_else(|| Error::not_found("the upload"))?;
        upload.expect_in_order()?;
        Ok(received)
    }

    /// Begins to receive the next chunk. 416 when it would begin elsewhere than at the end of what came.
    pub async fn receive_chunk(&self, id: UploadId, at: Option<u64>, length: Option<u64>) -> Result<IncomingChunk> {
        let so_far = self.so_far(id).await?.bytes;
        let at = at.unwrap_or(so_far);
        if at != so_far {
            return Err(Error::refuse(Code::InvalidRange, format!("the next byte is number {so_far}, not {at}")));
        }
        let limit = self.settings().max_upload;
        let left = limit.saturating_sub(so_far);
        if length.is_some_and(|length| length > left) {
            return Err(blobs::Error::TooLong { limit }.into());
        }
        let open = self.registry().inner.open_files.take(id, at);
        let writer = open.unwrap_or_else(|| self.registry().blobs().chunk_writer(self.ambient())).at_most(left);
        Ok(IncomingChunk { grant: self.clone(), upload: id, at, length, writer })
    }

    /// Ends an upload: what came must be what the client names. 409 `upload_verification_failed` when it
    /// is not; then the upload is over.
    pub async fn end_in_order(&self, id: UploadId, content: &Named) -> Result<()> {
        let received = self.so_far(id).await?;
        let parts = self.store().read(async |session| store::uploads::parts(session, id).await).await?;
        let done = match (parts.as_slice(), content) {
            ([only], Named::Sha256(digest)) if only.length > self.registry().blobs().options().inline_limit as u64 => {
                self.adopt(id, received, only, *digest).await
            }
            _ => self.put_together(id, received, &parts, content).await,
        };
        match &done {
            Ok(()) => self.registry().inner.open_files.close(id),
            Err(error) if error.code() == Some(Code::UploadVerificationFailed) => {
                self.give_up(id, "verification_failed").await?;
            }
            Err(_) => {}
        }
        done
    }

    /// The only file is the blob: nothing is read or copied again.
    async fn adopt(&self, upload: UploadId, received: Received, part: &Part, wanted: Sha256Digest) -> Result<()> {
        if part.digest != wanted {
            return Err(blobs::Error::Digest { expected: wanted, actual: part.digest }.into());
        }
        let body = NewBody::Stored { kind: self.registry().blobs().kind(), place: part.place.clone() };
        let (copy, sums) = (self.ambient().id(), part.sums.clone());
        let blob = NewBlob { digest: part.digest, length: part.length, sums, copy, body };
        Ok(self.keep_blob(Some(Ended { upload, received, in_place: true }), blob, None).await?)
    }

    async fn put_together(&self, upload: UploadId, received: Received, parts: &[Part], content: &Named) -> Result<()> {
        let mut incoming = self.receive_blob(content, Some(received.bytes), None)?;
        for part in parts {
            let key = Key::parse(&part.place).map_err(|error| Error::Defect(error.to_string()))?;
            let sums = part.sums.chunks_exact(8).filter_map(|sum| sum.try_into().ok().map(u64::from_le_bytes));
            let copy = BlobCopy { key, offset: 0, length: part.length, sums: sums.collect() };
            let mut reader = self.registry().blobs().open(&copy, None).await?;
            while let Some(bytes) = reader.next_block().await? {
                // A copy: lent memory must not be kept by a writer while its reader waits for more.
                incoming.write(Bytes::copy_from_slice(&bytes)).await?;
            }
        }
        incoming.ended = Some(Ended { upload, received, in_place: false });
        incoming.finish().await
    }

    /// Begins to receive a whole blob. `upload`: the session that it ends, into which nothing came before.
    pub fn receive_blob(&self, content: &Named, length: Option<u64>, upload: Option<UploadId>) -> Result<IncomingBlob> {
        let (sha256, sha512) = match content {
            Named::Sha256(digest) => (Some(*digest), None),
            Named::Sha512(value) => (None, Some(*value)),
        };
        let sums = Wanted { sha512: sha512.is_some(), ..Wanted::default() };
        let staging = Staging::begin(self.registry(), &NewFile { sums, sha256, length })?;
        let ended = upload.map(|upload| Ended { upload, received: Received::default(), in_place: false });
        Ok(IncomingBlob { grant: self.clone(), ended, staging, sha512 })
    }

    async fn keep_blob(&self, session: Option<Ended>, blob: NewBlob, sha512: Option<[u8; 64]>) -> store::Result<()> {
        let act = self.act();
        let pin_until = act.at.plus(self.settings().pin);
        let limits = self.settings().limits;
        self.registry().deposit(Finish { act, repo: self.repo_id(), session, blob, sha512, pin_until, limits }).await
    }

    /// Gives an upload up. 404 once it has ended.
    pub async fn give_up(&self, upload: UploadId, reason: &str) -> Result<()> {
        let write = GiveUp { act: self.act(), repo: self.repo_id(), upload, reason: reason.to_owned() };
        self.store().write(write).await?;
        self.registry().inner.open_files.close(upload);
        Ok(())
    }

    /// Takes a blob from `from`, or with `None` from anywhere, where the caller may read it. `false`: it must be uploaded;
    /// so it is with what rules decide over.
    pub async fn mount(&self, content: &Named, from: Option<&RepoKey>) -> Result<bool> {
        let from = match from {
            None => return self.mount_within(content, self.call().reach()).await,
            Some(key) => self.call().authorize::<Read>(key).await,
        };
        let Ok(from) = from else { return Ok(false) };
        let keys = [from.repo().key.clone()].into();
        self.mount_within(content, Reach { keys, ..Reach::default() }).await
    }

    /// The same, of what was seen to be let in.
    pub(crate) async fn mount_from(&self, content: &Named, from: &Grant<Read>) -> Result<bool> {
        let keys = [from.repo().key.clone()].into();
        self.mount_within(content, Reach { keys, ruled: true, ..Reach::default() }).await
    }

    async fn mount_within(&self, content: &Named, reach: Reach) -> Result<bool> {
        let Some(digest) = self.registry().digest_of(content).await? else { return Ok(false) };
        let act = self.act();
        let pin_until = act.at.plus(self.settings().pin);
        let limits = self.settings().limits;
        Ok(self.registry().deposit(Mount { act, repo: self.repo_id(), digest, reach, pin_until, limits }).await?)
    }
}

/// A chunk that is being received. Dropped before [`IncomingChunk::finish`], it leaves nothing behind.
pub struct IncomingChunk {
    grant: Grant<Write>,
    upload: UploadId,
    at: u64,
    length: Option<u64>,
    writer: Writer,
}

impl IncomingChunk {
    /// Takes the next bytes.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        Ok(self.writer.write(bytes).await?)
    }

    /// Makes the chunk durable, also when the caller goes away. Returns how many bytes of the upload have
    /// come. 416 when another chunk was quicker.
    pub async fn finish(self) -> Result<u64> {
        to_the_end(self.keep()).await
    }

    async fn keep(self) -> Result<u64> {
        if self.writer.received() == 0 {
            return Ok(self.at);
        }
        let length = self.writer.received();
        let (file, open) = self.writer.pause(self.length).await.map_err(|error| match error {
            blobs::Error::Length { expected, actual } => {
                Error::bad_request(format!("the chunk has {actual} bytes, not {expected} as declared"))
            }
            other => other.into(),
        })?;
        let Body::Stored { key } = &file.body else {
            return Err(Error::Defect("a chunk was not stored".to_owned()));
        };
        let (grant, act) = (&self.grant, self.grant.act());
        let write = Append {
            repo: grant.repo_id(),
            upload: self.upload,
            at: self.at,
            length,
            file: Grown {
                place: key.as_str().to_owned(),
                length: file.length,
                digest: file.digest,
                sums: file.sums.iter().flat_map(|sum| sum.to_le_bytes()).collect(),
            },
            expires_at: act.at.plus(grant.settings().upload_session),
            longest: grant.settings().max_upload,
            limits: grant.settings().limits,
            act,
        };
        match grant.store().write(write).await {
            Ok(now) => {
                if let Some(open) = open {
                    grant.registry().inner.open_files.put(self.upload, now.bytes, open);
                }
                Ok(now.bytes)
            }
            Err(error) => {
                grant.registry().refuse_chunk(key, file.length - length, open, &error).await;
                Err(error.into())
            }
        }
    }
}

impl Registry {
    /// Takes back the last chunk of a file that had `before` bytes without it, unless it may have been entered after all.
    async fn refuse_chunk(&self, file: &Key, before: u64, open: Option<Writer>, error: &store::Error) {
        match open {
            Some(open) if before > 0 && is_certain(error) => {
                if let Err(error) = open.take_back_to(before).await {
                    tracing::warn!(%error, key = file.as_str(), "a refused chunk stays until the upload ends");
                }
            }
            Some(_) if before > 0 => {}
            _ => self.abandon(Some(file.clone()), error).await,
        }
    }
}

/// A whole blob that is being received. Dropped before [`IncomingBlob::finish`], it leaves nothing behind.
pub struct IncomingBlob {
    grant: Grant<Write>,
    ended: Option<Ended>,
    staging: Staging,
    sha512: Option<[u8; 64]>,
}

impl IncomingBlob {
    /// Takes the next bytes.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.staging.write(bytes).await
    }

    /// Verifies the blob and pins it for the repository, also when the caller goes away. 409
    /// `upload_verification_failed` when it is not what the client named.
    pub async fn finish(self) -> Result<()> {
        to_the_end(self.keep()).await
    }

    async fn keep(self) -> Result<()> {
        let staged = self.staging.finish().await?;
        let place = stored_place(&staged.received);
        if self.sha512.is_some() && staged.sums.sha512 != self.sha512 {
            self.grant.registry().abandon(place, &store::Error::Full).await;
            let why = "the content does not have the announced digest";
            return Err(Error::refuse(Code::UploadVerificationFailed, why));
        }
        let blob = self.grant.registry().new_blob(staged.received);
        match self.grant.keep_blob(self.ended, blob, self.sha512).await {
            Ok(()) => Ok(()),
            Err(error) => {
                self.grant.registry().abandon(place, &error).await;
                Err(error.into())
            }
        }
    }
}
