//! Names that people and clients send us: checked once, then carried as types.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use unicode_normalization::UnicodeNormalization;

/// Why a name is refused. The text is meant for the person who sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {why}")]
pub struct NameError {
    what: &'static str,
    why: &'static str,
}

impl NameError {
    /// A refusal of `what` because of what it does or is.
    pub const fn new(what: &'static str, why: &'static str) -> Self {
        Self { what, why }
    }
}

const fn refuse<T>(what: &'static str, why: &'static str) -> Result<T, NameError> {
    Err(NameError::new(what, why))
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks `text` and keeps it as it is.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                $check(text)?;
                Ok(Self(text.to_owned()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }
    };
}

name! {
    /// The key of a repository: 1–100 of `a-z 0-9 . _ -`, beginning with a letter or digit.
    RepoKey, check_repo_key
}

name! {
    /// A path inside a version and, in raw repositories, inside the repository: 1–1024 bytes of
    /// UTF-8 in `/`-separated segments that are neither empty nor `.` nor `..`, without control
    /// or direction-changing characters, backslashes or names that some file systems reserve.
    EntryPath, check_path
}

name! {
    /// The display name of a package: the same rules as a path.
    PackageName, check_package
}

name! {
    /// The name of a version: 1–256 bytes without `/`, white space or control characters.
    VersionName, check_version
}

name! {
    /// Who acts: 1–200 bytes, lower-cased by whoever reads it from outside, without white space.
    Subject, check_subject
}

name! {
    /// The name of a ref: 1–128 of `A-Z a-z 0-9 . _ -`, beginning with a letter, a digit or `_`.
    RefName, check_ref
}

name! {
    /// A pattern for names of refs: `*` stands for any characters, also none; 1–128 characters.
    RefPattern, check_pattern
}

impl RefPattern {
    /// Whether the whole name fits.
    pub fn matches(&self, name: &RefName) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.0.strip_prefix(first) else { return false };
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            match rest.split_once(part) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        true
    }
}

impl Subject {
    /// Trims and lower-cases what a person typed, then checks it.
    pub fn normalise(text: &str) -> Result<Self, NameError> {
        Self::parse(&text.trim().to_lowercase())
    }
}

impl EntryPath {
    /// The path's segments, first to last.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// What two paths have in common that some file system would take for one: composed characters,
    /// lower case.
    pub fn twin(&self) -> String {
        path_twin(&self.0)
    }
}

/// As [`EntryPath::twin`], of any text.
pub fn path_twin(path: &str) -> String {
    path.nfc().flat_map(char::to_lowercase).nfc().collect()
}

/// The text with composed characters (NFC).
pub fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// The text with decomposed characters (NFD).
pub fn decomposed(text: &str) -> String {
    text.nfd().collect()
}

fn check_repo_key(text: &str) -> Result<(), NameError> {
    const WHAT: &str = "the repository key";
    if text.is_empty() || text.len() > 100 {
        return refuse(WHAT, "must have 1 to 100 characters");
    }
    if !text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-')) {
        return refuse(WHAT, "may hold only lower-case letters, digits, '.', '_' and '-'");
    }
    if !text.as_bytes()[0].is_ascii_alphanumeric() || text.contains("..") || text.ends_with('.') {
        return refuse(WHAT, "must begin with a letter or digit and have no '..' and no '.' at its end");
    }
    Ok(())
}

fn check_path(text: &str) -> Result<(), NameError> {
    check_segments("the path", text)
}

fn check_package(text: &str) -> Result<(), NameError> {
    check_segments("the package name", text)
}

fn check_segments(what: &'static str, text: &str) -> Result<(), NameError> {
    if text.is_empty() || text.len() > 1024 {
        return refuse(what, "must have 1 to 1024 bytes");
    }
    check_characters(what, text)?;
    for segment in text.split('/') {
        if segment.is_empty() {
            return refuse(what, "has an empty segment");
        }
        if segment == "." || segment == ".." {
            return refuse(what, "has a segment '.' or '..'");
        }
        if segment.len() > 255 {
            return refuse(what, "has a segment of more than 255 bytes");
        }
        if segment.ends_with('.') || segment.ends_with(' ') || segment.starts_with(' ') {
            return refuse(what, "has a segment that ends with '.' or begins or ends with a space");
        }
        if is_reserved_device(segment) {
            return refuse(what, "has a segment that some systems reserve for a device");
        }
    }
    Ok(())
}

fn check_characters(what: &'static str, text: &str) -> Result<(), NameError> {
    if text.contains('\\') {
        return refuse(what, "holds a backslash");
    }
    if text.chars().any(char::is_control) {
        return refuse(what, "holds a control character");
    }
    if text.chars().any(is_invisible) {
        return refuse(what, "holds an invisible or direction-changing character");
    }
    Ok(())
}

/// Whether nobody sees the character, or it turns the direction of what is around it: by it, two names look alike. Those
/// that Unicode says may be left out of what is shown (`Default_Ignorable_Code_Point`), its `Bidi_Control` and line
/// separators; without the variation selectors, which emoji are written with.
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}')
}

fn is_reserved_device(segment: &str) -> bool {
    let stem = segment.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    match stem.as_str() {
        "con" | "prn" | "aux" | "nul" => true,
        other => {
            let numbered = other.strip_prefix("com").or_else(|| other.strip_prefix("lpt"));
            numbered.is_some_and(|n| matches!(n.as_bytes(), [b'1'..=b'9']))
        }
    }
}

