//! Digests that a client announces of a body: computed only when they are, and verified.

use formats::Algorithm;
use model::Code;
use model::digest::hex;

use crate::error::{Error, Result};
use crate::hasher::Hasher;

/// What a client says of a body: at most one digest of each kind.
#[derive(Clone, Debug, Default)]
pub struct Claims(Vec<(Algorithm, Vec<u8>)>);

impl Claims {
    /// Adds a claim. 400 when it has the wrong length or contradicts another.
    pub fn add(&mut self, algorithm: Algorithm, digest: Vec<u8>) -> Result<()> {
        if digest.len() != algorithm.length() {
            let (word, length) = (algorithm.word(), algorithm.length());
            return Err(Error::bad_request(format!("a {word} must be a digest of exactly {length} bytes")));
        }
        match self.of(algorithm) {
            Some(known) if known != digest => Err(Error::bad_request("two headers announce different digests")),
            Some(_) => Ok(()),
            None => {
                self.0.push((algorithm, digest));
                Ok(())
            }
        }
    }

    /// What is announced of this kind.
    pub fn of(&self, algorithm: Algorithm) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| *known == algorithm).map(|(_, digest)| digest.as_slice())
    }

    /// What is announced of this kind, for somebody else to verify.
    pub fn take(&mut self, algorithm: Algorithm) -> Option<Vec<u8>> {
        let place = self.0.iter().position(|(known, _)| *known == algorithm)?;
        Some(self.0.swap_remove(place).1)
    }

    /// Begins to compute what is announced.
    pub fn check(self) -> Checking {
        Checking(self.0.into_iter().map(|(algorithm, claim)| (algorithm, Hasher::new(algorithm), claim)).collect())
    }
}

/// The digests under way.
pub struct Checking(Vec<(Algorithm, Hasher, Vec<u8>)>);

impl Checking {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.iter_mut().for_each(|(_, hasher, _)| hasher.update(bytes));
    }

    /// The body has ended. Refuses with 409 when a claim is not true.
    pub fn finish(self) -> Result<()> {
        for (algorithm, hasher, claim) in self.0 {
            let (name, actual) = (algorithm.word(), hasher.finish());
            if actual != claim {
                let detail = format!("the content has {name} {}, not {} as announced", hex(&actual), hex(&claim));
                return Err(Error::refuse(Code::UploadVerificationFailed, detail));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_true_claim_passes_and_a_false_one_does_not() {
        let of =
            |last| vec![0x5d, 0x41, 0x40, 0x2a, 0xbc, 0x4b, 0x2a, 0x76, 0xb9, 0x71, 0x9d, 0x91, 0x10, 0x17, 0xc5, last];
        for (last, good) in [(0x92, true), (0x93, false)] {
            let mut claims = Claims::default();
            claims.add(Algorithm::Md5, of(last)).expect("a claim");
            assert!(claims.add(Algorithm::Md5, of(0)).is_err() && claims.add(Algorithm::Sha1, of(0)).is_err());
            let mut checking = claims.check();
            checking.update(b"hel");
            checking.update(b"lo");
            assert_eq!(checking.finish().is_ok(), good);
        }
    }
}
