//! Memory for downloads is shared out: who asks for much and reads nothing of it waits for himself alone, and each
//! share says whether somebody waits for what it holds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use blobs::{Blobs, Queue};
use model::PrincipalId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::authorize::{Grant, Read};
use crate::error::Result;
use crate::identity::Caller;

/// How long a piece waits for others of the same reader to be sent.
const PATIENCE: Duration = Duration::from_secs(20);
/// How much of the memory one reader may hold: half.
const PARTS: usize = 2;
/// From so many readers on, those that hold nothing are forgotten.
const READERS: usize = 1000;

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reader {
    Principal(PrincipalId),
    Address(IpAddr),
}

/// What each reader holds of the memory.
pub(crate) struct Shares {
    /// Pieces, each at most a block.
    each: usize,
    readers: Mutex<HashMap<Reader, Weak<Line>>>,
    /// Who waits for the memory itself.
    memory: Queue,
}

/// One reader's.
#[derive(Debug)]
struct Line {
    permits: Arc<Semaphore>,
    queue: Queue,
}

/// The right to hold one piece until this is dropped.
#[derive(Debug)]
pub struct Share {
    _permit: OwnedSemaphorePermit,
    line: Arc<Line>,
    memory: Queue,
}

impl Share {
    /// Whether somebody waits for what it holds: the same reader for a share, or anybody for memory.
    pub fn is_wanted(&self) -> bool {
        !self.line.queue.is_empty() || !self.memory.is_empty()
    }
}

impl Shares {
    /// The memory of all readers.
    pub(crate) fn of(blobs: &Blobs) -> Self {
        Self::new(blobs.options().read_memory, blobs.readers_waiting())
    }

    /// `size`: of the memory of all readers, in bytes. `memory`: who waits for it.
    fn new(size: usize, memory: Queue) -> Self {
        Self { each: (size / blobs::BLOCK as usize / PARTS).max(1), readers: Mutex::default(), memory }
    }

    /// Waits for a bounded time, then gives up as [`blobs::Error::Busy`].
    pub(crate) async fn take(&self, reader: Reader) -> Result<Share> {
        let line = self.line(reader);
        let _place = line.queue.join();
        let permit = Arc::clone(&line.permits).acquire_owned();
        match tokio::time::timeout(PATIENCE, permit).await {
            Ok(Ok(permit)) => Ok(Share { _permit: permit, line: Arc::clone(&line), memory: self.memory.clone() }),
            _ => Err(blobs::Error::Busy.into()),
        }
    }

    fn line(&self, reader: Reader) -> Arc<Line> {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = readers.get(&reader).and_then(Weak::upgrade) {
            return held;
        }
        if readers.len() >= READERS {
            readers.retain(|_, held| held.strong_count() > 0);
        }
        let fresh = Arc::new(Line { permits: Arc::new(Semaphore::new(self.each)), queue: Queue::default() });
        readers.insert(reader, Arc::downgrade(&fresh));
        fresh
    }
}

impl Grant<Read> {
    /// The right to hold a piece of a download, for who asks: a known caller, or `address`. 503 when those who read for
    /// the same caller take nothing for 20 s.
    pub async fn share(&self, address: IpAddr) -> Result<Share> {
        let reader = match self.call().caller() {
            Caller::Known(identity) => Reader::Principal(identity.principal),
            Caller::Anonymous => Reader::Address(address),
        };
        self.registry().inner.shares.take(reader).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_waits_for_himself_alone() {
        let shares = Shares::new(4 << 20, Queue::default());
        let reader = |last: u8| Reader::Address(IpAddr::from([10, 0, 0, last]));
        let (one, two) = (shares.take(reader(1)).await.expect("a share"), shares.take(reader(1)).await.expect("two"));
        let other = shares.take(reader(3)).await.expect("another reader's");
        let memory = shares.memory.clone();
        let looks = async { (one.is_wanted(), other.is_wanted(), memory.join(), other.is_wanted()) };
        let (refused, (own, others, _place, memory)) = tokio::join!(shares.take(reader(1)), looks);
        assert!(refused.is_err(), "nothing was sent in time");
        assert_eq!((own, others, memory), (true, false, true), "who waits for a share wants that reader's alone");
        drop(shares.take(reader(2)).await.expect("another reader's"));
        drop(one);
        let three = shares.take(reader(1)).await.expect("there is room again");
        for last in 0..=255 {
            for middle in 0..8 {
                drop(shares.take(Reader::Address(IpAddr::from([10, 1, middle, last]))).await.expect("a share"));
            }
        }
        assert!(shares.readers.lock().expect("no panic").len() <= READERS, "who holds nothing is forgotten");
        assert!(shares.take(reader(1)).await.is_err(), "and who holds something is not");
        drop((two, three, other));
    }
}
