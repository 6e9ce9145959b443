//! What of a checksum database a client needs that finds out for itself: records, and tiles of the tree of hashes that
//! prove them.
//!
//! A client trusts the newest tree that it has heard of. It proves in it every record that it is given, and every older
//! tree. Which tree that is depends on the order of its questions, so whoever brings records ahead brings what proves
//! each of them in each tree.
//!
//! Source: "Proposal: Secure the Public Go Module Ecosystem", "Checksum Database"; the tiles of "Transparent Logs for
//! Skeptical Clients".

use std::collections::BTreeSet;

use super::names::{check_module, escape, unescape};
use super::{MOD, ZIP};

/// Hashes in a whole tile, as a power of two.
const HEIGHT: u32 = 8;
/// Levels of tiles at most: trees are smaller than the number of their hashes.
const LEVELS: u32 = 7;
/// How the description of a tree begins.
const TREE: &str = "go.sum database tree\n";

/// A part of the tree of hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    level: u32,
    number: u64,
    width: u64,
}

impl Tile {
    /// The tile as it is in a tree of `size` records; `None`: the tree has no such tile.
    fn within(level: u32, number: u64, size: u64) -> Option<Self> {
        let left = (size >> (HEIGHT * level)).checked_sub(number << HEIGHT).filter(|left| *left > 0)?;
        Some(Self { level, number, width: left.min(1 << HEIGHT) })
    }

    fn is_whole(self) -> bool {
        self.width == 1 << HEIGHT
    }

    /// The tile that it became when the tree had grown, for databases that keep that alone; `None`: it is whole.
    pub fn whole(self) -> Option<Self> {
        (!self.is_whole()).then_some(Self { width: 1 << HEIGHT, ..self })
    }

    /// Where the database has it.
    pub fn path(self) -> String {
        let (mut rest, mut number) = (self.number / 1000, format!("{:03}", self.number % 1000));
        while rest > 0 {
            number = format!("x{:03}/{number}", rest % 1000);
            rest /= 1000;
        }
        let part = if self.is_whole() { String::new() } else { format!(".p/{}", self.width) };
        format!("tile/{HEIGHT}/{}/{number}{part}", self.level)
    }
}

/// The tiles that prove every record in every tree that has it, and every tree in every larger one.
pub fn tiles(records: &BTreeSet<u64>, trees: &BTreeSet<u64>) -> BTreeSet<Tile> {
    let mut all = BTreeSet::new();
    for size in trees {
        for (level, number) in trees.range(..=size).flat_map(|older| edge(*older)) {
            climb(level, number, *size, &mut all);
        }
        for record in records.range(..size) {
            climb(0, record >> HEIGHT, *size, &mut all);
        }
    }
    all
}

/// Where the hashes are that together stand for a tree: at its edge.
fn edge(size: u64) -> impl Iterator<Item = (u32, u64)> {
    let there = move |level: &u32| !(size >> (HEIGHT * level)).is_multiple_of(1 << HEIGHT);
    (0..=LEVELS - 1).filter(there).map(move |level| (level, size >> (HEIGHT * (level + 1))))
}

/// From a tile up to the edge of the tree: a whole tile is proven by the one above it.
fn climb(level: u32, number: u64, size: u64, all: &mut BTreeSet<Tile>) {
    let (mut level, mut number) = (level, number);
    while let Some(tile) = Tile::within(level, number, size).filter(|_| level < LEVELS) {
        all.insert(tile);
        if !tile.is_whole() {
            return;
        }
        (level, number) = (level + 1, number >> HEIGHT);
    }
}

/// Where the database has the record of a version of a module; `None`: it can have none.
pub fn lookup(module: &str, version: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-+_".contains(&byte);
    let sound = check_module(module).is_ok() && !version.is_empty() && version.bytes().all(plain);
    sound.then(|| format!("lookup/{}@{}", escape(module), escape(version)))
}

/// Module and version of a file of ours.
pub fn module_of(path: &str) -> Option<(String, String)> {
    let (module, file) = path.rsplit_once("/@v/")?;
    let version = [MOD, ZIP].into_iter().find_map(|kind| file.strip_suffix(kind))?;
    Some((unescape(module)?, unescape(version)?))
}

/// The number of a record and the size of the tree that the answer speaks of.
pub fn record(answer: &str) -> Option<(u64, u64)> {
    let number: u64 = answer.lines().next()?.parse().ok()?;
    let size = tree(answer.split_once("\n\n")?.1)?;
    (number < size).then_some((number, size))
}

/// The size of the tree that a note speaks of.
pub fn tree(note: &str) -> Option<u64> {
    let size: u64 = note.strip_prefix(TREE)?.lines().next()?.parse().ok()?;
    (0 < size && size < 1 << (HEIGHT * LEVELS)).then_some(size)
}

