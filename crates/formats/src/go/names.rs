//! Names of modules and of files in them, and how addresses spell them.
//!
//! Source: the Go Modules Reference, "Module paths and versions", and the rules of `golang.org/x/mod/module`.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

use super::version::Version;

/// Why a name is none.
pub(super) type Why = String;

/// The names that Windows keeps for devices.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1", "lpt2",
    "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Whether `path` can be a module's.
pub(super) fn check_module(path: &str) -> Result<(), Why> {
    if path.starts_with('-') {
        return Err("begins with a dash".to_owned());
    }
    for segment in path.split('/') {
        check_segment(segment, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~'))?;
        if segment.starts_with('.') {
            return Err(format!("has the segment {segment}, which begins with a dot"));
        }
        let short = segment.split('.').next().unwrap_or_default();
        let tail = short.rsplit_once('~').map(|(_, tail)| tail).unwrap_or_default();
        if !tail.is_empty() && tail.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("has the segment {segment}, which looks like a short name of Windows"));
        }
    }
    let host = path.split('/').next().unwrap_or_default();
    if !host.contains('.') {
        return Err(format!("begins with {host}, which has no dot: it must be a host name"));
    }
    if host.bytes().any(|byte| !(byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))) {
        return Err(format!("begins with {host}, which is no host name in lower case"));
    }
    major(path).map(drop)
}

/// Whether `path` can be that of a file in a module.
pub(super) fn check_file(path: &str) -> Result<(), Why> {
    path.split('/').try_for_each(|segment| check_segment(segment, is_file_letter))
}

fn check_segment(segment: &str, allowed: impl Fn(char) -> bool) -> Result<(), Why> {
    let told = || segment.escape_debug();
    if segment.is_empty() {
        return Err("has an empty segment, or a slash at an end".to_owned());
    }
    if segment.ends_with('.') {
        return Err(format!("has the segment {}, which ends with a dot", told()));
    }
    if let Some(wrong) = segment.chars().find(|c| !allowed(*c)) {
        return Err(format!("has the character {:?}", wrong));
    }
    let short = segment.split('.').next().unwrap_or_default();
    if DEVICES.iter().any(|device| device.eq_ignore_ascii_case(short)) {
        return Err(format!("has the segment {}, which Windows keeps for a device", told()));
    }
    Ok(())
}

fn is_file_letter(c: char) -> bool {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => true,
        c if c.is_ascii() => "!#$%&()+,-.=@[]^_{}~ ".contains(c),
        c => c.general_category_group() == GeneralCategoryGroup::Letter,
    }
}

/// What a module's path says of its major version: `/v2`, `.v1` in some old paths, or nothing.
pub(super) fn major(path: &str) -> Result<&str, Why> {
    let wrong = || Err(format!("ends with a version as modules do not: {}", path.rsplit('/').next().unwrap_or(path)));
    if path.starts_with("gopkg.in/") {
        let plain = path.strip_suffix("-unstable").unwrap_or(path);
        let stem = plain.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = plain.get(stem.len()..).unwrap_or_default();
        let sound = stem.ends_with(".v") && !number.is_empty() && (number == "0" || !number.starts_with('0'));
        return if sound { Ok(plain.get(stem.len() - 2..).unwrap_or_default()) } else { wrong() };
    }
    let stem = path.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = path.get(stem.len()..).unwrap_or_default();
    if number.is_empty() || !stem.ends_with("/v") {
        return Ok("");
    }
    if number.contains('.') || number.starts_with('0') || number == "1" {
        return wrong();
    }
    Ok(path.get(stem.len() - 2..).unwrap_or_default())
}

/// Whether a module of this path can have this version.
pub(super) fn check_pair(path: &str, version: &Version<'_>) -> Result<(), Why> {
    let major = major(path)?;
    let (told, wanted) = (version.major(), major.trim_start_matches(['/', '.']));
    let fits = match wanted {
        "" => version.is_early() != version.incompatible,
        "v1" if version.has_no_base() && !version.incompatible => true,
        wanted => told == wanted && !version.incompatible,
    };
    if fits {
        return Ok(());
    }
    Err(match wanted {
        "" if version.is_early() => "versions v0 and v1 are never +incompatible".to_owned(),
        "" => format!(
            "{path} has versions v0 and v1: version {told} belongs to {path}/{told}, or ends with +incompatible"
        ),
        _ if version.incompatible => format!("{path} names its major version: its versions are never +incompatible"),
        wanted => format!("{path} has versions {wanted}, not {told}"),
    })
}

/// The spelling in addresses: `!` and the small letter for each capital one, so that no two are
/// alike where case is ignored.
pub(super) fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            escaped.push('!');
        }
        escaped.push(c.to_ascii_lowercase());
    }
    escaped
}

/// The name behind a spelling in an address. What is no such spelling is `None`.
pub(super) fn unescape(escaped: &str) -> Option<String> {
    let mut name = String::with_capacity(escaped.len());
    let mut letters = escaped.chars();
    while let Some(c) = letters.next() {
        match c {
            '!' => name.push(letters.next().filter(char::is_ascii_lowercase)?.to_ascii_uppercase()),
            c if c.is_ascii_uppercase() || !c.is_ascii() => return None,
            c => name.push(c),
        }
    }
    Some(name)
}

