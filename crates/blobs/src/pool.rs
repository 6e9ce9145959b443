//! Memory for reading: buffers that are used again, under one cap for the whole process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Result};
use crate::queue::Queue;
use crate::sums::BLOCK;

/// What one permit stands for, and the smallest buffer. Others have two, four, eight and sixteen of it.
const UNIT: usize = 64 << 10;
/// How many sizes there are: the last one is a block.
const SIZES: usize = 5;
const _: () = assert!(UNIT << (SIZES - 1) == BLOCK as usize);
/// How long a read waits for memory before it gives up.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long unused buffers are kept.
const REST: Duration = Duration::from_secs(2);

/// The buffers.
pub(crate) struct Pool {
    permits: Arc<Semaphore>,
    /// How many permits there are, lent ones included.
    units: usize,
    /// By size. Together with what is lent never more than the cap.
    free: Mutex<[Vec<Vec<u8>>; SIZES]>,
    trimming: AtomicBool,
    /// Who waits for memory.
    pub(crate) queue: Queue,
}

/// A buffer on loan. It goes back when dropped, also from inside a `Bytes`.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    /// How much of it is wanted.
    length: usize,
    filled: usize,
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    /// At most `cap` bytes on loan at once, but never less than one block.
    pub(crate) fn new(cap: usize) -> Arc<Self> {
        let units = cap.max(BLOCK as usize).div_ceil(UNIT).min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(units)),
            units,
            free: Mutex::default(),
            trimming: AtomicBool::new(false),
            queue: Queue::default(),
        })
    }

    /// A buffer with room for `length` bytes (at most one block); waits its turn for a bounded time.
    pub(crate) async fn get(self: &Arc<Self>, length: usize) -> Result<Buffer> {
        if let Some(buffer) = self.try_get(length) {
            return Ok(buffer);
        }
        let _place = self.queue.join();
        let wait = Arc::clone(&self.permits).acquire_many_owned(units(length));
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(Ok(permit)) => Ok(self.lend(length, permit)),
            _ => Err(Error::Busy),
        }
    }

    /// The same for reading ahead: only while half of the memory is free, so that nobody has to wait for it.
    pub(crate) fn spare(self: &Arc<Self>, length: usize) -> Option<Buffer> {
        if self.permits.available_permits() < self.units / 2 { None } else { self.try_get(length) }
    }

    fn try_get(self: &Arc<Self>, length: usize) -> Option<Buffer> {
        let permit = Arc::clone(&self.permits).try_acquire_many_owned(units(length)).ok()?;
        Some(self.lend(length, permit))
    }

    fn lend(self: &Arc<Self>, length: usize, permit: OwnedSemaphorePermit) -> Buffer {
        let size = size_of(length);
        let bytes = self.used(size).unwrap_or_else(|| vec![0; UNIT << size]);
        Buffer { bytes, length, filled: 0, pool: Arc::clone(self), _permit: permit }
    }

    /// A buffer that is free; where there is none of this size, others go until there is room for a new one.
    fn used(&self, size: usize) -> Option<Vec<u8>> {
        let mut free = self.lock();
        let used = free.get_mut(size).and_then(Vec::pop);
        if used.is_none() {
            let room = self.permits.available_permits();
            while held(&free) > room {
                drop(free.iter_mut().rev().find_map(Vec::pop));
            }
        }
        used
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, [Vec<Vec<u8>>; SIZES]> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a buffer for the next reader and sees to it that it is not kept for ever.
    fn give_back(self: &Arc<Self>, bytes: Vec<u8>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if let Some(free) = self.lock().get_mut(size_of(bytes.len())) {
            free.push(bytes);
        }
        if !self.trimming.swap(true, Ordering::AcqRel) {
            let pool = Arc::clone(self);
            runtime.spawn(async move { pool.trim().await });
        }
    }

    /// Halves what is free until nothing is left: buffers that are in steady use come back meanwhile.
    async fn trim(self: Arc<Self>) {
        loop {
            tokio::time::sleep(REST).await;
            let mut free = self.lock();
            free.iter_mut().for_each(|free| free.truncate(free.len() / 2));
            if free.iter().all(Vec::is_empty) {
                self.trimming.store(false, Ordering::Release);
                return;
            }
        }
    }

    /// Bytes on loan now, in whole units.
    #[cfg(test)]
    pub(crate) fn lent(&self) -> usize {
        (self.units - self.permits.available_permits()) * UNIT
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({} free of {} units)", self.permits.available_permits(), self.units)
    }
}

