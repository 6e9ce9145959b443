//! Rate limits: how many requests one principal, or one address without a principal, may make.
//!
//! The generic cell rate algorithm: a token bucket that remembers one time per key, the moment at which
//! the bucket will be full again. Memory is fixed: a table of small sets; in a full set the key that is
//! nearest to a full bucket, so has least to lose, makes room.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue};
use model::{Ambient, PrincipalId};

const MINUTE: i64 = 60_000_000;
const SHARDS: usize = 64;
/// Places that a key may take in its shard.
const WAYS: usize = 8;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Limits per minute; 0 turns one off.
#[derive(Clone, Copy, Debug)]
pub struct RateLimits {
    /// Requests of any kind. Default 6,000.
    pub requests: u32,
    /// Attempts to log in. Default 20.
    pub logins: u32,
    /// Keys remembered at once (rounded up to a multiple of 512). Default 16,384, which takes 256 KiB.
    pub keys: usize,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { requests: 6_000, logins: 20, keys: 16_384 }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Any request.
    Request,
    /// An attempt to log in.
    Login,
}

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A caller who proved who it is.
    Principal(PrincipalId),
    /// A client address; IPv6 counts by /64, which is what one customer gets.
    Address(IpAddr),
}

/// The answer for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the request may go on.
    pub allowed: bool,
    /// Requests per minute; 0 when there is no limit.
    pub limit: u32,
    /// Requests that would be allowed right now.
    pub remaining: u32,
    /// Seconds until the bucket is full again.
    pub reset: u64,
    /// Seconds until the next request is allowed; 0 when it is now.
    pub retry_after: u64,
}

impl Verdict {
    const UNLIMITED: Self = Self { allowed: true, limit: 0, remaining: u32::MAX, reset: 0, retry_after: 0 };

