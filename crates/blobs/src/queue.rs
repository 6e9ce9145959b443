//! Whether somebody waits: for those who hold what the others wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Those who wait for one thing. Clones are the same queue.
#[derive(Clone, Debug, Default)]
pub struct Queue(Arc<AtomicUsize>);

/// A place in a queue, left when dropped.
#[derive(Debug)]
pub struct Place(Queue);

impl Queue {
    /// Waits from now on.
    #[must_use]
    pub fn join(&self) -> Place {
        self.0.fetch_add(1, Relaxed);
        Place(self.clone())
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.0.load(Relaxed) == 0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}
