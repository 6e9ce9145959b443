//! Digests other than SHA-256 that a client announces: computed only when they are, and verified.

use md5::Md5;
use model::Code;
use model::digest::hex;
use sha1::Sha1;
use sha2::{Digest, Sha512};

use crate::error::{Error, Result};

/// What a client says of its bytes beside their SHA-256.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// Their SHA-256, as a claim like the others; verified by whoever receives.
    pub sha256: Option<[u8; 32]>,
    /// Their SHA-1.
    pub sha1: Option<[u8; 20]>,
    /// Their SHA-512.
    pub sha512: Option<[u8; 64]>,
    /// Their MD5.
    pub md5: Option<[u8; 16]>,
}

/// The digests under way.
pub(crate) struct Checking {
    sha1: Option<(Sha1, [u8; 20])>,
    sha512: Option<(Sha512, [u8; 64])>,
    md5: Option<(Md5, [u8; 16])>,
}

impl Checking {
    pub(crate) fn new(claims: &Claims) -> Self {
        Self {
            sha1: claims.sha1.map(|claim| (Sha1::new(), claim)),
            sha512: claims.sha512.map(|claim| (Sha512::new(), claim)),
            md5: claims.md5.map(|claim| (Md5::new(), claim)),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if let Some((hasher, _)) = &mut self.sha1 {
            hasher.update(bytes);
        }
        if let Some((hasher, _)) = &mut self.sha512 {
            hasher.update(bytes);
        }
        if let Some((hasher, _)) = &mut self.md5 {
            hasher.update(bytes);
        }
    }

    /// Refuses with 409 when a claim is not true.
    pub(crate) fn finish(self) -> Result<()> {
        if let Some((hasher, claim)) = self.sha1 {
            compare("sha1", &hasher.finalize(), &claim)?;
        }
        if let Some((hasher, claim)) = self.sha512 {
            compare("sha512", &hasher.finalize(), &claim)?;
        }
        if let Some((hasher, claim)) = self.md5 {
            compare("md5", &hasher.finalize(), &claim)?;
        }
        Ok(())
    }
}

fn compare(name: &str, actual: &[u8], claim: &[u8]) -> Result<()> {
    if actual == claim {
        return Ok(());
    }
    let detail = format!("the content has {name} {}, not {} as announced", hex(actual), hex(claim));
    Err(Error::refuse(Code::UploadVerificationFailed, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_true_claim_passes_and_a_false_one_does_not() {
        let claims = |last| Claims {
            md5: Some([0x5d, 0x41, 0x40, 0x2a, 0xbc, 0x4b, 0x2a, 0x76, 0xb9, 0x71, 0x9d, 0x91, 0x10, 0x17, 0xc5, last]),
            ..Claims::default()
        };
        for (last, good) in [(0x92, true), (0x93, false)] {
            let mut checking = Checking::new(&claims(last));
            checking.update(b"hel");
            checking.update(b"lo");
            assert_eq!(checking.finish().is_ok(), good);
        }
    }
}
