//! Work that many ask for at the same time and that is done once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tracing::Instrument as _;

use crate::error::{Error, Result};

/// What is under way, by its name. Goes on when those who asked go away.
pub(crate) struct Flights<K, V>(Arc<Mutex<HashMap<K, Landing<V>>>>);

/// Whether anybody still waits for what comes of the work.
pub(crate) type Wanted = Arc<dyn Fn() -> bool + Send + Sync>;

type Landing<V> = watch::Receiver<Option<Result<V>>>;

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Clone + Eq + Hash + Send + 'static, V: Clone + Send + Sync + 'static> Flights<K, V> {
    /// Does `work`, or waits for the one who is at it. Whoever comes afterwards does it again: `work` looks first
    /// whether it is still to be done.
    pub(crate) async fn join(&self, key: K, work: impl Future<Output = Result<V>> + Send + 'static) -> Result<V> {
        self.join_while_wanted(key, |_| work).await
    }

    /// The same with work that need not begin what takes long when nobody waits for it any more.
    pub(crate) async fn join_while_wanted<F>(&self, key: K, work: impl FnOnce(Wanted) -> F) -> Result<V>
    where
        F: Future<Output = Result<V>> + Send + 'static,
    {
        let mut landing = self.board(key, work);
        let landed = landing.wait_for(Option::is_some).await;
        let landed = landed.ok().and_then(|landed| landed.clone());
        landed.unwrap_or_else(|| Err(Error::Defect("shared work ended without a result".to_owned())))
    }

    fn board<F>(&self, key: K, work: impl FnOnce(Wanted) -> F) -> Landing<V>
    where
        F: Future<Output = Result<V>> + Send + 'static,
    {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(landing) = under_way.get(&key) {
            return landing.clone();
        }
        let (tell, landing) = watch::channel(None);
        under_way.insert(key.clone(), landing.clone());
        let seat = Seat { flights: Arc::clone(&self.0), key };
        let tell = Arc::new(tell);
        let told = Arc::clone(&tell);
        // One more waits in the list of what is under way.
        let work = work(Arc::new(move || told.receiver_count() > 1));
        let work = async move {
            let done = work.await;
            drop(seat);
            tell.send(Some(done)).ok();
        };
        tokio::spawn(work.in_current_span());
        landing
    }
}

/// Ends the entry, also when the work panics.
struct Seat<K: Eq + Hash, V> {
    flights: Arc<Mutex<HashMap<K, Landing<V>>>>,
    key: K,
}

impl<K: Eq + Hash, V> Drop for Seat<K, V> {
    fn drop(&mut self) {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn many_ask_and_it_is_done_once_and_again_afterwards() {
        let (flights, done) = (Arc::new(Flights::<u8, usize>::default()), Arc::new(AtomicUsize::new(0)));
        let work = |done: Arc<AtomicUsize>| async move {
            tokio::task::yield_now().await;
            Ok(done.fetch_add(1, Ordering::SeqCst))
        };
        let all = (0..50).map(|_| flights.join(1, work(Arc::clone(&done))));
        let all = futures_util::future::join_all(all).await;
        assert!(all.into_iter().all(|found| found.expect("a number") == 0));
        assert_eq!(flights.join(1, work(Arc::clone(&done))).await.expect("a number"), 1);
    }

    #[tokio::test]
    async fn work_knows_whether_anybody_waits() {
        let flights = Flights::<u8, bool>::default();
        let (go, gone) = tokio::sync::oneshot::channel();
        let (tell, told) = tokio::sync::oneshot::channel();
        let joined = flights.join_while_wanted(1, |wanted| async move {
            let before = wanted();
            gone.await.ok();
            tell.send((before, wanted())).ok();
            Ok(true)
        });
        let mut joined = Box::pin(joined);
        assert!(futures_util::poll!(&mut joined).is_pending());
        tokio::task::yield_now().await;
        drop(joined);
        go.send(()).expect("it is under way");
        assert_eq!(told.await, Ok((true, false)));
    }

    #[tokio::test]
    async fn work_that_panics_is_over() {
        let flights = Flights::<u8, u8>::default();
        let work = async { panic!("on purpose") };
        assert!(matches!(flights.join(1, work).await, Err(Error::Defect(_))));
        assert_eq!(flights.join(1, async { Ok(7) }).await.expect("a number"), 7);
    }
}
