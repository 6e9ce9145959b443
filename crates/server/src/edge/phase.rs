//! The life of a listener as its connections see it: serving, draining, ended.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Poll;

use tokio_util::sync::CancellationToken;

const DRAINING: u8 = 1;
const ENDED: u8 = 2;

/// Shared by the accept loop and all its connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Phase(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: AtomicU8,
    draining: CancellationToken,
    ended: CancellationToken,
}

impl Phase {
    /// Finish what is in flight and take up nothing new.
    pub(crate) fn drain(&self) {
        self.0.state.fetch_max(DRAINING, Ordering::SeqCst);
        self.0.draining.cancel();
    }

    /// Stop, whatever is in flight.
    pub(crate) fn end(&self) {
        self.0.state.store(ENDED, Ordering::SeqCst);
        self.0.ended.cancel();
        self.drain();
    }

    /// Drives `work` to its end, or to the listener's. `on_drain` is called once when draining begins.
    ///
    /// The tokens are asked once, to leave a waker; afterwards a poll costs one load, not a shared lock.
    pub(crate) async fn through<F: Future + Unpin>(&self, mut work: F, mut on_drain: impl FnMut(&mut F)) {
        let mut draining = pin!(self.0.draining.cancelled());
        let mut ended = pin!(self.0.ended.cancelled());
        let (mut asked, mut told) = (false, false);
        std::future::poll_fn(move |cx| {
            if !asked {
                asked = true;
                let _ = draining.as_mut().poll(cx);
                let _ = ended.as_mut().poll(cx);
            }
            match self.0.state.load(Ordering::SeqCst) {
                ENDED => return Poll::Ready(()),
                DRAINING if !told => {
                    told = true;
                    on_drain(&mut work);
                }
                _ => {}
            }
            std::pin::Pin::new(&mut work).poll(cx).map(|_| ())
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn draining_is_told_once_and_ending_stops_the_work() {
        let phase = Phase::default();
        let watched = phase.clone();
        let task = tokio::spawn(async move {
            let mut told = 0;
            watched.through(std::future::pending::<()>(), |_| told += 1).await;
            told
        });
        tokio::task::yield_now().await;
        phase.drain();
        tokio::task::yield_now().await;
        assert!(!task.is_finished());
        phase.end();
        assert_eq!(task.await.unwrap(), 1);
    }

    #[tokio::test]
    async fn finished_work_needs_no_signal() {
        Phase::default().through(std::future::ready(()), |_| {}).await;
    }
}
