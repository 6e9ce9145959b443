//! The order of versions: that of Maven's `ComparableVersion`.
//!
//! Source: the POM reference, "Version Order Specification", and maven-artifact 3.8. A version is a tree:
//! `.` separates items, `-` and the border between letters and digits open a list.

use std::cmp::Ordering;

/// Known qualifiers in their order; the empty one is the release itself. Others come after them.
const QUALIFIERS: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
const RELEASE: usize = 5;

/// A version that can be compared.
#[derive(Clone, Debug)]
pub(super) struct Version(Vec<Item>);

#[derive(Clone, Debug)]
enum Item {
    /// Digits without leading zeros; empty for zero.
    Number(String),
    /// A known qualifier.
    Known(usize),
    /// Another word.
    Word(String),
    List(Vec<Item>),
}

impl Version {
    pub(super) fn parse(text: &str) -> Self {
        let text = text.to_lowercase();
        let mut tree = Tree { lists: vec![Vec::new()] };
        let (mut token, mut digits) = (String::new(), false);
        for c in text.chars() {
            match c {
                '.' | '-' => {
                    tree.add(item(&token, digits, false));
                    token.clear();
                    if c == '-' {
                        tree.open();
                    }
                }
                _ => {
                    if !token.is_empty() && digits != c.is_ascii_digit() {
                        tree.add_word(&token, digits, true);
                        token.clear();
                        tree.open();
                    }
                    digits = c.is_ascii_digit();
                    token.push(c);
                }
            }
        }
        if !token.is_empty() {
            tree.add_word(&token, digits, false);
        }
        let Tree { mut lists } = tree;
        let mut inner: Option<Vec<Item>> = None;
        while let Some(mut list) = lists.pop() {
            if let Some(inner) = inner.take() {
                list.push(Item::List(inner));
            }
            normalise(&mut list);
            inner = Some(list);
        }
        Self(inner.unwrap_or_default())
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        compare_lists(&self.0, &other.0)
    }
}

/// A version on its way to become a tree: the lists that are open, each inside the one before it.
struct Tree {
    lists: Vec<Vec<Item>>,
}

impl Tree {
    fn add(&mut self, item: Item) {
        if let Some(list) = self.lists.last_mut() {
            list.push(item);
        }
    }

    fn open(&mut self) {
        self.lists.push(Vec::new());
    }

    /// Digits, or a word at the version's end or in front of digits: `1.rc1` is `1-rc1`.
    fn add_word(&mut self, token: &str, digits: bool, more: bool) {
        if !digits && self.lists.last().is_some_and(|list| !list.is_empty()) {
            self.open();
        }
        self.add(item(token, digits, more && !digits));
    }
}

fn item(token: &str, digits: bool, before_digits: bool) -> Item {
    if digits || token.is_empty() {
        return Item::Number(token.trim_start_matches('0').to_owned());
    }
    let word = match token {
        "a" if before_digits => "alpha",
        "b" if before_digits => "beta",
        "m" if before_digits => "milestone",
        "ga" | "final" | "release" => "",
        "cr" => "rc",
        other => other,
    };
    QUALIFIERS.iter().position(|known| *known == word).map_or_else(|| Item::Word(word.to_owned()), Item::Known)
}

impl Item {
    fn is_nothing(&self) -> bool {
        match self {
            Self::Number(digits) => digits.is_empty(),
            Self::Known(rank) => *rank == RELEASE,
            Self::Word(_) => false,
            Self::List(list) => list.is_empty(),
        }
    }

    /// Against nothing at all, with which shorter versions are filled up.
    fn against_nothing(&self) -> Ordering {
        match self {
            Self::Number(digits) => digits.len().cmp(&0),
            Self::Known(rank) => rank.cmp(&RELEASE),
            Self::Word(_) => Ordering::Greater,
            Self::List(list) => {
                list.iter().map(Self::against_nothing).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
            }
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(one), Self::Number(two)) => one.len().cmp(&two.len()).then_with(|| one.cmp(two)),
            (Self::List(one), Self::List(two)) => compare_lists(one, two),
            (Self::Known(one), Self::Known(two)) => one.cmp(two),
            (Self::Word(one), Self::Word(two)) => one.cmp(two),
            _ => self.kind().cmp(&other.kind()),
        }
    }

    /// Where kinds differ: words, then lists, then numbers.
    fn kind(&self) -> u8 {
        match self {
            Self::Known(_) => 0,
            Self::Word(_) => 1,
            Self::List(_) => 2,
            Self::Number(_) => 3,
        }
    }
}

fn compare_lists(one: &[Item], two: &[Item]) -> Ordering {
    for at in 0..one.len().max(two.len()) {
        let order = match (one.get(at), two.get(at)) {
            (Some(one), Some(two)) => one.compare(two),
            (Some(one), None) => one.against_nothing(),
            (None, Some(two)) => two.against_nothing().reverse(),
            (None, None) => Ordering::Equal,
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// Takes away what says nothing: at the end, and in front of a list.
fn normalise(list: &mut Vec<Item>) {
    let mut at = list.len();
    while at > 0 {
        at -= 1;
        match list.get(at) {
            Some(item) if item.is_nothing() => drop(list.remove(at)),
            Some(Item::List(_)) => {}
            _ => break,
        }
    }
}

/// Sorts, those that are equal as they came. Maven's order is not transitive for every three versions; a
/// sort of the library may give up on such, this one does not.
pub(super) fn sort<T>(items: Vec<(Version, T)>) -> Vec<(Version, T)> {
    let mut runs: Vec<Vec<(Version, T)>> = items.into_iter().map(|item| vec![item]).collect();
    while runs.len() > 1 {
        let mut merged = Vec::with_capacity(runs.len().div_ceil(2));
        let mut rest = runs.into_iter();
        while let Some(one) = rest.next() {
            merged.push(match rest.next() {
                Some(two) => merge(one, two),
                None => one,
            });
        }
        runs = merged;
    }
    runs.pop().unwrap_or_default()
}

fn merge<T>(one: Vec<(Version, T)>, two: Vec<(Version, T)>) -> Vec<(Version, T)> {
    let mut merged = Vec::with_capacity(one.len() + two.len());
    let (mut one, mut two) = (one.into_iter().peekable(), two.into_iter().peekable());
    while let (Some(first), Some(second)) = (one.peek(), two.peek()) {
        let next = if second.0.compare(&first.0).is_lt() { two.next() } else { one.next() };
        merged.extend(next);
    }
    merged.extend(one);
    merged.extend(two);
    merged
}
