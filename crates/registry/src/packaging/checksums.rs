//! Checksums: of documents, of files (kept when they came in, else computed from their bytes), and whether
//! what a client says of a file is true.

use blake2::Blake2b256;
use formats::{Algorithm, Claim, Sums, Wanted};
use md5::Md5;
use model::Code;
use model::digest::hex;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::documents::Shown;
use crate::authorize::{Grant, Read};
use crate::error::{Error, Result};
use crate::fetch::Found;

/// A checksum that is being computed.
enum Hasher {
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
    Blake2b256(Blake2b256),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Md5 => Self::Md5(Md5::new()),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
            Algorithm::Blake2b256 => Self::Blake2b256(Blake2b256::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(hasher) => hasher.update(bytes),
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
            Self::Blake2b256(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Md5(hasher) => hex(&hasher.finalize()),
            Self::Sha1(hasher) => hex(&hasher.finalize()),
            Self::Sha256(hasher) => hex(&hasher.finalize()),
            Self::Sha512(hasher) => hex(&hasher.finalize()),
            Self::Blake2b256(hasher) => hex(&hasher.finalize()),
        }
    }
}

/// The checksums of a file that is being received.
pub(super) struct Hashers(Vec<Hasher>);

impl Hashers {
    pub(super) fn new(wanted: Wanted) -> Self {
        let wanted = [
            (wanted.md5, Algorithm::Md5),
            (wanted.sha1, Algorithm::Sha1),
            (wanted.sha512, Algorithm::Sha512),
            (wanted.blake2, Algorithm::Blake2b256),
        ];
        Self(wanted.into_iter().filter(|(wanted, _)| *wanted).map(|(_, algorithm)| Hasher::new(algorithm)).collect())
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.iter_mut().for_each(|hasher| hasher.update(bytes));
    }

    pub(super) fn finish(self) -> Sums {
        let mut sums = Sums::default();
        for hasher in self.0 {
            match hasher {
                Hasher::Md5(hasher) => sums.md5 = Some(hasher.finalize().into()),
                Hasher::Sha1(hasher) => sums.sha1 = Some(hasher.finalize().into()),
                Hasher::Sha512(hasher) => sums.sha512 = Some(hasher.finalize().into()),
                Hasher::Blake2b256(hasher) => sums.blake2 = Some(hasher.finalize().into()),
                // It names the file: the writer computes it.
                Hasher::Sha256(_) => {}
            }
        }
        sums
    }
}

/// The checksum of some bytes, in hex.
pub(super) fn checksum_of(bytes: &[u8], algorithm: Algorithm) -> String {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

impl Shown {
    /// The checksum of its bytes, in hex. Computed once.
    pub fn checksum(&self, algorithm: Algorithm) -> &str {
        self.sums.get(algorithm as usize).map_or("", |sum| sum.get_or_init(|| checksum_of(self.body(), algorithm)))
    }
}

impl Found {
    /// Its checksum, in hex: from what is known of it, else from its bytes.
    pub async fn checksum(&self, algorithm: Algorithm) -> Result<String> {
        if algorithm == Algorithm::Sha256 {
            return Ok(self.digest().hex());
        }
        if let Some(known) = self.sums().hex(algorithm) {
            return Ok(known);
        }
        let mut hasher = Hasher::new(algorithm);
        let mut content = self.open(None).await?;
        while let Some(piece) = content.next().await? {
            hasher.update(&piece);
        }
        Ok(hasher.finish())
    }
}

impl Grant<Read> {
    /// Refuses what is said of a file that is not there (409), or that is something else (422).
    pub(super) async fn check_claim(&self, claim: &Claim) -> Result<()> {
        let Claim { location, algorithm, digest } = claim;
        let found = match self.find(location).await {
            Err(Error::Refused(refusal)) if refusal.code == Code::NotFound => {
                let why = format!("{location} is not here: send a file before its checksum");
                return Err(Error::refuse(Code::Conflict, why));
            }
            found => found?,
        };
        let here = found.checksum(*algorithm).await?;
        if here == hex(digest) {
            return Ok(());
        }
        let word = algorithm.word();
        let why = format!("the {word} of {location} is {here} here and not {}", hex(digest));
        Err(Error::refuse(Code::Unprocessable, why))
    }
}
