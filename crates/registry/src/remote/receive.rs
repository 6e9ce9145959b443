//! The bytes of a file on their way in.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use formats::{Ask, Dated, NewFile as Announced};
use model::{Code, Timestamp};
use outbound::{Found as Answer, Question, Reply};
use store::admission::{self, Room};

use super::Remote;
use super::coming::{FillHead, Piece};
use super::fill::Fetch;
use super::look::failed;
use super::source::{Declared, Wanted};
use super::verify::{is_error_page, lies};
use crate::error::{Error, Result};
use crate::packaging::{Staged, Staging};

/// What takes another's place, or comes again, is received whole before anybody is answered when it has up to this many
/// bytes: if that fails, what was there is served, or why there is nothing.
pub(super) const SOON: u64 = 8 << 20;

/// When the first reader gets the pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handed {
    /// As they come, under the digest that was announced.
    AsTheyCome,
    /// As they come, without a name: the upstream did not say that these are the bytes, and what is cut short must not be
    /// gone on with as a part of others.
    Unnamed,
    /// When everything is known to be right.
    Whole,
}

impl Fetch {
    /// Receives all of it; the last piece is held back until everything is known to be right.
    pub(super) async fn receive(
        &self,
        remote: &Remote,
        ask: &Ask,
        declared: &Declared,
        sums: formats::Wanted,
        file: Option<&Wanted>,
    ) -> Result<(Staged, Option<Bytes>, Option<Timestamp>)> {
        let reply = self.open(remote, ask).await?;
        self.take(remote, reply, declared, sums, file, Handed::AsTheyCome).await
    }

    /// The same, of an answer that has begun.
    pub(super) async fn take(
        &self,
        remote: &Remote,
        mut reply: Answer,
        declared: &Declared,
        sums: formats::Wanted,
        file: Option<&Wanted>,
        handed: Handed,
    ) -> Result<(Staged, Option<Bytes>, Option<Timestamp>)> {
        let published_at = match file {
            Some(wanted) => self.admitted(remote, wanted, reply.changed_at()).await?,
            None => None,
        };
        if is_error_page(&self.object, &reply.media_type()) {
            return Err(lies(&self.object, "it is a page for people"));
        }
        let length = match (declared.size, reply.length()) {
            (Some(told), Some(comes)) if told != comes => {
                let why = format!("it has {comes} bytes there instead of the {told} of the index");
                return Err(self.lie(&why));
            }
            (told, comes) => told.or(comes),
        };
        let room = self.room().await?;
        room.expect(length.unwrap_or_default())?;
        let sha256 = declared.sha256;
        let mut staging = Staging::begin(self.grant.registry(), &Announced { sums, sha256, length })?;
        // An answer without bytes cannot be cut short: it begins when they are known to be right.
        if length != Some(0) && handed != Handed::Whole {
            let sha256 = sha256.filter(|_| handed == Handed::AsTheyCome);
            self.tell(FillHead { length, sha256, published_at, here: false });
        }
        let (mut held, mut came): (Option<Bytes>, u64) = (None, 0);
        while let Some(piece) = reply.next().await.map_err(|failure| failed(None, &failure))? {
            came += piece.len() as u64;
            room.expect(came)?;
            if let Some(length) = length.filter(|length| came > *length) {
                return Err(self.lie(&format!("it does not end after the {length} bytes of the index")));
            }
            staging.write(piece.clone()).await?;
            if let Some(before) = held.replace(piece).filter(|_| handed != Handed::Whole) {
                self.pieces.send(Piece::Bytes(before)).ok();
            }
        }
        let staged = staging.finish().await.map_err(|error| match error.code() {
            Some(Code::UploadVerificationFailed) => self.lie(&error.to_string()),
            _ => error,
        })?;
        Ok((staged, held, published_at))
    }

    fn lie(&self, why: &str) -> Error {
        self.lied.store(true, Ordering::Relaxed);
        lies(&self.object, why)
    }

    /// When the file was published, as far as anybody tells; a denial where that is against the rules.
    pub(super) async fn admitted(
        &self,
        remote: &Remote,
        wanted: &Wanted,
        changed_at: Option<Timestamp>,
    ) -> Result<Option<Timestamp>> {
        let published_at = match remote.format.dated() {
            Dated::File => wanted.published_at.or(changed_at),
            Dated::Index | Dated::Version => wanted.published_at,
        };
        let admitted = self.grant.expect_answered(wanted, published_at).await;
        if let (Err(_), Some(at)) = (&admitted, published_at) {
            self.grant.hear_time(&wanted.package, &wanted.location, at);
        }
        admitted.map(|()| published_at)
    }

    async fn room(&self) -> Result<Room> {
        let (tenant, limits) = (self.grant.act_of_ours().tenant, self.grant.settings().limits);
        let look = async |session: &mut store::Session<'_>| admission::room(session, tenant, &limits).await;
        Ok(self.grant.store().read(look).await?)
    }

    /// The answer; 404 where there is none.
    pub(super) async fn open(&self, remote: &Remote, ask: &Ask) -> Result<Answer> {
        open(remote, ask).await?.ok_or_else(|| self.grant.unknown(&self.object.to_string()))
    }
}

/// Whether a file was asked for and the page of a folder is there: the address led to itself with a slash.
pub(super) fn is_folder(found: &Answer, ask: &Ask) -> bool {
    found.address().strip_suffix('/').is_some_and(|address| address.ends_with(&format!("/{}", ask.target)))
}

/// `None`: there is no such thing.
pub(super) async fn open(remote: &Remote, ask: &Ask) -> Result<Option<Answer>> {
    if remote.is_offline() {
        return Ok(None);
    }
    let question = Question { accept: ask.accept, ..Question::file(&ask.target, remote.longest) };
    match remote.upstream.ask(question).await.map_err(|failure| failed(Some(&remote.upstream), &failure))? {
        Reply::Found(found) if is_folder(&found, ask) => Ok(None),
        Reply::Found(found) => Ok(Some(*found)),
        Reply::Missing => Ok(None),
        Reply::Unchanged(_) => {
            Err(Error::refuse(Code::ServiceUnavailable, "the upstream says that nothing has changed"))
        }
    }
}
