//! Versions of modules: semantic versions with a `v` in front, in their one canonical spelling.
//!
//! Sources: the Go Modules Reference, "Versions", "Pseudo-versions" and "+incompatible versions".

use std::cmp::Ordering;

use model::Timestamp;

/// The longest version.
const LONGEST: usize = 200;

/// A canonical version. Ordered as semantic versions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version<'v> {
    major: &'v str,
    minor: &'v str,
    patch: &'v str,
    /// What follows the hyphen; empty in a release.
    pre: &'v str,
    /// Whether it ends with `+incompatible`: version 2 or higher of a module whose path does not say so.
    pub(super) incompatible: bool,
}

impl<'v> Version<'v> {
    /// A canonical version; anything else is `None`.
    pub(super) fn parse(text: &'v str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let rest = text.strip_prefix('v')?;
        let (rest, incompatible) = match rest.split_once('+') {
            Some((rest, "incompatible")) => (rest, true),
            Some(_) => return None,
            None => (rest, false),
        };
        let (numbers, pre) = match rest.split_once('-') {
            Some((_, "")) => return None,
            Some((numbers, pre)) => (numbers, pre),
            None => (rest, ""),
        };
        let mut numbers = numbers.split('.');
        let (major, minor, patch) = (numbers.next()?, numbers.next()?, numbers.next()?);
        let sound = numbers.next().is_none() && [major, minor, patch].into_iter().all(is_number);
        let named = pre.is_empty() || pre.split('.').all(is_identifier);
        (sound && named).then_some(Self { major, minor, patch, pre, incompatible })
    }

    /// `v` and the first number.
    pub(super) fn major(&self) -> String {
        format!("v{}", self.major)
    }

    /// Whether the first number is 0 or 1.
    pub(super) fn is_early(&self) -> bool {
        matches!(self.major, "0" | "1")
    }

    /// Whether nothing says that it is less than a release.
    pub(super) fn is_release(&self) -> bool {
        self.pre.is_empty()
    }

    /// The time in a pseudo-version, as digits; `None` for every other version.
    fn stamp(&self) -> Option<&'v str> {
        let (before, revision) = self.pre.rsplit_once('-')?;
        let (base, stamp) = before.split_at_checked(before.len().checked_sub(14)?)?;
        let follows = match base {
            "" => self.minor == "0" && self.patch == "0",
            base => base == "0." || base.ends_with(".0."),
        };
        let sound = stamp.bytes().all(|byte| byte.is_ascii_digit()) && !revision.is_empty();
        (follows && sound && revision.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(stamp)
    }

    /// Whether it names a revision rather than a release: lists leave it out.
    pub(super) fn is_pseudo(&self) -> bool {
        self.stamp().is_some()
    }

    /// When the revision of a pseudo-version was made. `None`: it is none; `Some(None)`: it says no time.
    pub(super) fn revised_at(&self) -> Option<Option<Timestamp>> {
        let stamp = self.stamp()?;
        let part = |from: usize, to: usize| stamp.get(from..to).unwrap_or_default();
        let (day, time) = ((part(0, 4), part(4, 6), part(6, 8)), (part(8, 10), part(10, 12), part(12, 14)));
        let text = format!("{}-{}-{}T{}:{}:{}Z", day.0, day.1, day.2, time.0, time.1, time.2);
        Some(Timestamp::parse(&text))
    }

    /// Whether it begins as the pseudo-versions do that have no version before them.
    pub(super) fn has_no_base(&self) -> bool {
        self.major == "0" && self.minor == "0" && self.patch == "0" && !self.pre.is_empty()
    }
}

impl Ord for Version<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let number = |a: &str, b: &str| a.len().cmp(&b.len()).then_with(|| a.cmp(b));
        number(self.major, other.major)
            .then_with(|| number(self.minor, other.minor))
            .then_with(|| number(self.patch, other.patch))
            .then_with(|| compare_pre(self.pre, other.pre))
            .then_with(|| self.incompatible.cmp(&other.incompatible))
    }
}

