//! What lockfiles name: exact versions, where they are from, and what their bytes must be.
//!
//! Each format reads those of its own clients. What is not of a registry (a folder, a repository of sources, an address
//! of its own) is passed over, and said.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::digest::hex;
use model::{EntryPath, PackageName};
use sha2::{Digest as _, Sha256};

use crate::{Algorithm, Unreadable};

/// The longest lockfile, in bytes.
pub const LONGEST_LOCKFILE: usize = 64 << 20;
/// Things in a lockfile at most.
const MOST: usize = 200_000;

/// What a lockfile names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lockfile {
    /// What comes from a registry, in its order, each thing once.
    pub wanted: Vec<Locked>,
    /// What is not brought.
    pub passed: Vec<Passed>,
}

/// What is passed over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Passed {
    /// What it is, as the lockfile has it.
    pub what: String,
    /// Why, without its subject.
    pub why: &'static str,
    /// What is missing without it.
    pub gap: Gap,
}

/// What is missing without something that is passed over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// Nothing that this registry could have: it is from elsewhere.
    None,
    /// Something that clients ask a registry for.
    Package,
    /// What this other lockfile names, as the path is written in the first.
    File(String),
}

/// A thing that a lockfile names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// What it is.
    pub thing: Thing,
    /// The address of the registry that it is from, as far as the file says so; without a slash at its end.
    pub from: Option<String>,
    /// What its bytes must be.
    pub sums: Vec<LockedSum>,
}

/// What is locked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Thing {
    /// A version of a package.
    Package {
        /// The name, as its clients write it.
        name: String,
        /// The version; `None`: the newest; `*`: each.
        version: Option<String>,
    },
    /// A file, by its path in a repository.
    Path(String),
}

/// A checksum that a lockfile tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedSum {
    /// The name of the file that must have it; `None`: one of the files.
    pub file: Option<String>,
    /// How it is computed.
    pub kind: SumKind,
    /// The checksum.
    pub digest: Vec<u8>,
}

/// How a checksum in a lockfile is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SumKind {
    /// Of the file's bytes.
    Of(Algorithm),
    /// SHA-256 of a list that has the file alone, under this name: the digest in hex, two spaces, the name, a line feed.
    Listed(&'static str),
}

/// What became of comparing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// What is there is what the lockfile says.
    Same,
    /// It is something else; in words.
    Differs(String),
    /// The lockfile says nothing that is known of the files.
    Unknown,
}

impl Locked {
    /// A version of a package.
    pub(crate) fn package(name: impl Into<String>, version: impl Into<String>) -> Self {
        let thing = Thing::Package { name: name.into(), version: Some(version.into()) };
        Self { thing, from: None, sums: Vec::new() }
    }

    /// A file.
    pub(crate) fn path(path: impl Into<String>) -> Self {
        Self { thing: Thing::Path(path.into()), from: None, sums: Vec::new() }
    }

    /// Compares with files of which names and checksums in hex are known.
    pub fn compare<'f>(&self, files: impl IntoIterator<Item = (&'f str, BTreeMap<Algorithm, String>)>) -> Compared {
        let (mut same, mut other) = (false, None);
        let any: Vec<&LockedSum> = self.sums.iter().filter(|sum| sum.file.is_none()).collect();
        let (mut any_same, mut any_other) = (false, None);
        for (name, known) in files {
            let own: Vec<&LockedSum> = self.sums.iter().filter(|sum| sum.file.as_deref() == Some(name)).collect();
            match agree(&own, &known) {
                Some(true) => same = true,
                Some(false) => other = Some(name.to_owned()),
                None => {}
            }
            match agree(&any, &known) {
                Some(true) => any_same = true,
                Some(false) => any_other = Some(name.to_owned()),
                None => {}
            }
        }
        match (other.or(any_other.filter(|_| !any_same)), same || any_same) {
            (Some(file), _) => Compared::Differs(format!("{file} has another checksum than the lockfile says")),
            (None, true) => Compared::Same,
            (None, false) => Compared::Unknown,
        }
    }
}

