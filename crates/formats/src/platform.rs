//! What a program was made for: an operating system and a processor.

use std::str::FromStr;

/// The longest word of a platform, in bytes.
const LONGEST: usize = 64;

/// A platform, as people write it: `linux/amd64`, `linux/arm/v7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    os: String,
    architecture: String,
    /// `None`: any.
    variant: Option<String>,
}

/// Why a text is no platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a platform is os/architecture or os/architecture/variant, as in linux/amd64")]
pub struct NoPlatform;

impl Platform {
    /// Of these words; a 64-bit ARM is the eighth one whether that is said or not.
    pub(crate) fn of(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let variant = variant.filter(|variant| !variant.is_empty() && (architecture, *variant) != ("arm64", "v8"));
        Self { os: os.to_owned(), architecture: architecture.to_owned(), variant: variant.map(str::to_owned) }
    }

    /// Whether something made for `other` is meant by this.
    pub fn means(&self, other: &Self) -> bool {
        let same = self.os == other.os && self.architecture == other.architecture;
        same && (self.variant.is_none() || self.variant == other.variant)
    }
}

impl FromStr for Platform {
    type Err = NoPlatform;

    fn from_str(text: &str) -> Result<Self, NoPlatform> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        let is_word = |word: &&str| !word.is_empty() && word.len() <= LONGEST && word.bytes().all(plain);
        let words: Vec<&str> = text.split('/').collect();
        if !words.iter().all(is_word) {
            return Err(NoPlatform);
        }
        match words.as_slice() {
            [os, architecture] => Ok(Self::of(os, architecture, None)),
            [os, architecture, variant] => Ok(Self::of(os, architecture, Some(variant))),
            _ => Err(NoPlatform),
        }
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().expect("a platform")
    }

    #[test]
    fn a_platform_without_a_variant_means_any() {
        for (wanted, made, means) in [
            ("linux/amd64", "linux/amd64", true),
            ("linux/amd64", "linux/arm64", false),
            ("linux/amd64", "windows/amd64", false),
            ("linux/arm", "linux/arm/v7", true),
            ("linux/arm/v7", "linux/arm/v6", false),
            ("linux/arm/v7", "linux/arm", false),
            ("linux/arm64/v8", "linux/arm64", true),
            ("linux/arm64", "linux/arm64/v8", true),
        ] {
            assert_eq!(platform(wanted).means(&platform(made)), means, "{wanted} {made}");
        }
        assert_eq!(platform("linux/arm/v7").to_string(), "linux/arm/v7");
    }

    #[test]
    fn what_is_no_platform_is_refused() {
        for bad in ["", "linux", "linux/", "/amd64", "linux/amd64/", "a/b/c/d", "Linux/amd64", "linux/a b", "linux/ä"]
        {
            assert_eq!(bad.parse::<Platform>(), Err(NoPlatform), "{bad}");
        }
        assert!(format!("linux/{}", "a".repeat(65)).parse::<Platform>().is_err());
    }
}
