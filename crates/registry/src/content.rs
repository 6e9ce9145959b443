//! Reading bytes from whichever copy is good.

use std::ops::Range;

use bytes::Bytes;
use model::{Code, CopyId, Sha256Digest};

use crate::copies::{CopyBytes, CopyOf, copy_of};
use crate::error::{Error, Result};

use crate::registry::Registry;
use crate::remote::Again;

/// Bytes under way. Every block was checked before it is handed out; when a copy turns out to be
/// damaged, the next good one takes over where it stopped. Where none is left, what came from an upstream comes again.
pub struct Content {
    registry: Registry,
    digest: Sha256Digest,
    rest: Range<u64>,
    current: Source,
    others: std::vec::IntoIter<CopyOf>,
    /// The length of the whole.
    size: u64,
    /// Copies that could not be read.
    tried: Vec<CopyId>,
    trouble: Option<Error>,
    /// Who is asked, once, when no copy is left.
    again: Option<Box<Again>>,
}

enum Source {
    Inline(Option<Bytes>),
    Stored(CopyId, Box<blobs::Reader>),
}

impl Content {
    pub(crate) async fn open(
        registry: &Registry,
        digest: Sha256Digest,
        size: u64,
        copies: Vec<CopyOf>,
        range: Option<Range<u64>>,
        again: Option<Box<Again>>,
    ) -> Result<Self> {
        let rest = range.unwrap_or(0..size);
        let others = copies.into_iter();
        let mut content = Self {
            registry: registry.clone(),
            digest,
            rest,
            current: Source::Inline(None),
            others,
            size,
            tried: Vec::new(),
            trouble: None,
            again,
        };
        content.advance().await?;
        Ok(content)
    }

    /// Bytes that were read and checked before.
    pub(crate) fn in_memory(
        registry: &Registry,
        digest: Sha256Digest,
        bytes: Bytes,
        range: Option<Range<u64>>,
    ) -> Self {
        let rest = range.unwrap_or(0..bytes.len() as u64);
        let current = Source::Inline(Some(cut(&bytes, &rest)));
        let (others, size) = (Vec::new().into_iter(), bytes.len() as u64);
        let (tried, trouble, again) = (Vec::new(), None, None);
        Self { registry: registry.clone(), digest, rest, current, others, size, tried, trouble, again }
    }

    /// Whether the rest is one piece that was read just now.
    pub(crate) fn is_read(&self) -> bool {
        matches!(&self.current, Source::Stored(_, reader) if reader.is_read())
    }

    /// All of it, in memory: for what is known to be short.
    pub async fn whole(mut self) -> Result<Bytes> {
        let mut body = Vec::with_capacity(usize::try_from(self.length()).unwrap_or_default());
        while let Some(piece) = self.next().await? {
            body.extend_from_slice(&piece);
        }
        Ok(body.into())
    }

    /// The number of bytes still to come.
    pub fn length(&self) -> u64 {
        self.rest.end - self.rest.start
    }

    /// Whether the rest is one piece that is in memory already.
    pub fn is_in_memory(&self) -> bool {
        matches!(self.current, Source::Inline(_)) || self.is_read()
    }

