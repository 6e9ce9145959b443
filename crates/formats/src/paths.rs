//! Paths of an archive's members, of which no two may be one on any file system.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

/// What some file system would take for one path, and whether it is a folder; what lies in a folder comes right behind
/// it. Folders above members are not entered: a thousand may stand in one path.
#[derive(Debug, Default)]
pub(crate) struct Paths(BTreeMap<String, bool>);

impl Paths {
    /// Takes a member's path, without control characters. Refused with the reason where one path would be a file and
    /// something else; only folders may come again.
    pub(crate) fn enter(&mut self, path: &str, folder: bool) -> Result<(), &'static str> {
        // Nothing comes before this character, and no path has it.
        let own = model::path_twin(path.trim_end_matches('/')).replace('/', "\0");
        let lies_in = |path: &str, file: &str| path.strip_prefix(file).is_some_and(|rest| rest.starts_with('\0'));
        let before = self.0.range::<str, _>((Unbounded, Excluded(own.as_str()))).next_back();
        let behind = self.0.range::<str, _>((Excluded(own.as_str()), Unbounded)).next();
        let in_file = before.is_some_and(|(before, folder)| !folder && lies_in(&own, before));
        if in_file || (!folder && behind.is_some_and(|(behind, _)| lies_in(behind, &own))) {
            return Err("collides with a file or a folder of the same name, at least where case is ignored");
        }
        match self.0.insert(own, folder) {
            Some(before) if !(before && folder) => {
                Err("collides with another path: it is there twice, at least where case is ignored")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_path_is_one_thing_on_every_file_system() {
        for (one, other) in [
            ("a", "A"),
            ("a", "a/"),
            ("a/b", "a"),
            ("a", "a/b/c"),
            ("A", "a/b"),
            ("A/b/", "a/B"),
            ("caf\u{e9}", "cafe\u{301}"),
            ("x/\u{e9}/y", "X/e\u{301}"),
        ] {
            let taken = |order: [&str; 2]| {
                let mut paths = Paths::default();
                order.iter().all(|path| paths.enter(path, path.ends_with('/')).is_ok())
            };
            assert!(!taken([one, other]) && !taken([other, one]), "{one} {other}");
        }
    }

    #[test]
    fn paths_that_only_begin_alike_and_folders_that_come_again_are_taken() {
        let names =
            ["src!", "src", "src-a/b", "src.rs", "a/src/b", "a/", "a/src/", "a/src/c", "A/", "a/src.d", "a/src d/e"];
        for turn in 0..names.len() {
            let mut paths = Paths::default();
            for name in names.iter().cycle().skip(turn).take(names.len()) {
                assert_eq!(paths.enter(name, name.ends_with('/')), Ok(()), "{turn}: {name}");
            }
        }
    }
}
