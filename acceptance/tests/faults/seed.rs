//! Chance that can be repeated: numbers and contents from one seed.

use acceptance::{Result, Trouble, environment};
use bytes::Bytes;

/// The seed of this run: `ARTIFORTRESS_TEST_SEED`, or else `usual`.
pub(crate) fn seed(usual: u64) -> Result<u64> {
    match environment::read("ARTIFORTRESS_TEST_SEED") {
        None => Ok(usual),
        Some(text) => text.parse().map_err(|_| Trouble::new(format!("ARTIFORTRESS_TEST_SEED is not a number: {text}"))),
    }
}

/// A stream of numbers (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// The stream `number` of `seed`.
    pub(crate) fn new(seed: u64, number: u64) -> Chance {
        let mut chance = Chance(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        chance.next();
        chance
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to before `high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }
}

/// `length` bytes that nothing else in the run has.
pub(crate) fn content(seed: u64, length: u64) -> Bytes {
    let mut chance = Chance::new(seed, length);
    let mut bytes = Vec::with_capacity(length as usize + 8);
    while (bytes.len() as u64) < length {
        bytes.extend_from_slice(&chance.next().to_le_bytes());
    }
    bytes.truncate(length as usize);
    bytes.into()
}
