//! What was let go comes from the upstream again: the bytes that are known, or none.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use formats::{Ask, PackageAt, Wanted};
use model::{Code, Sha256Digest};
use store::cached::Refill;
use store::observations::Alarm;

use super::Remote;
use super::contents::contents;
use super::fill::Fetch;
use super::object::Object;
use super::source::Declared;
use crate::error::{Error, Result};
use crate::fetch::Found;
use crate::packaging::Staged;
use crate::store_file::stored_place;

impl Fetch {
    /// Brings the bytes of what is known. An upstream that has other ones, or none, is a failure: ours stay what they are.
    pub(super) async fn bring_again(&self, remote: &Remote, known: &Found) -> Result<(Sha256Digest, Option<Bytes>)> {
        let brought = self.bring_same(remote, known).await;
        if brought.is_err() && self.lied.load(Ordering::Relaxed) {
            return Err(self.changed(known, "other bytes").await?);
        }
        brought.map_err(|error| match error.code() {
            Some(Code::NotFound | Code::Gone) => gone(&self.object),
            _ => error,
        })
    }

    async fn bring_same(&self, remote: &Remote, known: &Found) -> Result<(Sha256Digest, Option<Bytes>)> {
        let ask = match self.ask_again(remote).await? {
            (ask, Some(told)) if told == known.digest() => ask,
            (_, Some(told)) => return Err(self.changed(known, &format!("sha256:{told}")).await?),
            (ask, None) => ask,
        };
        let declared = Declared { sha256: Some(known.digest()), size: Some(known.size()), ..Declared::default() };
        let (staged, last, _) = self.receive(remote, &ask, &declared, Wanted::default(), None).await?;
        Ok((self.refill(staged).await?, last))
    }

    /// What to ask for, and the digest that the upstream tells of it.
    async fn ask_again(&self, remote: &Remote) -> Result<(Ask, Option<Sha256Digest>)> {
        let named = |at: &PackageAt, named| Ok((contents(remote)?.blob(at, named), None));
        match &self.object {
            Object::File(path) => {
                // Whatever moment is asked for: the bytes must be those that are known.
                let wanted = self.grant.clone().as_of(None).wanted(remote, path).await?;
                Ok((wanted.ask, wanted.declared.sha256))
            }
            Object::Version(at, digest, _) => Ok((contents(remote)?.version(at, digest), None)),
            Object::Blob(at, digest) => named(at, digest),
        }
    }

    async fn refill(&self, staged: Staged) -> Result<Sha256Digest> {
        let (grant, digest, place) = (&self.grant, staged.received.digest, stored_place(&staged.received));
        let write = Refill {
            act: grant.act_of_ours(),
            repo: grant.repo_id(),
            blob: grant.registry().new_blob(staged.received),
            limits: grant.settings().limits,
        };
        self.written(grant.store().write(write).await, digest, place).await
    }

    /// Tells that the upstream has other bytes than those that are known.
    pub(super) async fn alarm(&self, known: &Found, theirs: &str) -> Result<()> {
        let (grant, path) = (&self.grant, self.object.key());
        tracing::warn!(repository = %grant.repo().key, path, "an upstream has changed a file");
        let path = path.trim_start_matches('/').to_owned();
        let (act, repo, theirs) = (grant.act_of_ours(), grant.repo_id(), theirs.to_owned());
        Ok(grant.store().write(Alarm { act, repo, path, ours: known.digest(), theirs }).await?)
    }

    async fn changed(&self, known: &Found, theirs: &str) -> Result<Error> {
        self.alarm(known, theirs).await?;
        let why = format!(
            "the bytes of {} were let go here, and the upstream has other ones by now: nothing of them is served",
            self.object
        );
        Ok(Error::refuse(Code::ServiceUnavailable, why))
    }
}

/// The upstream has it no more.
pub(super) fn gone(object: &Object) -> Error {
    let why = format!("the bytes of {object} were let go here, and the upstream has them no more");
    Error::refuse(Code::ServiceUnavailable, why)
}
