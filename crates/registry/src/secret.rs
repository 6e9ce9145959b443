//! Tokens as people see them: `aft_`, 43 characters of randomness, a 6-character check.

use model::{Ambient, Secret};
use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BODY: usize = 43;
const CHECK: usize = 6;

/// A freshly made token: shown once, never stored.
#[derive(Clone, Debug)]
pub struct TokenSecret(Secret<String>);

impl TokenSecret {
    /// 256 bits of randomness and a check that tells a typo from a revoked token.
    pub fn make(ambient: &Ambient) -> Self {
        let body = base62(&ambient.bytes::<32>(), BODY);
        let check = base62(&Sha256::digest(body.as_bytes())[..4], CHECK);
        Self(Secret::new(format!("aft_{body}{check}")))
    }

    /// Whether a text has the shape of a token; says nothing of whether it is one.
    pub fn looks_like(text: &str) -> bool {
        let body = text.strip_prefix("aft_");
        body.is_some_and(|body| body.len() == BODY + CHECK && body.bytes().all(|byte| ALPHABET.contains(&byte)))
    }

    /// The text to show.
    pub fn text(&self) -> &str {
        self.0.expose()
    }
}

/// What is stored and looked up: SHA-256 of the presented text. Random tokens need no slow hash.
pub fn hash_secret(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// A short hash of public content, for ETags: 64 bits of SHA-256.
pub fn content_hash(bytes: &[u8]) -> u64 {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    digest.first_chunk().copied().map_or(0, u64::from_be_bytes)
}

/// `bytes` as a big number in base 62, padded to `width` digits.
fn base62(bytes: &[u8], width: usize) -> String {
    let mut number = bytes.to_vec();
    let mut digits = vec![ALPHABET[0]; width];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0u32;
        for byte in &mut number {
            let value = (rest << 8) | u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        *digit = ALPHABET[usize::try_from(rest).unwrap_or_default()];
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_one_shape_and_differ() {
        let (one, two) = (TokenSecret::make(&Ambient::system()), TokenSecret::make(&Ambient::system()));
        assert_eq!(one.text().len(), 4 + BODY + CHECK);
        assert!(one.text().starts_with("aft_"));
        assert_ne!(one.text(), two.text());
        assert_ne!(hash_secret(one.text()), hash_secret(two.text()));
        assert!(!format!("{one:?}").contains(one.text()));
    }

    #[test]
    fn base62_counts() {
        assert_eq!(base62(&[0], 2), "00");
        assert_eq!(base62(&[61], 2), "0z");
        assert_eq!(base62(&[62], 2), "10");
        assert_eq!(base62(&[1, 0], 2), "48");
    }
}