/// What free buffers hold, in units.
fn held(free: &[Vec<Vec<u8>>; SIZES]) -> usize {
    free.iter().zip(0..).map(|(free, size)| free.len() << size).sum()
}

/// The number of the smallest size that holds `length` bytes, at most one block.
fn size_of(length: usize) -> usize {
    (length.div_ceil(UNIT).max(1).next_power_of_two().trailing_zeros() as usize).min(SIZES - 1)
}

fn units(length: usize) -> u32 {
    1 << size_of(length)
}

impl Buffer {
    /// What is not filled yet of the wanted length.
    pub(crate) fn rest(&mut self) -> &mut [u8] {
        &mut self.bytes[self.filled..self.length]
    }

    /// How much is filled.
    pub(crate) fn filled(&self) -> usize {
        self.filled
    }

    /// Counts the first `count` bytes of the rest as filled.
    pub(crate) fn fill(&mut self, count: usize) {
        self.filled = (self.filled + count).min(self.length);
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_used_again_and_given_up() {
        let pool = Pool::new(2 * BLOCK as usize);
        let one = pool.get(BLOCK as usize).await.expect("memory");
        let two = pool.get(BLOCK as usize).await.expect("memory");
        assert_eq!(pool.lent(), 2 * BLOCK as usize);
        assert!(pool.try_get(1).is_none() && pool.queue.is_empty());
        tokio::join!(async { assert!(matches!(pool.get(1).await, Err(Error::Busy))) }, async {
            assert!(!pool.queue.is_empty(), "who holds memory is told")
        },);
        assert!(pool.queue.is_empty());
        let address = one.as_ref().as_ptr();
        drop(bytes::Bytes::from_owner(one));
        assert_eq!(pool.lent(), BLOCK as usize);
        assert_eq!(pool.get(BLOCK as usize).await.expect("memory").as_ref().as_ptr(), address);
        drop(two);
        assert_eq!(pool.lent(), 0);
        assert_eq!(pool.lock()[SIZES - 1].len(), 2);
        tokio::time::sleep(REST * 4).await;
        assert!(pool.lock().iter().all(Vec::is_empty));
    }

    #[tokio::test]
    async fn what_is_free_and_what_is_lent_stay_under_the_cap() {
        let pool = Pool::new(2 * BLOCK as usize);
        for length in [UNIT, 3 * UNIT, BLOCK as usize, 2 * UNIT, BLOCK as usize, 1] {
            let lent: Vec<_> = std::iter::from_fn(|| pool.try_get(length)).collect();
            assert!(!lent.is_empty() && pool.lent() / UNIT + held(&pool.lock()) <= 32, "{length} lent");
            drop(lent);
            assert!(held(&pool.lock()) <= 32, "{length} given back");
        }
    }

    #[tokio::test]
    async fn a_buffer_is_used_again_for_what_it_holds() {
        let pool = Pool::new(2 * BLOCK as usize);
        for (length, size, lent) in
            [(0, 0, 1), (1, 0, 1), (UNIT, 0, 1), (UNIT + 1, 1, 2), (5 * UNIT, 3, 8), (1 << 20, 4, 16)]
        {
            let mut buffer = pool.get(length).await.expect("memory");
            assert_eq!((size_of(length), buffer.rest().len(), pool.lent()), (size, length, lent * UNIT));
            buffer.fill(usize::MAX / 2);
            assert_eq!((buffer.as_ref().len(), buffer.rest().len()), (length, 0));
        }
        let free = pool.lock().each_ref().map(Vec::len);
        assert_eq!(free, [1, 1, 0, 1, 1], "the smallest one three times");
    }
}
