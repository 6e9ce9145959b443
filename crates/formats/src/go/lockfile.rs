//! `go.sum`: the modules that a build looks at. Of many of them it needs the `go.mod` alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::names::{check_module, check_pair};
use super::version::Version;
use super::{MOD, location};
use crate::lockfile::text;
use crate::{Locked, LockedSum, Lockfile, SumKind, Thing, Unreadable};

/// Under which the sum of a `go.mod` lists it.
const GO_MOD: &str = "go.mod";

pub(super) fn read(name: &str, bytes: &[u8]) -> Option<Result<Lockfile, Unreadable>> {
    name.ends_with(".sum").then(|| text(bytes).and_then(whole))
}

fn whole(text: &str) -> Result<Lockfile, Unreadable> {
    let mut file = Lockfile::default();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let odd = |why: &str| Unreadable(format!("line {} {why}", number + 1));
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [module, version, sum] = words.as_slice() else { return Err(odd("has not three words")) };
        let (name, of_mod) = version.strip_suffix("/go.mod").map_or((*version, false), |name| (name, true));
        check_module(module).map_err(|why| odd(&format!("names a module that {why}")))?;
        let version = Version::parse(name).ok_or_else(|| odd("names no version"))?;
        check_pair(module, &version).map_err(|why| odd(&why))?;
        let path = location(module, name, MOD).map_err(|_| odd("names no version"))?;
        file.add(match of_mod {
            // The sum of an archive is one of all its files: the go command looks at it, not we.
            false => Locked::package(*module, name),
            true => Locked { sums: sums(sum), ..Locked::path(path.as_str()) },
        })?;
    }
    Ok(together(file.once()))
}

/// SHA-256 of the list of its files, which is one.
fn sums(text: &str) -> Vec<LockedSum> {
    let digest = text.strip_prefix("h1:").and_then(|sum| STANDARD.decode(sum).ok()).filter(|sum| sum.len() == 32);
    digest.into_iter().map(|digest| LockedSum { file: None, kind: SumKind::Listed(GO_MOD), digest }).collect()
}

/// The `go.mod` of a module that is wanted whole comes with it.
fn together(file: Lockfile) -> Lockfile {
    let Lockfile { mut wanted, passed } = file;
    let path_of = |locked: &Locked| match &locked.thing {
        Thing::Package { name, version: Some(version) } => {
            Some((location(name, version, MOD).ok()?.to_string(), format!("{version}{MOD}")))
        }
        _ => None,
    };
    let whole: std::collections::HashMap<String, (usize, String)> =
        wanted.iter().enumerate().filter_map(|(at, one)| path_of(one).map(|(path, file)| (path, (at, file)))).collect();
    let mut joined = Vec::new();
    for one in &wanted {
        if let Thing::Path(path) = &one.thing
            && let Some((at, file)) = whole.get(path)
        {
            let named = one.sums.iter().map(|sum| LockedSum { file: Some(file.clone()), ..sum.clone() });
            joined.push((*at, named.collect::<Vec<_>>()));
        }
    }
    for (at, sums) in joined {
        wanted[at].sums.extend(sums);
    }
    wanted.retain(|one| !matches!(&one.thing, Thing::Path(path) if whole.contains_key(path)));
    Lockfile { wanted, passed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_wanted_whole_or_its_go_mod_alone() {
        let sum = format!("h1:{}", STANDARD.encode([7; 32]));
        let text = format!(
            "example.com/Acme/a v1.0.0 {sum}\nexample.com/Acme/a v1.0.0/go.mod {sum}\n\nexample.com/b v0.2.0/go.mod {sum}\n"
        );
        let file = read("go.sum", text.as_bytes()).expect("a lockfile").expect("it is read");
        let [whole, alone] = file.wanted.as_slice() else { panic!("{file:?}") };
        let a = Thing::Package { name: "example.com/Acme/a".to_owned(), version: Some("v1.0.0".to_owned()) };
        assert_eq!((&whole.thing, whole.sums[0].file.as_deref()), (&a, Some("v1.0.0.mod")));
        assert_eq!(alone.thing, Thing::Path("example.com/b/@v/v0.2.0.mod".to_owned()));
        assert_eq!((whole.sums.len(), alone.sums.len(), alone.sums[0].kind), (1, 1, SumKind::Listed("go.mod")));
    }

    #[test]
    fn lines_that_are_none_are_refused() {
        for odd in ["a", "example.com/a v1", "example.com/a v1 h1:x", "example.com/a v2.0.0 h1:x", "a\0b v1.0.0 h1:x"] {
            assert!(read("go.sum", odd.as_bytes()).is_some_and(|read| read.is_err()), "{odd}");
        }
        assert!(read("go.mod", b"").is_none());
    }
}
