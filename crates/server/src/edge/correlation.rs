//! Correlation ids: the client's when it is a UUID, else our own.

use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use model::{Ambient, CorrelationId};
use uuid::{Builder, Uuid};

/// `X-Correlation-Id`.
pub(crate) const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// Makes version 7 ids without asking the system for randomness each time: unique in the process by
/// a counter, between processes by 128 random bits. They name requests and are not secrets.
#[derive(Debug)]
pub(crate) struct Ids {
    ambient: Ambient,
    seed: [u64; 2],
    counter: AtomicU64,
}

impl Ids {
    pub(crate) fn new(ambient: Ambient) -> Self {
        let seed = [u64::from_le_bytes(ambient.bytes()), u64::from_le_bytes(ambient.bytes())];
        Self { ambient, seed, counter: AtomicU64::new(0) }
    }

    /// The id of a request with these header fields, and the value that echoes it.
    pub(crate) fn of(&self, headers: &HeaderMap) -> (CorrelationId, HeaderValue) {
        match headers.get(&CORRELATION_ID).and_then(given) {
            Some(id) => (id, echo(id)),
            None => {
                let id = self.make();
                (id, echo(id))
            }
        }
    }

    /// A new id.
    pub(crate) fn make(&self) -> CorrelationId {
        let millis = u64::try_from(self.ambient.now().0 / 1000).unwrap_or(0);
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let low = mix(self.seed[0].wrapping_add(count.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let high = mix(self.seed[1] ^ low);
        let mut chance = [0; 10];
        chance[..8].copy_from_slice(&low.to_le_bytes());
        chance[8..].copy_from_slice(&high.to_le_bytes()[..2]);
        CorrelationId(Builder::from_unix_timestamp_millis(millis, &chance).into_uuid())
    }
}

fn given(value: &HeaderValue) -> Option<CorrelationId> {
    Uuid::try_parse_ascii(value.as_bytes()).ok().map(CorrelationId)
}

pub(crate) fn echo(id: CorrelationId) -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    let text = id.0.hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// SplitMix64's finish: a bijection, so different counts never give the same low bits.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_uuid_is_taken_and_anything_else_replaced() {
        let ids = Ids::new(Ambient::system());
        let mut headers = HeaderMap::new();
        headers.insert(&CORRELATION_ID, HeaderValue::from_static("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"));
        assert_eq!(ids.of(&headers).1, "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b");
        for bad in ["", "1", "'; drop table", "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5bb"] {
            headers.insert(&CORRELATION_ID, HeaderValue::from_static(bad));
            let (id, echo) = ids.of(&headers);
            assert_eq!(id.0.get_version_num(), 7);
            assert_ne!(echo, bad);
        }
    }

    #[test]
    fn ids_do_not_repeat() {
        let ids = Ids::new(Ambient::system());
        let made: HashSet<_> = (0..10_000).map(|_| ids.make()).collect();
        assert_eq!(made.len(), 10_000);
    }
}