    /// The next piece, or `None` at the end. After an error nothing more comes.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let piece = match &mut self.current {
                Source::Inline(bytes) => return Ok(bytes.take()),
                Source::Stored(id, reader) => match reader.next_block().await {
                    Ok(piece) => piece,
                    Err(error) => {
                        let id = *id;
                        Box::pin(self.turn_from(id, error)).await?;
                        continue;
                    }
                },
            };
            if let Some(piece) = &piece {
                self.rest.start += piece.len() as u64;
            }
            return Ok(piece);
        }
    }

    /// Leaves a copy that cannot be read for the next one.
    async fn turn_from(&mut self, id: CopyId, error: blobs::Error) -> Result<()> {
        self.tried.push(id);
        self.trouble = report(&self.registry, self.digest, id, error).await.err();
        self.advance().await
    }

    /// Turns to the next copy that can be opened.
    async fn advance(&mut self) -> Result<()> {
        loop {
            if self.try_others().await {
                return Ok(());
            }
            if let Some(trouble) = self.trouble.take() {
                return Err(trouble);
            }
            let (newer, is_removed) = Box::pin(newer(&self.registry, self.digest, self.size, &self.tried)).await?;
            match self.again.take_if(|_| newer.is_empty()) {
                Some(again) => again.bring(self.digest).await?,
                None if !newer.is_empty() => self.others = newer.into_iter(),
                None if is_removed => return Err(let_go()),
                None => return Err(lost(self.digest)),
            }
        }
    }

    /// Whether one of them could be opened.
    async fn try_others(&mut self) -> bool {
        for copy in self.others.by_ref() {
            match open_copy(&self.registry, &copy, self.rest.clone()).await {
                Ok(source) => {
                    self.current = source;
                    return true;
                }
                Err(error) => {
                    self.tried.push(copy.id);
                    let trouble = Box::pin(report(&self.registry, self.digest, copy.id, error)).await;
                    self.trouble = trouble.err().or(self.trouble.take());
                }
            }
        }
        false
    }
}

/// Copies that nobody knew of when somebody began to read: blobs are healed, packed and let go meanwhile. And whether
/// all of them were removed on purpose.
async fn newer(registry: &Registry, digest: Sha256Digest, size: u64, tried: &[CopyId]) -> Result<(Vec<CopyOf>, bool)> {
    let look = async |session: &mut store::Session<'_>| {
        let copies = store::blobs::copies(session, digest).await?;
        Ok((copies, store::cached::is_removed(session, digest).await?))
    };
    let (copies, is_removed) = registry.store().snapshot(look).await?;
    let newer = copies.into_iter().filter(|copy| !tried.contains(&copy.id)).map(|copy| copy_of(copy, size));
    Ok((newer.collect::<Result<_>>()?, is_removed))
}

/// The bytes were removed on purpose, and come from the upstream again.
fn let_go() -> Error {
    let why = "the bytes were let go here and come from the upstream again when the file is asked for: ask again";
    Error::refuse(Code::ServiceUnavailable, why)
}

/// No copy is left that may be served.
pub(crate) fn lost(digest: Sha256Digest) -> Error {
    tracing::error!(%digest, "no good copy is left");
    Error::refuse(
        Code::ServiceUnavailable,
        "the stored bytes are damaged and no good copy is left: nothing of them is served; push the same bytes again to heal them",
    )
}

fn cut(bytes: &Bytes, range: &Range<u64>) -> Bytes {
    let at = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(at(range.start)..at(range.end))
}

async fn open_copy(registry: &Registry, copy: &CopyOf, rest: Range<u64>) -> blobs::Result<Source> {
    match &copy.bytes {
        CopyBytes::Inline(bytes, sums) => {
            blobs::check_inline(bytes, sums)?;
            Ok(Source::Inline(Some(cut(bytes, &rest))))
        }
        CopyBytes::Stored(stored) => {
            let reader = registry.blobs().open(stored, Some(rest)).await?;
            Ok(Source::Stored(copy.id, Box::new(reader)))
        }
    }
}

/// A damaged or missing copy is marked so that it is never tried again. Other faults are answered
/// only when no other copy is left: they may pass.
async fn report(registry: &Registry, digest: Sha256Digest, copy: CopyId, error: blobs::Error) -> Result<()> {
    if !error.condemns() {
        return Err(error.into());
    }
    if error.is_absence() {
        if !registry.has_copy(digest, copy).await? {
            return Ok(());
        }
        registry.expect_our_blobs().await?;
    }
    tracing::error!(%digest, %copy, %error, "a copy is damaged");
    // The reader turns to the next copy all the same; the next reader tells again.
    if let Err(error) = registry.retire_copy(digest, copy, &error.to_string()).await {
        tracing::warn!(%digest, %copy, %error, "the damage could not be written down");
    }
    Ok(())
}
