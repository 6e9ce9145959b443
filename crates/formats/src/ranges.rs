//! Ranges of versions as rules name them: each format in its own notation, read once, asked for many versions.
//!
//! A version before a release is in a range where its place in the order is: rules leave no gap for `-rc.1`.

use std::cmp::Ordering;

use semver::{Prerelease, Version};

/// The longest range, in bytes.
pub(crate) const LONGEST: usize = 1000;

/// Whether a version is in a range; `None`: it is no version that can be compared.
pub type VersionRange = Box<dyn Fn(&str) -> Option<bool> + Send + Sync>;

/// What a version without an operator stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bare {
    /// Itself.
    Exact,
    /// What is compatible with it.
    Caret,
}

/// A range of semantic versions: comparisons separated by spaces or commas, alternatives by `||`. `None`: it cannot be
/// read.
pub(crate) fn semantic(text: &str, bare: Bare) -> Option<VersionRange> {
    if text.len() > LONGEST || text.trim().is_empty() {
        return None;
    }
    let all: Vec<Vec<Bound>> = text.split("||").map(|part| alternative(part, bare)).collect::<Option<_>>()?;
    Some(Box::new(move |version| {
        let version = Version::parse(version.strip_prefix('v').unwrap_or(version)).ok()?;
        Some(all.iter().any(|bounds| bounds.iter().all(|bound| bound.holds(&version))))
    }))
}

struct Bound {
    holds: fn(Ordering) -> bool,
    version: Version,
}

impl Bound {
    fn holds(&self, version: &Version) -> bool {
        (self.holds)(version.cmp_precedence(&self.version))
    }
}

fn bound(holds: fn(Ordering) -> bool, version: Version) -> Bound {
    Bound { holds, version }
}

fn from(version: Version) -> Bound {
    bound(Ordering::is_ge, version)
}

fn before(version: Version) -> Bound {
    bound(Ordering::is_lt, version)
}

fn alternative(text: &str, bare: Bare) -> Option<Vec<Bound>> {
    if let Some((low, high)) = text.split_once(" - ") {
        let (low, high) = (Partial::parse(low.trim())?, Partial::parse(high.trim())?);
        return Some([compare(">=", &low, bare)?, compare("<=", &high, bare)?].into_iter().flatten().collect());
    }
    let (mut bounds, mut waiting) = (Vec::new(), "");
    let words: Vec<&str> = text.split([' ', '\t', ',']).filter(|word| !word.is_empty()).collect();
    for word in &words {
        let at = word.find(|c: char| !"<>=~^".contains(c)).unwrap_or(word.len());
        let (operator, rest) = word.split_at(at);
        let operator = match (waiting, operator) {
            ("", operator) => operator,
            (waiting, "") => waiting,
            _ => return None,
        };
        waiting = if rest.is_empty() { operator } else { "" };
        if !rest.is_empty() {
            bounds.extend(compare(operator, &Partial::parse(rest)?, bare)?);
        }
    }
    (waiting.is_empty() && !words.is_empty()).then_some(bounds)
}

/// A version of which the end may be left open.
struct Partial {
    numbers: Vec<u64>,
    pre: Prerelease,
}

impl Partial {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(text, _)| text);
        let (release, pre) = text.split_once('-').unwrap_or((text, ""));
        let (mut numbers, mut open) = (Vec::new(), false);
        for word in release.split('.') {
            match word {
                "*" | "x" | "X" => open = true,
                _ if open => return None,
                word => numbers.push(word.parse().ok().filter(|_| !word.starts_with('+'))?),
            }
        }
        let whole = numbers.len() == 3;
        let pre = Prerelease::new(pre).ok().filter(|pre| pre.is_empty() || whole)?;
        (numbers.len() <= 3 && !(whole && open)).then_some(Self { numbers, pre })
    }

    fn is_whole(&self) -> bool {
        self.numbers.len() == 3
    }

    fn number(&self, place: usize) -> u64 {
        self.numbers.get(place).copied().unwrap_or_default()
    }

    /// The least version that it stands for.
    fn least(&self) -> Version {
        let least = Version::new(self.number(0), self.number(1), self.number(2));
        Version { pre: if self.is_whole() { self.pre.clone() } else { first() }, ..least }
    }

    /// The first version behind those that agree with it in the first `count` numbers.
    fn behind(&self, count: usize) -> Option<Version> {
        let up = |place: usize| self.number(place).checked_add(1);
        let (major, minor) = (self.number(0), self.number(1));
        let version = match count {
            1 => Version::new(up(0)?, 0, 0),
            2 => Version::new(major, up(1)?, 0),
            _ => Version::new(major, minor, up(2)?),
        };
        Some(Version { pre: first(), ..version })
    }
}

/// What comes before every other pre-release.
fn first() -> Prerelease {
    Prerelease::new("0").unwrap_or(Prerelease::EMPTY)
}

