//! Content as clients name it: by one of several digests.

use std::str::FromStr;

use model::Sha256Digest;
use model::digest::{hex, unhex};

/// The digest by which a client names some bytes. Written `sha256:…` or `sha512:…`, lower-case hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Named {
    /// By SHA-256, as we do.
    Sha256(Sha256Digest),
    /// By SHA-512: an alias.
    Sha512([u8; 64]),
}

/// Why a text names no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is sha256: with 64 or sha512: with 128 lower-case hex digits")]
pub struct NotNamed;

impl Named {
    /// Whether content can be named by this algorithm.
    pub fn knows(algorithm: &str) -> bool {
        matches!(algorithm, "sha256" | "sha512")
    }

    /// The algorithm's word.
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "sha256",
            Self::Sha512(_) => "sha512",
        }
    }

    /// Lower-case hex digits.
    pub fn hex(&self) -> String {
        match self {
            Self::Sha256(digest) => digest.hex(),
            Self::Sha512(bytes) => hex(bytes),
        }
    }
}

impl FromStr for Named {
    type Err = NotNamed;

    fn from_str(text: &str) -> Result<Self, NotNamed> {
        let (algorithm, digits) = text.split_once(':').ok_or(NotNamed)?;
        let bytes = unhex(digits).ok_or(NotNamed)?;
        match algorithm {
            "sha256" => Sha256Digest::from_slice(&bytes).map(Self::Sha256).ok_or(NotNamed),
            "sha512" => bytes.try_into().map(Self::Sha512).map_err(|_| NotNamed),
            _ => Err(NotNamed),
        }
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_in_one_form_only() {
        let (short, long) = (format!("sha256:{}", "ab".repeat(32)), format!("sha512:{}", "0f".repeat(64)));
        assert_eq!(short.parse::<Named>().map(|named| named.to_string()), Ok(short.clone()));
        assert_eq!(long.parse::<Named>().map(|named| named.to_string()), Ok(long.clone()));
        let upper = short.to_uppercase();
        for bad in
            ["", "sha256:", "sha256", "sha256:ab", &short[7..], &upper, &long[..100], "md5:00", &format!("{short} ")]
        {
            assert_eq!(bad.parse::<Named>(), Err(NotNamed), "{bad}");
        }
        assert!(Named::knows("sha256") && Named::knows("sha512") && !Named::knows("md5"));
        assert!(format!("sha512:{}", "ab".repeat(32)).parse::<Named>().is_err());
    }
}