impl PartialOrd for Version<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A release is more than what comes before it; numbers are less than words.
fn compare_pre(a: &str, b: &str) -> Ordering {
    if a.is_empty() || b.is_empty() {
        return a.is_empty().cmp(&b.is_empty());
    }
    let (mut left, mut right) = (a.split('.'), b.split('.'));
    loop {
        let (one, two) = match (left.next(), right.next()) {
            (Some(one), Some(two)) => (one, two),
            (one, two) => return one.is_some().cmp(&two.is_some()),
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let order = match (digits(one), digits(two)) {
            (true, true) => one.len().cmp(&two.len()).then_with(|| one.cmp(two)),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => one.cmp(two),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Digits without a zero in front.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
}

/// Letters, digits and hyphens; a number has no zero in front.
fn is_identifier(text: &str) -> bool {
    let word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    word && (is_number(text) || !text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> Version<'_> {
        Version::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn only_the_canonical_spelling_is_a_version() {
        for good in [
            "v0.0.0",
            "v1.2.3",
            "v1.2.3-rc.1",
            "v2.0.0+incompatible",
            "v1.0.0-0.20200101000000-abcdefabcdef",
            "v99999999999999999999999.0.0",
            "v1.0.0--",
            "v1.0.0-a-b",
        ] {
            assert!(Version::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "v",
            "1.2.3",
            "v1",
            "v1.2",
            "v1.2.3.4",
            "v01.2.3",
            "v1.2.03",
            "v1.2.3-",
            "v1.2.3-01",
            "v1.2.3-a..b",
            "v1.2.3+",
            "v1.2.3+meta",
            "v1.2.3-ä",
            "V1.2.3",
            "v1.2.3+incompatible+incompatible",
            "main",
            "latest",
        ] {
            assert!(Version::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn versions_have_their_order() {
        let ordered = [
            "v0.0.0-20200101000000-abcdefabcdef",
            "v0.0.0",
            "v0.9.0",
            "v0.10.0",
            "v1.0.0-1",
            "v1.0.0-2",
            "v1.0.0-10",
            "v1.0.0-alpha",
            "v1.0.0-alpha.1",
            "v1.0.0-alpha.beta",
            "v1.0.0-rc.1",
            "v1.0.0",
            "v1.0.1-0.20200101000000-a",
            "v1.0.1",
            "v2.0.0",
            "v2.0.0+incompatible",
            "v10.0.0",
            "v99999999999999999999998.0.0",
            "v99999999999999999999999.0.0",
        ];
        for (place, one) in ordered.iter().enumerate() {
            for (other_place, other) in ordered.iter().enumerate() {
                assert_eq!(version(one).cmp(&version(other)), place.cmp(&other_place), "{one} and {other}");
            }
        }
    }

    #[test]
    fn pseudo_versions_are_known_and_say_their_time() {
        let (day, told) = ("20191109021931", "2019-11-09T02:19:31.000000Z");
        for pseudo in [
            format!("v0.0.0-{day}-daa7c04131f5"),
            format!("v2.3.5-0.{day}-daa7c04131f5"),
            format!("v2.3.5-0.{day}-daa7c04131f5+incompatible"),
            format!("v2.3.4-rc.1.0.{day}-daa7c04131f5"),
        ] {
            let time = version(&pseudo).revised_at().expect("a pseudo-version").expect("a time");
            assert_eq!(time.to_string(), told, "{pseudo}");
        }
        for plain in [
            "v1.0.0",
            "v1.0.0-rc.1",
            &format!("v1.2.3-{day}-daa7c04131f5"),
            &format!("v1.0.0-rc.{day}-daa7c04131f5"),
            "v0.0.0-2019110902193-daa7c04131f5",
            &format!("v0.0.0-{day}"),
        ] {
            assert!(!version(plain).is_pseudo(), "{plain}");
        }
        assert_eq!(version("v0.0.0-20191399000000-daa7c04131f5").revised_at(), Some(None));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "v?[0-9a-z.+äß-]{0,40}|\\PC{0,30}") {
            if let Some(version) = Version::parse(&text) {
                prop_assert_eq!(version.cmp(&version), Ordering::Equal);
                let _ = version.revised_at();
            }
        }
    }
}