fn compare(operator: &str, to: &Partial, bare: Bare) -> Option<Vec<Bound>> {
    let (count, least) = (to.numbers.len(), to.least());
    let operator = match (operator, bare) {
        ("", Bare::Exact) => "=",
        ("", Bare::Caret) => "^",
        (operator, _) => operator,
    };
    if count == 0 {
        let none = matches!(operator, "<" | ">");
        return Some(if none { vec![before(Version { pre: first(), ..Version::new(0, 0, 0) })] } else { Vec::new() });
    }
    Some(match operator {
        "=" if to.is_whole() => vec![bound(Ordering::is_eq, least)],
        "=" => vec![from(least), before(to.behind(count)?)],
        ">" if to.is_whole() => vec![bound(Ordering::is_gt, least)],
        ">" => vec![from(to.behind(count)?)],
        ">=" => vec![from(least)],
        "<" => vec![before(least)],
        "<=" if to.is_whole() => vec![bound(Ordering::is_le, least)],
        "<=" => vec![before(to.behind(count)?)],
        "~" | "~>" => vec![from(least), before(to.behind(count.min(2))?)],
        "^" => {
            let leading = to.numbers.iter().position(|number| *number != 0).map_or(count, |place| place + 1);
            vec![from(least), before(to.behind(leading)?)]
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fits(range: &str, bare: Bare) -> impl Fn(&str) -> bool + use<> {
        let range = semantic(range, bare).unwrap_or_else(|| panic!("{range}"));
        move |version| range(version).unwrap_or_else(|| panic!("{version}"))
    }

    #[test]
    fn npm_s_notation_is_read() {
        for (range, inside, outside) in [
            ("1.2.3", vec!["1.2.3", "1.2.3+b"], vec!["1.2.4", "1.2.3-rc.1"]),
            ("^1.2.3", vec!["1.2.3", "1.9.0", "1.9.0-rc.1"], vec!["1.2.2", "2.0.0", "2.0.0-rc.1"]),
            ("^0.2.3", vec!["0.2.3", "0.2.9"], vec!["0.3.0", "0.3.0-a"]),
            ("^0.0.3", vec!["0.0.3"], vec!["0.0.4"]),
            ("^0.x", vec!["0.0.0", "0.9.0"], vec!["1.0.0"]),
            ("~1.2.3", vec!["1.2.3", "1.2.9"], vec!["1.3.0"]),
            ("~1", vec!["1.0.0", "1.9.9"], vec!["2.0.0"]),
            (">=1.2 <2", vec!["1.2.0", "1.99.0", "1.2.0-rc.1"], vec!["1.1.9", "2.0.0", "2.0.0-rc.1"]),
            (">= 1.2.0, < 1.4.0", vec!["1.2.0", "1.3.9"], vec!["1.1.9", "1.4.0"]),
            ("1.2 - 1.4", vec!["1.2.0", "1.4.9"], vec!["1.5.0", "1.1.9"]),
            ("<1 || >=3.x", vec!["0.9.0", "3.0.0"], vec!["1.0.0", "2.0.0"]),
            ("*", vec!["0.0.0", "9.9.9-a"], vec![]),
            ("1.x", vec!["1.0.0", "1.0.0-a"], vec!["2.0.0-a", "0.9.0"]),
            (">1.2", vec!["1.3.0"], vec!["1.2.9"]),
            ("<=1.2", vec!["1.2.9"], vec!["1.3.0"]),
            (">=v1.2.0 <v2", vec!["v1.2.0", "v1.9.9+incompatible"], vec!["v2.0.0"]),
        ] {
            let fits = fits(range, Bare::Exact);
            inside.iter().for_each(|version| assert!(fits(version), "{version} in {range}"));
            outside.iter().for_each(|version| assert!(!fits(version), "{version} not in {range}"));
        }
        let cargo = fits("1.2", Bare::Caret);
        assert!(cargo("1.9.0") && !cargo("2.0.0") && !cargo("1.1.0"));
    }

    #[test]
    fn what_is_no_range_is_not_read() {
        for odd in [
            "", " ", "latest", ">", ">= ", "> > 1", "1.2.3.4", "x.1", "1.x.3-a", "1.2-rc", "||", "=>1", "1..2", "[1,2)",
        ] {
            assert!(semantic(odd, Bare::Exact).is_none(), "{odd}");
        }
        assert!(semantic(&"1 ".repeat(600), Bare::Exact).is_none());
        assert_eq!(semantic("1", Bare::Exact).and_then(|range| range("one")), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(range in "[0-9x*v.<>=~^|, -]{0,20}", version in "[0-9v.+-]{0,12}") {
            if let Some(range) = semantic(&range, Bare::Caret) {
                let _ = range(&version);
            }
        }

        #[test]
        fn from_and_before_split_all_versions(a in 0u64..5, b in 0u64..5, c in 0u64..5, x in 0u64..5, y in 0u64..5) {
            let version = format!("{x}.{y}.{c}");
            let (low, high) = (fits(&format!("<{a}.{b}.{c}"), Bare::Exact), fits(&format!(">={a}.{b}.{c}"), Bare::Exact));
            prop_assert!(low(&version) != high(&version));
        }
    }
}