/// Whether one of the sums is that of the file, of the strongest kind that both know; `None`: there is none.
fn agree(told: &[&LockedSum], known: &BTreeMap<Algorithm, String>) -> Option<bool> {
    let computed = |kind: SumKind| match kind {
        SumKind::Of(algorithm) => known.get(&algorithm).map(|sum| sum.to_ascii_lowercase()),
        SumKind::Listed(name) => {
            let list = format!("{}  {name}\n", known.get(&Algorithm::Sha256)?.to_ascii_lowercase());
            Some(hex(&Sha256::digest(list)))
        }
    };
    let strength = |kind: SumKind| match kind {
        SumKind::Of(Algorithm::Md5) => 0,
        SumKind::Of(Algorithm::Sha1) => 1,
        SumKind::Of(_) | SumKind::Listed(_) => 2,
    };
    let both: Vec<_> = told.iter().filter_map(|sum| Some((*sum, computed(sum.kind)?))).collect();
    let best = both.iter().map(|(sum, _)| strength(sum.kind)).max()?;
    let mut best = both.into_iter().filter(|(sum, _)| strength(sum.kind) == best);
    Some(best.any(|(sum, computed)| hex(&sum.digest) == computed))
}

impl Thing {
    /// What it is called, where nothing can be called that.
    fn odd(&self) -> Option<String> {
        let what = match self {
            Self::Path(path) if EntryPath::parse(path).is_err() => path,
            Self::Package { name, .. } if PackageName::parse(name).is_err() => name,
            Self::Package { version: Some(version), .. } if !is_word(version) => version,
            _ => return None,
        };
        Some(what.clone())
    }
}

impl Lockfile {
    /// Adds a thing; what was named before joins it.
    pub(crate) fn add(&mut self, locked: Locked) -> Result<(), Unreadable> {
        if self.wanted.len() + self.passed.len() >= MOST {
            return Err(Unreadable(format!("it names more than {MOST} things")));
        }
        match locked.thing.odd() {
            Some(what) => self.lack(what, "nothing can be called that"),
            None => {
                self.wanted.push(locked);
                Ok(())
            }
        }
    }

    /// Passes something over that never comes from this registry.
    pub(crate) fn pass(&mut self, what: impl Into<String>, why: &'static str) -> Result<(), Unreadable> {
        self.leave(what.into(), why, Gap::None)
    }

    /// Passes something over that clients will ask a registry for.
    pub(crate) fn lack(&mut self, what: impl Into<String>, why: &'static str) -> Result<(), Unreadable> {
        self.leave(what.into(), why, Gap::Package)
    }

    /// Passes something over.
    pub(crate) fn leave(&mut self, what: String, why: &'static str, gap: Gap) -> Result<(), Unreadable> {
        if self.wanted.len() + self.passed.len() >= MOST {
            return Err(Unreadable(format!("it names more than {MOST} things")));
        }
        self.passed.push(Passed { what, why, gap });
        Ok(())
    }

    /// Each thing once: what is said of it in several places belongs together.
    pub(crate) fn once(mut self) -> Self {
        let mut places: BTreeMap<(String, String, Option<String>), usize> = BTreeMap::new();
        let mut wanted: Vec<Locked> = Vec::new();
        for locked in self.wanted {
            let (name, version) = match &locked.thing {
                Thing::Package { name, version } => (name.clone(), version.clone().unwrap_or_default()),
                Thing::Path(path) => (String::new(), path.clone()),
            };
            match places.get(&(name.clone(), version.clone(), locked.from.clone())) {
                Some(place) => wanted[*place].sums.extend(locked.sums),
                None => {
                    places.insert((name, version, locked.from.clone()), wanted.len());
                    wanted.push(locked);
                }
            }
        }
        self.passed.sort();
        self.passed.dedup();
        Self { wanted, passed: self.passed }
    }
}

/// The text of a lockfile.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Unreadable> {
    if bytes.len() > LONGEST_LOCKFILE {
        return Err(Unreadable(format!("it has more than {LONGEST_LOCKFILE} bytes")));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Unreadable("it is not UTF-8".to_owned()))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// A word that can be a part of a coordinate: printable, without blanks, not too long.
pub(crate) fn is_word(word: &str) -> bool {
    let odd = |c: char| c.is_control() || c.is_whitespace();
    !word.is_empty() && word.len() <= 512 && !word.contains(odd)
}

/// The checksums of a subresource integrity (`sha512-…`), without those that nobody here knows.
pub(crate) fn integrity(text: &str) -> Vec<LockedSum> {
    let read = |word: &str| {
        let (name, sum) = word.split('?').next()?.split_once('-')?;
        let algorithm = Algorithm::ALL.into_iter().find(|algorithm| algorithm.word() == name)?;
        let digest = STANDARD.decode(sum).ok().filter(|sum| sum.len() == algorithm.length())?;
        Some(LockedSum { file: None, kind: SumKind::Of(algorithm), digest })
    };
    text.split_ascii_whitespace().filter_map(read).collect()
}