/// What two paths have in common that some file system would take for one.
pub(super) fn fold(path: &str) -> String {
    let simple = |c: char| {
        let mut upper = c.to_uppercase();
        let c = if upper.len() == 1 { upper.next().unwrap_or(c) } else { c };
        let mut lower = c.to_lowercase();
        if lower.len() == 1 { lower.next().unwrap_or(c) } else { c }
    };
    path.chars().map(simple).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn module_paths_follow_the_rules() {
        for good in [
            "example.com/a",
            "example.com",
            "github.com/BurntSushi/toml",
            "gopkg.in/yaml.v3",
            "gopkg.in/x.v1-unstable",
            "example.com/a/v2",
            "example.com/a/v10",
            "a.b/~x",
            "example.com/v",
            "example.com/av2",
            "x-y.z/a_b.c",
            "example.com/a.v2",
            "gopkg.in/x.v0",
            "example.com/a/b2.0",
        ] {
            assert_eq!(check_module(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "/",
            "a",
            "localhost/a",
            "Example.com/a",
            "example.com/",
            "example.com//a",
            "-a.b/c",
            "a.b/.c",
            "a.b/..",
            "a.b/c.",
            "a.b/con",
            "a.b/AUX.go",
            "a.b/c~1",
            "a.b/ä",
            "a.b/c d",
            "a.b/c+d",
            "a.b/v1",
            "a.b/v0",
            "a.b/v02",
            "a.b/v1.2",
            "gopkg.in/yaml",
            "gopkg.in/yaml.v03",
            "a.b/c@d",
            "a.b/c!d",
            "a.b\\c",
            "a_b.c/d",
            "a.b/c%20d",
        ] {
            assert!(check_module(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn file_names_follow_the_rules() {
        for good in ["a", "a/b.go", ".github/x", "Grüße.txt", "日本/語", "a b", "[x]@{y}!$%&()+,=^~#", "x~1"] {
            assert_eq!(check_file(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "a.",
            "a:b",
            "a*b",
            "a?b",
            "a\"b",
            "a'b",
            "a<b",
            "a|b",
            "a`b",
            "a;b",
            "a\\b",
            "a\nb",
            "a\0b",
            "nul",
            "x/Com1.go",
            "cafe\u{301}",
            "\u{1f600}",
            "a\u{202e}b",
            "\u{2460}",
        ] {
            assert!(check_file(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn paths_and_versions_agree_on_the_major_version() {
        let check = |path, version| check_pair(path, &Version::parse(version).expect("a version")).is_ok();
        for (path, version) in [
            ("a.b/c", "v0.1.0"),
            ("a.b/c", "v1.9.0"),
            ("a.b/c", "v2.0.0+incompatible"),
            ("a.b/c/v2", "v2.0.1"),
            ("gopkg.in/c.v1", "v1.0.0"),
            ("gopkg.in/c.v1", "v0.0.0-20161208181325-20d25e280405"),
            ("gopkg.in/c.v3-unstable", "v3.0.0"),
            ("a.b/c/v12", "v12.0.0-rc.1"),
        ] {
            assert!(check(path, version), "{path} {version}");
        }
        for (path, version) in [
            ("a.b/c", "v2.0.0"),
            ("a.b/c", "v1.0.0+incompatible"),
            ("a.b/c/v2", "v1.0.0"),
            ("a.b/c/v2", "v20.0.0"),
            ("a.b/c/v2", "v2.0.0+incompatible"),
            ("gopkg.in/c.v2", "v3.0.0"),
            ("gopkg.in/c.v2", "v0.0.0-20161208181325-a"),
        ] {
            assert!(!check(path, version), "{path} {version}");
        }
    }

    #[test]
    fn names_that_differ_in_case_alone_are_one_where_case_is_ignored() {
        for (one, two) in [("a/B", "A/b"), ("\u{17f}x", "Sx"), ("\u{212a}", "k"), ("ẞ", "ß"), ("Σ", "ς")] {
            assert_eq!(fold(one), fold(two), "{one} {two}");
        }
        assert_ne!(fold("a/b"), fold("a/c"));
    }

    proptest! {
        #[test]
        fn spellings_are_read_back_and_no_two_are_alike(one in "[a-zA-Z./~_-]{0,12}", two in "[a-zA-Z./~_-]{0,12}") {
            prop_assert_eq!(unescape(&escape(&one)), Some(one.clone()));
            prop_assert_eq!(escape(&one) == escape(&two), one == two);
            prop_assert!(!escape(&one).bytes().any(|byte| byte.is_ascii_uppercase()));
        }

        #[test]
        fn what_is_read_was_spelt_so(text in "[a-zA-Z!./-]{0,12}") {
            if let Some(name) = unescape(&text) {
                prop_assert_eq!(escape(&name), text);
            }
        }

        #[test]
        fn checks_never_panic(text in "\\PC{0,30}|[a-z./v0-9~]{0,20}") {
            let _ = (check_module(&text), check_file(&text), major(&text));
        }
    }
}
