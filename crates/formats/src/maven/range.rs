//! Ranges of versions as POMs have them: `[1,2)`, `(,1.0]`, `[1.5]`, several separated by commas.
//!
//! Source: the POM reference, "Dependency Version Requirement Specification".

use std::cmp::Ordering;

use super::layout::base_of;
use super::order::Version;
use crate::VersionRange;
use crate::ranges::LONGEST;

/// What lies between two versions; `true` beside one: with it.
struct Span {
    low: Option<(Version, bool)>,
    high: Option<(Version, bool)>,
}

impl Span {
    fn holds(&self, version: &Version) -> bool {
        let held = |order: Ordering, with: bool, wanted: Ordering| order == wanted || with && order.is_eq();
        self.low.as_ref().is_none_or(|(low, with)| held(version.compare(low), *with, Ordering::Greater))
            && self.high.as_ref().is_none_or(|(high, with)| held(version.compare(high), *with, Ordering::Less))
    }
}

/// A version without brackets is a wish and no range. Builds of a snapshot count as the snapshot.
pub(super) fn range(text: &str) -> Option<VersionRange> {
    let mut rest = text.trim();
    if text.len() > LONGEST || rest.is_empty() {
        return None;
    }
    let mut spans = Vec::new();
    while !rest.is_empty() {
        let end = rest.find([']', ')'])?;
        let (one, after) = rest.split_at(end + 1);
        spans.push(span(one)?);
        rest = after.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(more) if !more.trim().is_empty() => more.trim_start(),
            None if rest.is_empty() => "",
            _ => return None,
        };
    }
    Some(Box::new(move |version| {
        let version = Version::parse(&base_of(version));
        Some(spans.iter().any(|span| span.holds(&version)))
    }))
}

fn span(text: &str) -> Option<Span> {
    let (opens, closes) = (text.chars().next()?, text.chars().last()?);
    let inside = text.strip_prefix(['[', '('])?.strip_suffix([']', ')'])?;
    let (with_low, with_high) = (opens == '[', closes == ']');
    let end = |text: &str, with: bool| {
        let text = text.trim();
        let sound = !text.contains(['[', '(', ',']) && !text.contains(char::is_whitespace);
        sound.then(|| (!text.is_empty()).then(|| (Version::parse(text), with)))
    };
    match inside.split_once(',') {
        Some((low, high)) => Some(Span { low: end(low, with_low)?, high: end(high, with_high)? }),
        None if with_low && with_high && !inside.trim().is_empty() => {
            Some(Span { low: end(inside, true)?, high: end(inside, true)? })
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_of_poms_are_read() {
        for (text, inside, outside) in [
            ("[1,2)", vec!["1", "1.0", "1.9", "2-rc1"], vec!["2", "0.9"]),
            ("(,1.0]", vec!["0.1", "1.0"], vec!["1.0.1"]),
            ("[1.5]", vec!["1.5", "1.5.0"], vec!["1.6"]),
            ("(1.0,)", vec!["1.1"], vec!["1.0"]),
            ("(,1.0],[1.2,)", vec!["1.0", "1.2", "3"], vec!["1.1"]),
            ("[1.0-SNAPSHOT]", vec!["1.0-20240101.010101-1", "1.0-SNAPSHOT"], vec!["1.0"]),
            ("(,)", vec!["1"], vec![]),
        ] {
            let range = range(text).unwrap_or_else(|| panic!("{text}"));
            inside.iter().for_each(|version| assert_eq!(range(version), Some(true), "{version} in {text}"));
            outside.iter().for_each(|version| assert_eq!(range(version), Some(false), "{version} not in {text}"));
        }
        for odd in ["", "1.0", "[1,2", "1,2)", "(1)", "[]", "[1,2),", "[1,2)[3,4]", "[1,2,3]", "[(1,2)", "[1 2]"] {
            assert!(range(odd).is_none(), "{odd}");
        }
    }
}
