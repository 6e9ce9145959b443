//! What is remembered between requests, good as long as a counter stands still.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

use store::Stamp;

/// Values that were read after the counter stood at one stamp. All are forgotten when it moves, or
/// when there are too many.
pub(crate) struct Remembered<K, V> {
    known: RwLock<Known<K, V>>,
    most: usize,
}

struct Known<K, V> {
    stamp: Option<Stamp>,
    values: HashMap<K, Arc<V>>,
}

impl<K: Eq + Hash, V> Remembered<K, V> {
    /// Room for `most` values.
    pub(crate) fn new(most: usize) -> Self {
        Self { known: RwLock::new(Known { stamp: None, values: HashMap::new() }), most }
    }

    /// What was remembered of `key`, if the counter still stands at `stamp`.
    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, stamp: Stamp, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
    {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        (known.stamp == Some(stamp)).then(|| known.values.get(key).map(Arc::clone)).flatten()
    }

    /// What was last remembered of `key`, and as of which stamp: to be proven by whoever uses it.
    pub(crate) fn last<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<(Stamp, Arc<V>)>
    where
        K: Borrow<Q>,
    {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Some((known.stamp?, Arc::clone(known.values.get(key)?)))
    }

    /// Remembers what was read after the counter stood at `stamp`.
    pub(crate) fn put(&self, stamp: Stamp, key: K, value: Arc<V>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.stamp != Some(stamp) || known.values.len() >= self.most {
            known.values.clear();
            known.stamp = Some(stamp);
        }
        known.values.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outlives_its_stamp_and_memory_is_bounded() {
        let remembered: Remembered<String, u8> = Remembered::new(2);
        let (one, two) = (Stamp::from_epoch(1), Stamp::from_epoch(2));
        remembered.put(one, "a".to_owned(), Arc::new(1));
        assert_eq!(remembered.get(one, "a").as_deref(), Some(&1));
        assert_eq!(remembered.get(two, "a"), None);
        assert_eq!(remembered.last("a").map(|(stamp, value)| (stamp, *value)), Some((one, 1)));
        remembered.put(two, "b".to_owned(), Arc::new(2));
        assert_eq!(remembered.get(one, "a"), None);
        remembered.put(two, "c".to_owned(), Arc::new(3));
        remembered.put(two, "d".to_owned(), Arc::new(4));
        assert_eq!((remembered.get(two, "b"), remembered.get(two, "d").as_deref()), (None, Some(&4)));
    }
}
