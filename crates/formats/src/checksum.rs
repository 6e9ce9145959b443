//! Checksums that clients ask for beside a file or an index, and those that formats keep of their files.

use model::EntryPath;
use model::digest::{hex, unhex};
use serde_json::{Map, Value as Json};

use crate::intake::{Sums, Wanted};

/// How a checksum is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// BLAKE2b with 256 bits.
    Blake2b256,
}

impl Algorithm {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Md5, Self::Sha1, Self::Sha256, Self::Sha512, Self::Blake2b256];

    /// Its word, as file names end with it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Blake2b256 => "blake2b_256",
        }
    }

    /// The length of a checksum in bytes.
    pub fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 | Self::Blake2b256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// What a body says of a file that is in the repository already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Where the file is.
    pub location: EntryPath,
    /// How its checksum is computed.
    pub algorithm: Algorithm,
    /// The checksum that it must have.
    pub digest: Vec<u8>,
}

impl Wanted {
    /// Those that are wanted.
    pub fn algorithms(self) -> impl Iterator<Item = Algorithm> {
        let all = [
            (self.md5, Algorithm::Md5),
            (self.sha1, Algorithm::Sha1),
            (self.sha512, Algorithm::Sha512),
            (self.blake2, Algorithm::Blake2b256),
        ];
        all.into_iter().filter_map(|(wanted, algorithm)| wanted.then_some(algorithm))
    }
}

impl FromIterator<(Algorithm, Vec<u8>)> for Sums {
    fn from_iter<I: IntoIterator<Item = (Algorithm, Vec<u8>)>>(computed: I) -> Self {
        let mut sums = Self::default();
        for (algorithm, sum) in computed {
            match algorithm {
                Algorithm::Md5 => sums.md5 = sum.try_into().ok(),
                Algorithm::Sha1 => sums.sha1 = sum.try_into().ok(),
                Algorithm::Sha512 => sums.sha512 = sum.try_into().ok(),
                Algorithm::Blake2b256 => sums.blake2 = sum.try_into().ok(),
                Algorithm::Sha256 => {}
            }
        }
        sums
    }
}

impl Sums {
    /// One of them in lower-case hex digits, if it is known. SHA-256 never is: it names the file.
    pub fn hex(&self, algorithm: Algorithm) -> Option<String> {
        match algorithm {
            Algorithm::Md5 => self.md5.map(|sum| hex(&sum)),
            Algorithm::Sha1 => self.sha1.map(|sum| hex(&sum)),
            Algorithm::Sha512 => self.sha512.map(|sum| hex(&sum)),
            Algorithm::Blake2b256 => self.blake2.map(|sum| hex(&sum)),
            Algorithm::Sha256 => None,
        }
    }

    /// The sums as members of a file's attributes, under the words of their algorithms. Where they are
    /// kept so, nobody computes them again.
    pub fn attributes(&self) -> Map<String, Json> {
        let known = Algorithm::ALL.into_iter().filter_map(|algorithm| Some((algorithm, self.hex(algorithm)?)));
        known.map(|(algorithm, sum)| (algorithm.word().to_owned(), Json::String(sum))).collect()
    }

    /// The sums among a file's attributes.
    pub fn of_attributes(attributes: &str) -> Self {
        let known: Map<String, Json> = serde_json::from_str(attributes).unwrap_or_default();
        let bytes = |algorithm: Algorithm| known.get(algorithm.word())?.as_str().and_then(unhex);
        Self {
            md5: bytes(Algorithm::Md5).and_then(|sum| sum.try_into().ok()),
            sha1: bytes(Algorithm::Sha1).and_then(|sum| sum.try_into().ok()),
            sha512: bytes(Algorithm::Sha512).and_then(|sum| sum.try_into().ok()),
            blake2: bytes(Algorithm::Blake2b256).and_then(|sum| sum.try_into().ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_survive_being_kept() {
        let sums = Sums { md5: Some([1; 16]), sha1: Some([2; 20]), sha512: Some([3; 64]), blake2: Some([4; 32]) };
        assert_eq!(Sums::of_attributes(&Json::Object(sums.attributes()).to_string()), sums);
        for odd in ["", "[]", "{\"md5\":7}", "{\"md5\":\"00\"}"] {
            assert_eq!(Sums::of_attributes(odd), Sums::default(), "{odd}");
        }
    }
}