    /// Adds the `RateLimit-*` headers; nothing when there is no limit.
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        if self.limit > 0 {
            headers.insert(LIMIT, HeaderValue::from(self.limit));
            headers.insert(REMAINING, HeaderValue::from(self.remaining));
            headers.insert(RESET, HeaderValue::from(self.reset));
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Slot {
    key: u64,
    /// When the bucket is full again, in microseconds.
    full_at: i64,
}

/// The counters of the process.
pub struct RateLimiter {
    ambient: Ambient,
    limits: RateLimits,
    seed: [u8; 16],
    sets: usize,
    shards: Vec<Mutex<Box<[Slot]>>>,
}

impl RateLimiter {
    /// An empty table.
    pub fn new(ambient: Ambient, limits: RateLimits) -> Self {
        let sets = limits.keys.div_ceil(SHARDS * WAYS).max(1);
        let shard = || Mutex::new(vec![Slot::default(); sets * WAYS].into_boxed_slice());
        let shards = (0..SHARDS).map(|_| shard()).collect();
        Self { seed: ambient.bytes(), ambient, limits, sets, shards }
    }

    /// Counts one request and says whether it may go on. One short lock, no allocation.
    pub fn check(&self, key: Key, class: Class) -> Verdict {
        let limit = self.limit(class);
        if limit == 0 {
            return Verdict::UNLIMITED;
        }
        let now = self.ambient.now().0;
        self.in_set(self.name(key, class), |ways, name| take(place(ways, name), limit, now))
            .unwrap_or(Verdict::UNLIMITED)
    }

    /// Takes back the counting of a request that turned out to be somebody else's: what [`RateLimiter::check`]
    /// allowed last under this key.
    pub fn refund(&self, key: Key, class: Class) {
        let limit = self.limit(class);
        if limit == 0 {
            return;
        }
        self.in_set(self.name(key, class), |ways, name| {
            if let Some(slot) = ways.iter_mut().find(|slot| slot.key == name) {
                slot.full_at = slot.full_at.saturating_sub(step(limit));
            }
        });
    }

    fn limit(&self, class: Class) -> u32 {
        match class {
            Class::Request => self.limits.requests,
            Class::Login => self.limits.logins,
        }
    }

    /// Does `work` on the set of slots that a name may be in. One short lock.
    fn in_set<T>(&self, name: u64, work: impl FnOnce(&mut [Slot], u64) -> T) -> Option<T> {
        let shard = usize::try_from(name % SHARDS as u64).unwrap_or(0);
        let set = usize::try_from((name >> 8) % self.sets as u64).unwrap_or(0);
        let mut slots = self.shards.get(shard)?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(work(slots.get_mut(set * WAYS..(set + 1) * WAYS)?, name))
    }

    /// A number for the key that nobody outside can choose.
    fn name(&self, key: Key, class: Class) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.seed.hash(&mut hasher);
        class.hash(&mut hasher);
        match key {
            Key::Principal(id) => id.0.as_bytes().hash(&mut hasher),
            Key::Address(address) => network(address).hash(&mut hasher),
        }
        hasher.finish().max(1)
    }
}

impl std::fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimiter").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// IPv4 as it is, IPv6 by its first 64 bits.
fn network(address: IpAddr) -> (bool, u64) {
    match address.to_canonical() {
        IpAddr::V4(four) => (false, u64::from(four.to_bits())),
        IpAddr::V6(six) => (true, u64::try_from(six.to_bits() >> 64).unwrap_or(0)),
    }
}

/// The key's slot; a new key takes the slot that loses least.
fn place(ways: &mut [Slot], name: u64) -> Option<&mut Slot> {
    let known = ways.iter().position(|slot| slot.key == name);
    let (at, fresh) = match known {
        Some(at) => (at, false),
        None => (ways.iter().enumerate().min_by_key(|(_, slot)| slot.full_at)?.0, true),
    };
    let slot = ways.get_mut(at)?;
    if fresh {
        *slot = Slot { key: name, full_at: i64::MIN };
    }
    Some(slot)
}

fn take(slot: Option<&mut Slot>, limit: u32, now: i64) -> Verdict {
    let Some(slot) = slot else { return Verdict::UNLIMITED };
    let step = step(limit);
    // A clock set back must not lock anybody out for longer than a minute.
    let debt = slot.full_at.saturating_sub(now).clamp(0, MINUTE);
    let allowed = debt + step <= MINUTE;
    let debt = if allowed { debt + step } else { debt };
    slot.full_at = now.saturating_add(debt);
    let wait = if allowed { 0 } else { debt + step - MINUTE };
    Verdict {
        allowed,
        limit,
        remaining: u32::try_from((MINUTE - debt) / step).unwrap_or(0),
        reset: seconds(debt),
        retry_after: seconds(wait),
    }
}

/// What one request costs, in microseconds.
fn step(limit: u32) -> i64 {
    (MINUTE / i64::from(limit)).max(1)
}

fn seconds(micros: i64) -> u64 {
    u64::try_from(micros).unwrap_or(0).div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use model::{ManualClock, SeededRandom, Timestamp};

    use super::*;

    fn limiter(requests: u32, logins: u32, keys: usize) -> (Arc<ManualClock>, RateLimiter) {
        let clock = Arc::new(ManualClock::at(Timestamp(1_763_700_000_000_000)));
        let ambient = Ambient::new(clock.clone(), Arc::new(SeededRandom::new(1)));
        (clock, RateLimiter::new(ambient, RateLimits { requests, logins, keys }))
    }

    fn address(text: &str) -> Key {
        Key::Address(text.parse().unwrap())
    }

    #[test]
    fn a_full_bucket_then_one_for_each_step() {
        let (clock, limiter) = limiter(60, 20, 100);
        let ask = || limiter.check(address("192.0.2.1"), Class::Request);
        assert!((0..60).all(|_| ask().allowed));
        let refused = ask();
        assert!(!refused.allowed);
        assert_eq!((refused.limit, refused.remaining, refused.reset, refused.retry_after), (60, 0, 60, 1));
        assert!(!ask().allowed, "a refused request costs nothing and gains nothing");
        clock.advance(Duration::from_secs(1));
        assert!(ask().allowed && !ask().allowed);
        clock.advance(Duration::from_secs(60));
        assert_eq!(ask().remaining, 59);
    }

    #[test]
    fn keys_and_classes_are_counted_apart_and_ipv6_by_its_network() {
        let (_, limiter) = limiter(1, 1, 100);
        let ask = |key| limiter.check(key, Class::Request).allowed;
        assert!(ask(address("2001:db8:0:1::1")) && !ask(address("2001:db8:0:1:ffff::2")));
        assert!(ask(address("2001:db8:0:2::1")));
        assert!(ask(address("192.0.2.1")) && !ask(address("::ffff:192.0.2.1")));
        assert!(ask(Key::Principal(PrincipalId(uuid::Uuid::nil()))));
        assert!(limiter.check(address("192.0.2.1"), Class::Login).allowed);
    }

    #[test]
    fn what_is_refunded_was_never_counted() {
        let (_, limiter) = limiter(2, 1, 100);
        let (ask, refund) =
            (|| limiter.check(address("::1"), Class::Request), || limiter.refund(address("::1"), Class::Request));
        for _ in 0..100 {
            assert!(ask().allowed);
            refund();
        }
        refund();
        assert_eq!((ask().remaining, ask().remaining, ask().allowed), (1, 0, false), "a refund is never credit");
    }

    #[test]
    fn zero_is_off() {
        let (_, limiter) = limiter(0, 1, 100);
        assert!((0..1000).all(|_| limiter.check(address("::1"), Class::Request).allowed));
        let mut headers = HeaderMap::new();
        limiter.check(address("::1"), Class::Request).write_headers(&mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn memory_is_fixed_and_the_heaviest_user_is_remembered_longest() {
        let (_, limiter) = limiter(10, 1, 512);
        let heavy = address("192.0.2.1");
        while limiter.check(heavy, Class::Request).allowed {}
        for number in 0..100_000_u32 {
            limiter.check(Key::Address(IpAddr::from(number.to_be_bytes())), Class::Request);
        }
        let slots: usize = limiter.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert_eq!(slots, 512);
        assert!(!limiter.check(heavy, Class::Request).allowed);
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let (_, limiter) = limiter(60, 1, 100);
        let mut slot = Slot { key: 1, full_at: i64::MAX };
        assert_eq!(take(Some(&mut slot), 60, 0).retry_after, 1);
        assert!(slot.full_at <= MINUTE);
        drop(limiter);
    }

    #[test]
    fn the_headers_are_written() {
        let (_, limiter) = limiter(2, 1, 100);
        let mut headers = HeaderMap::new();
        limiter.check(address("::1"), Class::Request).write_headers(&mut headers);
        assert_eq!(headers["ratelimit-limit"], "2");
        assert_eq!(headers["ratelimit-remaining"], "1");
        assert_eq!(headers["ratelimit-reset"], "30");
    }
}