/// A checksum in hex.
pub(crate) fn in_hex(algorithm: Algorithm, digits: &str, file: Option<&str>) -> Option<LockedSum> {
    let digest = model::digest::unhex(&digits.to_ascii_lowercase()).filter(|sum| sum.len() == algorithm.length())?;
    Some(LockedSum { file: file.map(str::to_owned), kind: SumKind::Of(algorithm), digest })
}

/// Scheme, host and port of an address.
pub(crate) fn origin(address: &str) -> Option<String> {
    let url = url::Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    Some(url.origin().ascii_serialization())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What is passed over because it is from no registry.
    pub(crate) fn foreign(what: &str) -> Passed {
        Passed { what: what.to_owned(), why: "it is from no registry", gap: Gap::None }
    }

    fn known(sums: &[(Algorithm, &[u8])]) -> BTreeMap<Algorithm, String> {
        sums.iter().map(|(algorithm, sum)| (*algorithm, hex(sum))).collect()
    }

    fn locked(sums: &[(Option<&str>, Algorithm, u8)]) -> Locked {
        let sum = |(file, algorithm, byte): &(Option<&str>, Algorithm, u8)| LockedSum {
            file: file.map(str::to_owned),
            kind: SumKind::Of(*algorithm),
            digest: vec![*byte; algorithm.length()],
        };
        Locked { sums: sums.iter().map(sum).collect(), ..Locked::package("a", "1") }
    }

    #[test]
    fn the_strongest_checksum_that_both_know_decides() {
        let strong = locked(&[(None, Algorithm::Sha1, 1), (None, Algorithm::Sha512, 2)]);
        let both = known(&[(Algorithm::Sha1, &[9; 20]), (Algorithm::Sha512, &[2; 64])]);
        assert_eq!(strong.compare([("a.tgz", both)]), Compared::Same);
        let weak = known(&[(Algorithm::Sha1, &[1; 20]), (Algorithm::Sha512, &[9; 64])]);
        assert!(matches!(strong.compare([("a.tgz", weak)]), Compared::Differs(why) if why.contains("a.tgz")));
        assert_eq!(strong.compare([("a.tgz", known(&[(Algorithm::Sha1, &[1; 20])]))]), Compared::Same);
        assert_eq!(strong.compare([("a.tgz", known(&[(Algorithm::Sha256, &[1; 32])]))]), Compared::Unknown);
        assert_eq!(strong.compare([]), Compared::Unknown);
    }

    #[test]
    fn what_is_said_of_a_file_is_of_that_one_and_else_of_any() {
        let file = |byte: u8| known(&[(Algorithm::Sha256, &[byte; 32])]);
        let any = locked(&[(None, Algorithm::Sha256, 1), (None, Algorithm::Sha256, 2)]);
        assert_eq!(any.compare([("a", file(7)), ("b", file(2))]), Compared::Same, "a may be younger than the lockfile");
        assert!(matches!(any.compare([("a", file(7)), ("b", file(8))]), Compared::Differs(_)));
        let own = locked(&[(Some("a"), Algorithm::Sha256, 1), (Some("b"), Algorithm::Sha256, 2)]);
        assert_eq!(own.compare([("a", file(1)), ("c", file(9))]), Compared::Same);
        assert!(matches!(own.compare([("a", file(1)), ("b", file(1))]), Compared::Differs(why) if why.contains('b')));
    }

    #[test]
    fn a_list_of_one_file_is_made_of_its_digest() {
        let digest = hex(&Sha256::digest("module example.com/a\n"));
        let list = Sha256::digest(format!("{digest}  go.mod\n")).to_vec();
        let sum = LockedSum { file: None, kind: SumKind::Listed("go.mod"), digest: list };
        let locked = Locked { sums: vec![sum], ..Locked::path("a") };
        let is = |digest: String| locked.compare([("v1.mod", BTreeMap::from([(Algorithm::Sha256, digest)]))]);
        assert_eq!(is(digest), Compared::Same);
        assert!(matches!(is(hex(&[1; 32])), Compared::Differs(_)));
    }

    #[test]
    fn a_thing_is_there_once_with_all_that_is_said_of_it() {
        let mut file = Lockfile::default();
        for byte in [1, 2, 1] {
            file.add(locked(&[(None, Algorithm::Sha256, byte)])).expect("room");
        }
        let once = file.once();
        assert_eq!((once.wanted.len(), once.wanted[0].sums.len()), (1, 3));
    }
}
