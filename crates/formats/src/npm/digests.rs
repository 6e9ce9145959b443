//! What a packument says of the digests of an archive.
//!
//! Source: the recommendation "Subresource Integrity" of the W3C, section 3.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Sha256Digest;
use model::digest::{hex, unhex};

use crate::Sums;

/// What is declared and can be checked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Digests {
    /// SHA-256.
    pub(super) sha256: Option<Sha256Digest>,
    /// The others.
    pub(super) sums: Sums,
    /// The strongest of `dist.integrity`, alone.
    pub(super) integrity: Option<String>,
    /// `dist.shasum`: SHA-1 in lower-case hex digits.
    pub(super) shasum: Option<String>,
}

impl Digests {
    /// Reads `dist.integrity` and `dist.shasum`, empty where they are not said. `None`: they contradict each other, or
    /// nothing of what is said can be checked. Where nothing is said, nothing is to be checked.
    pub(super) fn read(integrity: &str, shasum: &str) -> Option<Self> {
        let sha1 = unhex(&shasum.to_ascii_lowercase()).and_then(|sum| <[u8; 20]>::try_from(sum).ok());
        let mut found = Self { shasum: sha1.map(|sum| hex(&sum)), ..Self::default() };
        found.sums.sha1 = sha1;
        found.integrity(integrity)?;
        let silent = integrity.is_empty() && shasum.is_empty();
        (silent || found.integrity.is_some() || found.shasum.is_some()).then_some(found)
    }

    /// Takes the strongest algorithm that we know; what is unknown or broken is passed over, as clients do. `None`: it
    /// names two different digests.
    fn integrity(&mut self, text: &str) -> Option<()> {
        let mut strongest = STRENGTH.into_iter().map(|(name, length)| (name, sums(text, name, length)));
        let Some((name, mut sums)) = strongest.find(|(_, sums)| !sums.is_empty()) else { return Some(()) };
        let sum = sums.pop_first().filter(|_| sums.is_empty())?;
        self.integrity = Some(format!("{name}-{}", STANDARD.encode(&sum)));
        match name {
            "sha512" => self.sums.sha512 = sum.try_into().ok(),
            "sha256" => self.sha256 = Sha256Digest::from_slice(&sum),
            _ => {
                let said = self.sums.sha1.replace(sum.try_into().ok()?);
                return said.is_none_or(|said| Some(said) == self.sums.sha1).then_some(());
            }
        }
        Some(())
    }
}

/// The algorithms that we know with their lengths in bytes, the strongest first.
const STRENGTH: [(&str, usize); 3] = [("sha512", 64), ("sha256", 32), ("sha1", 20)];

/// The digests of one algorithm.
fn sums(integrity: &str, algorithm: &str, length: usize) -> BTreeSet<Vec<u8>> {
    let hashes = integrity.split_ascii_whitespace().filter_map(|hash| hash.split('?').next()?.split_once('-'));
    let sums = hashes.filter(|(name, _)| *name == algorithm).filter_map(|(_, sum)| STANDARD.decode(sum).ok());
    sums.filter(|sum| sum.len() == length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(algorithm: &str, length: usize, byte: u8) -> String {
        format!("{algorithm}-{}", STANDARD.encode(vec![byte; length]))
    }

    #[test]
    fn the_strongest_that_can_be_checked_counts() {
        let (sha512, sha256, sha1) = (hash("sha512", 64, 1), hash("sha256", 32, 2), hash("sha1", 20, 3));
        let read = |integrity: &str, shasum: &str| Digests::read(integrity, shasum).expect("digests");
        let all = read(&format!("{sha1} {sha256} sha384-AAAA {sha512}?x=y {sha512}"), "");
        assert_eq!((all.sums.sha512, all.sha256, all.sums.sha1), (Some([1; 64]), None, None));
        assert_eq!(all.integrity.as_deref(), Some(sha512.as_str()));
        let weaker = read(&format!("sha512-garbage sha512-AAAA {sha256}"), &"0A".repeat(20));
        assert_eq!((weaker.sha256, weaker.sums.sha1), (Some(Sha256Digest([2; 32])), Some([10; 20])));
        assert_eq!(weaker.shasum.as_deref(), Some("0a".repeat(20).as_str()));
        assert_eq!(read(&sha1, "").sums.sha1, Some([3; 20]));
        assert_eq!(read(&sha1, &"03".repeat(20)).integrity.as_deref(), Some(sha1.as_str()));
        assert_eq!(read(&sha512, "garbage").shasum, None, "the better one is enough");
        assert_eq!(read("", ""), Digests::default(), "nothing is said, nothing is checked");
    }

    #[test]
    fn what_is_declared_and_cannot_be_checked_is_not_taken() {
        let two = format!("{} {}", hash("sha512", 64, 1), hash("sha512", 64, 2));
        let other = "02".repeat(20);
        for (integrity, shasum) in [
            ("garbage", ""),
            ("sha512-", ""),
            ("sha512-AAAA", "zz"),
            ("sha384-AAAA", ""),
            ("md5-AAAAAAAAAAAAAAAAAAAAAA==", ""),
            ("", "00"),
            ("", "not hex at all, but forty characters long"),
            (&two, ""),
            (&hash("sha1", 20, 3), &other),
            (&hash("sha512", 63, 1), ""),
            (&hash("SHA512", 64, 1), ""),
        ] {
            assert_eq!(Digests::read(integrity, shasum), None, "{integrity} {shasum}");
        }
    }
}