/// The name of a database, as `GOSUMDB` has it: alone, or before its key and its address.
pub fn database(text: &str) -> Option<&str> {
    let name = text.split_ascii_whitespace().next()?.split('+').next()?;
    let sound = name.contains(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    (sound && name != "off").then_some(name)
}

/// Whether modules are named by patterns as `GONOSUMDB` has them: with commas between them, each about as many elements
/// of the path as it has; `*` and `?` stand for what is in one element.
pub fn is_named(patterns: &str, module: &str) -> bool {
    patterns.split(',').map(|glob| glob.trim().trim_end_matches('/')).filter(|glob| !glob.is_empty()).any(|glob| {
        let (mut globs, mut elements) = (glob.split('/'), module.split('/'));
        globs.all(|glob| elements.next().is_some_and(|element| fits(glob.as_bytes(), element.as_bytes())))
    })
}

fn fits(glob: &[u8], text: &[u8]) -> bool {
    match (glob, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|at| fits(rest, &text[at..])),
        ([b'?', rest @ ..], [_, after @ ..]) => fits(rest, after),
        ([one, rest @ ..], [other, after @ ..]) if one == other => fits(rest, after),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(records: &[u64], trees: &[u64]) -> Vec<String> {
        let set = |numbers: &[u64]| numbers.iter().copied().collect();
        tiles(&set(records), &set(trees)).into_iter().map(Tile::path).collect()
    }

    #[test]
    fn a_record_is_proven_up_to_the_edge_of_its_tree() {
        assert_eq!(paths(&[3], &[7]), ["tile/8/0/000.p/7"]);
        assert_eq!(paths(&[3], &[256]), ["tile/8/0/000", "tile/8/1/000.p/1"]);
        assert_eq!(paths(&[3], &[300]), ["tile/8/0/000", "tile/8/0/001.p/44", "tile/8/1/000.p/1"]);
        assert_eq!(paths(&[299], &[300]), ["tile/8/0/001.p/44", "tile/8/1/000.p/1"]);
        let large = 1_234_067 * 256 + 5;
        assert_eq!(
            paths(&[1_234_066 * 256], &[large]),
            [
                "tile/8/0/x001/x234/066",
                "tile/8/0/x001/x234/067.p/5",
                "tile/8/1/x004/820.p/147",
                "tile/8/2/018.p/212",
                "tile/8/3/000.p/18"
            ]
        );
    }

    #[test]
    fn a_tree_is_proven_in_every_larger_one() {
        assert_eq!(
            paths(&[], &[300, 600]),
            ["tile/8/0/001.p/44", "tile/8/0/001", "tile/8/0/002.p/88", "tile/8/1/000.p/1", "tile/8/1/000.p/2"]
        );
        assert!(paths(&[600], &[600]).iter().all(|path| !path.contains("/0/002.p/89")), "it is not in that tree");
    }

    #[test]
    fn answers_say_where_a_record_is() {
        let answer = "7\nexample.com/a v1.0.0 h1:x\n\ngo.sum database tree\n9\naGFzaA==\n\n\u{2014} sum Az\n";
        assert_eq!(record(answer), Some((7, 9)));
        assert_eq!(record(&answer.replace("\n9\n", "\n7\n")), None);
        assert_eq!(record(&answer.replace("\n9\n", "\n99999999999999999999\n")), None);
        assert_eq!(tree("go.sum database tree\n0\n"), None);
        assert_eq!(
            lookup("example.com/Acme/a", "v1.0.0+incompatible").as_deref(),
            Some("lookup/example.com/!acme/a@v1.0.0+incompatible")
        );
        assert_eq!(lookup("../a", "v1.0.0"), None);
        assert_eq!(
            module_of("example.com/!acme/a/@v/v1.0.0.mod"),
            Some(("example.com/Acme/a".to_owned(), "v1.0.0".to_owned()))
        );
        assert_eq!(Tile::within(0, 1, 300).and_then(Tile::whole).map(Tile::path).as_deref(), Some("tile/8/0/001"));
    }

    #[test]
    fn databases_and_what_they_are_not_asked_for() {
        assert_eq!(database("sum.example.org+0f+Akey https://sum.example.org"), Some("sum.example.org"));
        assert_eq!((database("off"), database(""), database("a/b")), (None, None, None));
        for (patterns, module, named) in [
            ("example.com", "example.com/a/b", true),
            ("example.com/a", "example.com/ab", false),
            ("x.example, *.corp.example/team/", "git.corp.example/team/x", true),
            ("*.corp.example", "corp.example/x", false),
            ("example.com/a/b", "example.com/a", false),
            ("example.com/v?", "example.com/v2", true),
            ("", "example.com/a", false),
        ] {
            assert_eq!(is_named(patterns, module), named, "{patterns} {module}");
        }
    }
}