fn check_version(text: &str) -> Result<(), NameError> {
    const WHAT: &str = "the version";
    if text.is_empty() || text.len() > 256 {
        return refuse(WHAT, "must have 1 to 256 bytes");
    }
    check_characters(WHAT, text)?;
    if text.contains('/') || text.contains(char::is_whitespace) {
        return refuse(WHAT, "may hold neither '/' nor white space");
    }
    if text == "." || text == ".." {
        return refuse(WHAT, "may be neither '.' nor '..'");
    }
    Ok(())
}

fn check_ref(text: &str) -> Result<(), NameError> {
    const WHAT: &str = "the name of the ref";
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if text.is_empty() || text.len() > 128 || !text.bytes().all(allowed) || text.starts_with(['.', '-']) {
        return refuse(
            WHAT,
            "must be 1 to 128 letters, digits, '.', '_' or '-', beginning with a letter, digit or '_'",
        );
    }
    Ok(())
}

fn check_pattern(text: &str) -> Result<(), NameError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'*');
    if text.is_empty() || text.len() > 128 || !text.bytes().all(allowed) {
        return refuse("a pattern for refs", "must be 1 to 128 letters, digits, '.', '_', '-' or '*'");
    }
    Ok(())
}

fn check_subject(text: &str) -> Result<(), NameError> {
    const WHAT: &str = "the subject";
    if text.is_empty() || text.len() > 200 {
        return refuse(WHAT, "must have 1 to 200 bytes");
    }
    check_characters(WHAT, text)?;
    if text.contains(char::is_whitespace) || text.contains('/') || text.contains(':') {
        return refuse(WHAT, "may hold neither white space nor '/' nor ':'");
    }
    if text != text.to_lowercase() {
        return refuse(WHAT, "must be lower case");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pattern_fits_whole_names() {
        let fits = |pattern, name| {
            let (pattern, name) = (RefPattern::parse(pattern), RefName::parse(name));
            pattern.expect("a pattern").matches(&name.expect("a name"))
        };
        for (pattern, name) in
            [("*", "x"), ("v*", "v1"), ("v*", "v"), ("*-rc*", "1-rc2"), ("1.*.0", "1.2.0"), ("a", "a"), ("**a", "ba")]
        {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("v*", "1v"), ("a", "ab"), ("a", "b"), ("*a", "ab"), ("a*b*c", "acb"), ("aa*aa", "aaa")]
        {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
        assert!(RefPattern::parse("").is_err() && RefPattern::parse("a/b").is_err());
    }

    #[test]
    fn hostile_paths_are_refused() {
        let bad = [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            "..",
            "../a",
            "a/../b",
            "a/.",
            "a\\b",
            "a\0b",
            "a\nb",
            "a/\u{202e}b",
            "nul",
            "a/COM1.txt",
            "aux.c",
            "dot./b",
            " a",
            "a /b",
        ];
        for path in bad {
            assert!(EntryPath::parse(path).is_err(), "{path:?}");
        }
        for invisible in "\u{ad}\u{34f}\u{61c}\u{1160}\u{180e}\u{200b}\u{3164}\u{feff}\u{e0041}".chars() {
            assert!(EntryPath::parse(&format!("a{invisible}b")).is_err(), "{invisible:?}");
        }
        assert!(EntryPath::parse(&"a".repeat(1025)).is_err());
        assert!(EntryPath::parse(&format!("x/{}", "a".repeat(256))).is_err());
    }

    #[test]
    fn ordinary_paths_are_kept_as_they_are() {
        for path in ["a", "a/b.c", ".hidden/x", "Grüße/читать.txt", "a b/c+d%20e", "☀\u{fe0f}", "com/com10", "console"]
        {
            assert_eq!(EntryPath::parse(path).expect("valid").as_str(), path);
        }
    }

    #[test]
    fn repository_keys_follow_the_grammar() {
        for good in ["a", "libs-release", "npm.proxy_1", "0"] {
            assert!(RepoKey::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "a:b", "a/b", "-a", ".a", "a..b", "a.", "ä", "a b", &"a".repeat(101)] {
            assert!(RepoKey::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_that_some_file_system_confuses_are_twins() {
        let twin = |text: &str| EntryPath::parse(text).expect("valid").twin();
        assert_eq!(twin("a/B.txt"), twin("A/b.TXT"));
        assert_eq!(twin("caf\u{e9}"), twin("cafe\u{301}"));
        assert_eq!(twin("CAFE\u{301}"), twin("caf\u{e9}"));
        assert_ne!(twin("a/b"), twin("a/c"));
    }

    #[test]
    fn refs_follow_the_grammar() {
        for good in ["latest", "1.x", "_a", "v2.0-SNAPSHOT"] {
            assert!(RefName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".a", "-a", "a b", "a/b", "ä", &"a".repeat(129)] {
            assert!(RefName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn subjects_are_normalised() {
        assert_eq!(Subject::normalise(" Alice@Example ").expect("valid").as_str(), "alice@example");
        assert!(Subject::normalise("a b").is_err());
        assert!(Subject::parse("Alice").is_err());
    }

    proptest! {
        #[test]
        fn a_path_that_is_accepted_never_leaves_its_root(text in "\\PC{0,40}|[a./\\\\]{0,12}") {
            if let Ok(path) = EntryPath::parse(&text) {
                prop_assert!(path.segments().all(|s| !s.is_empty() && s != "." && s != ".."));
                prop_assert!(!path.as_str().contains('\\') && !path.as_str().starts_with('/'));
            }
        }
    }
}
