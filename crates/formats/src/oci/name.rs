//! Names of images and what stands for a manifest.

use model::RefName;

use crate::Named;

/// The longest name, the repository's key included (what clients take for a repository's name).
const LONGEST: usize = 255;

/// The name of an image: `component/component…` of lower-case letters and digits, with `.`, `_`, `__`
/// or dashes between them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        let whole = !text.is_empty() && text.len() <= LONGEST && text.split('/').all(is_component);
        whole.then(|| Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut rest = text.as_bytes();
    loop {
        let length = rest.iter().take_while(|byte| plain(byte)).count();
        let Some(after) = rest.get(length..).filter(|_| length > 0) else { return false };
        let Some(separator) = after.first() else { return true };
        let run = after.iter().take_while(|byte| *byte == separator).count();
        let longest = match separator {
            b'.' => 1,
            b'_' => 2,
            b'-' => usize::MAX,
            _ => return false,
        };
        let Some(next) = after.get(run..).filter(|_| run <= longest) else { return false };
        rest = next;
    }
}

/// What stands for a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A tag: a ref.
    Tag(RefName),
    /// A digest: a version.
    Digest(Named),
}

impl Reference {
    /// Reads a reference. Nothing is both: a tag has no colon.
    pub fn parse(text: &str) -> Option<Self> {
        if text.contains(':') {
            return text.parse().ok().map(Self::Digest);
        }
        RefName::parse(text).ok().map(Self::Tag)
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tag(tag) => write!(f, "{tag}"),
            Self::Digest(digest) => write!(f, "{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_those_of_the_grammar() {
        for good in ["a", "a1", "a.b", "a_b", "a__b", "a-b", "a---b", "a/b/c", "0", "library/alpine", "a-b.c_d/e"] {
            assert!(Name::parse(good).is_some(), "{good}");
        }
        for bad in [
            "", "A", "a..b", "a___b", "a_-b", "-a", "a-", "a.", ".a", "_a", "a/", "/a", "a//b", "a/../b", "a b",
            "a%2fb", "ä", "a:b", "a@b", "a.-b", "a\u{0}",
        ] {
            assert!(Name::parse(bad).is_none(), "{bad}");
        }
        assert!(Name::parse(&"a".repeat(255)).is_some() && Name::parse(&"a".repeat(256)).is_none());
    }

    #[test]
    fn a_reference_is_a_tag_or_a_digest() {
        assert!(matches!(Reference::parse("v1.0_x-Y"), Some(Reference::Tag(_))));
        let digest = format!("sha256:{}", "00".repeat(32));
        assert!(matches!(Reference::parse(&digest), Some(Reference::Digest(_))));
        for bad in ["", ".INVALID", "-a", "a/b", "sha256:00", "sha1:00", &"a".repeat(129), "a b", "latest@x"] {
            assert_eq!(Reference::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_fits_the_grammar_is_a_name(name in "[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,3}){0,3}(/[a-z0-9]{1,5}){0,3}") {
            prop_assert!(Name::parse(&name).is_some());
        }

        #[test]
        fn nothing_that_is_read_as_a_name_holds_another_character(text in "\\PC{0,20}") {
            if Name::parse(&text).is_some() {
                prop_assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/".contains(&b)));
            }
        }
    }
}
