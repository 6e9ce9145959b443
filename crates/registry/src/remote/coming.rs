//! A file on its way from an upstream to its first reader.

use std::sync::Arc;

use bytes::Bytes;
use model::{Code, Sha256Digest, Timestamp};
use tokio::sync::{broadcast, watch};

use super::object::Object;
use crate::authorize::{Grant, Read};
use crate::content::Content;
use crate::error::{Error, Result};
use crate::fetch::Found;

/// A file under way.
pub(crate) struct Fill {
    pub(super) head: watch::Receiver<Option<Result<FillHead>>>,
    pub(super) done: watch::Receiver<Option<Result<Sha256Digest>>>,
}

/// What is known of it before it has come.
#[derive(Clone, Debug)]
pub(super) struct FillHead {
    pub(super) length: Option<u64>,
    pub(super) sha256: Option<Sha256Digest>,
    /// When it was published there, if the upstream tells.
    pub(super) published_at: Option<Timestamp>,
    /// Whether all of it is here already, or as soon as the fetch is over.
    pub(super) here: bool,
}

/// A piece under way.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Bytes(Bytes),
    /// All came, and it is what it should be.
    End,
}

impl Fill {
    pub(super) async fn head(&self) -> Result<FillHead> {
        landed(self.head.clone()).await
    }

    /// Waits until it is here; its digest.
    pub(super) async fn done(&self) -> Result<Sha256Digest> {
        landed(self.done.clone()).await
    }
}

async fn landed<T: Clone>(mut from: watch::Receiver<Option<Result<T>>>) -> Result<T> {
    let found = from.wait_for(Option::is_some).await.ok().and_then(|found| found.clone());
    found.unwrap_or_else(|| Err(Error::Defect("a fetch ended without a result".to_owned())))
}

/// A file that is read while it comes. Who falls behind reads the rest from here, once all of it has come.
pub struct Coming {
    file: File,
    head: FillHead,
    sent: u64,
    rest: Rest,
}

/// Which file it is, and what brings it.
struct File {
    grant: Grant<Read>,
    object: Object,
    fill: Arc<Fill>,
}

enum Rest {
    Live(broadcast::Receiver<Piece>),
    Kept(Box<Content>),
    Nothing,
}

impl Coming {
    pub(super) fn new(
        grant: Grant<Read>,
        object: Object,
        fill: Arc<Fill>,
        head: FillHead,
        pieces: broadcast::Receiver<Piece>,
    ) -> Self {
        Self { file: File { grant, object, fill }, head, sent: 0, rest: Rest::Live(pieces) }
    }

    /// Its length in bytes, if the upstream tells.
    pub fn length(&self) -> Option<u64> {
        self.head.length
    }

    /// Its digest, if the upstream tells: the last bytes are handed out only when it is true.
    pub fn digest(&self) -> Option<Sha256Digest> {
        self.head.sha256
    }

    /// When it was published there, if the upstream tells.
    pub fn dated(&self) -> Option<Timestamp> {
        self.head.published_at.map(|told| told.min(self.file.grant.registry().now()))
    }

    /// Waits until it is here.
    pub async fn whole(self) -> Result<Found> {
        self.file.fill.done().await?;
        self.file.grant.find_object(&self.file.object).await
    }

    /// The next bytes; `None` at the end. After an error nothing more comes.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            match &mut self.rest {
                Rest::Live(pieces) => match pieces.recv().await {
                    Ok(Piece::Bytes(bytes)) => {
                        self.sent += bytes.len() as u64;
                        return Ok(Some(bytes));
                    }
                    Ok(Piece::End) => self.rest = Rest::Nothing,
                    Err(_) => self.rest = self.file.after(self.sent).await?,
                },
                Rest::Kept(content) => return content.next().await,
                Rest::Nothing => return Ok(None),
            }
        }
    }
}

impl File {
    /// What comes after the first `sent` bytes, from here, when all of it has come.
    async fn after(&self, sent: u64) -> Result<Rest> {
        let digest = self.fill.done().await?;
        let found = self.grant.find_object(&self.object).await?;
        if sent > 0 && found.digest() != digest {
            let why = "another process has brought other bytes meanwhile: ask again";
            return Err(Error::refuse(Code::ServiceUnavailable, why));
        }
        if sent >= found.size() {
            return Ok(Rest::Nothing);
        }
        Ok(Rest::Kept(Box::new(found.open(Some(sent..found.size())).await?)))
    }
}
