//! What was at a path at a moment.
//!
//! Nothing of it is remembered here: it never changes, so caches on the way may keep it for good, and what is read now has
//! the memory.

use formats::PackageAt;
use model::state::VersionState;
use model::{Code, EntryPath};

use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::fetch::Found;
use crate::instant::Instant;

impl Grant<Read> {
    /// What was at `path`. 404 when nothing had ever been there, 410 when it was withdrawn then or has been collected since.
    pub(crate) async fn find_then(&self, path: &EntryPath, instant: Instant) -> Result<Found> {
        let (repo, at) = (self.repo_id(), instant.at());
        let look =
            async |session: &mut store::Session<'_>| store::locations::find_at(session, repo, path.as_str(), at).await;
        let found = match self.store().read(look).await? {
            Some(located) if located.state == VersionState::Published => self.located(located).await?,
            Some(_) => {
                return Err(Error::refuse(Code::Gone, format!("{path} was withdrawn at {}", at.to_seconds())));
            }
            None => self.found_since(path).await?.ok_or_else(|| self.unknown(&format!("the file {path}")))?,
        };
        Ok(found.asked_as(|again| again.for_file(path)))
    }

    /// Whether anything of a package had ever been published.
    pub(crate) async fn had(&self, at: &PackageAt, instant: Instant) -> Result<bool> {
        let repo = self.repo_id();
        let look = async |session: &mut store::Session<'_>| {
            store::packages::was_published(session, repo, (&at.namespace, &at.name), instant.at()).await
        };
        Ok(self.store().read(look).await?)
    }
}

impl<A> Grant<A> {
    /// That there is no such thing, or that there was none, or that nobody was asked.
    pub(crate) fn unknown(&self, what: &str) -> Error {
        let Some(instant) = self.instant() else {
            if self.is_remote() && self.remote().is_ok_and(|remote| remote.is_offline()) {
                let why =
                    format!("{what} was not found: {} is offline and has what was brought before", self.repo().key);
                return Error::refuse(Code::NotFound, why);
            }
            return Error::not_found(what);
        };
        let (key, at) = (&self.repo().key, instant.at().to_seconds());
        let known = if self.is_remote() { "known here of" } else { "published of" };
        Error::refuse(Code::NotFound, format!("nothing was {known} {what} in {key} at {at}"))
    }
}
