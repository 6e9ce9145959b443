//! Which files go where.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use model::EntryPath;

use super::super::failure::Failure;
use crate::console::Console;

/// The deepest folder that is looked into.
const DEPTH: usize = 128;

/// One file to push.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    /// Where it is.
    pub(super) source: PathBuf,
    /// Where it goes.
    pub(super) path: EntryPath,
    /// Its length when it was looked at.
    pub(super) size: u64,
}

/// Finds the files below `paths`, in the order of their destinations. Two for one destination are refused.
pub(super) fn plan(paths: &[PathBuf], prefix: &str, console: &Console) -> Result<Vec<Planned>, Failure> {
    let mut plan = Plan { found: BTreeMap::new(), console };
    let prefix = prefix.trim_matches('/');
    for path in paths {
        let unreadable = |error| Failure::usage(format!("cannot read '{}': {error}", path.display()));
        let metadata = fs::metadata(path).map_err(unreadable)?;
        if metadata.is_dir() {
            plan.folder(path, prefix, 0)?;
        } else {
            let name = path.file_name().ok_or_else(|| Failure::usage(format!("'{}' has no name", path.display())))?;
            plan.file(path, &join(prefix, text(path, name)?), metadata.len())?;
        }
    }
    if plan.found.is_empty() {
        return Err(Failure::usage("there is no file to push"));
    }
    Ok(plan.found.into_values().collect())
}

struct Plan<'a> {
    found: BTreeMap<String, Planned>,
    console: &'a Console,
}

impl Plan<'_> {
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), Failure> {
        let unreadable = |error| Failure::new(format!("cannot read '{}': {error}", folder.display()));
        if depth > DEPTH {
            return Err(Failure::usage(format!("'{}' lies too deep", folder.display())));
        }
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let path = entry.path();
            let kind = entry.file_type().map_err(unreadable)?;
            let inside = join(prefix, text(&path, &entry.file_name())?);
            if kind.is_dir() {
                self.folder(&path, &inside, depth + 1)?;
            } else if kind.is_file() {
                self.file(&path, &inside, entry.metadata().map_err(unreadable)?.len())?;
            } else {
                self.console.complain(&format!("artifortress: '{}' is no plain file: skipped", path.display()));
            }
        }
        Ok(())
    }

    fn file(&mut self, source: &Path, path: &str, size: u64) -> Result<(), Failure> {
        let refused = |error| Failure::usage(format!("'{}' cannot be pushed: {error}", source.display()));
        let path = EntryPath::parse(path).map_err(refused)?;
        let planned = Planned { source: source.to_owned(), path, size };
        match self.found.insert(planned.path.as_str().to_owned(), planned) {
            None => Ok(()),
            Some(other) => {
                let both = format!("'{}' and '{}'", other.source.display(), source.display());
                Err(Failure::usage(format!("{both} would both go to '{}'", other.path)))
            }
        }
    }
}

fn text<'a>(path: &Path, name: &'a std::ffi::OsStr) -> Result<&'a str, Failure> {
    name.to_str().ok_or_else(|| Failure::usage(format!("the name of '{}' is not UTF-8", path.display())))
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(paths: &[PathBuf], prefix: &str) -> Result<Vec<String>, Failure> {
        let (console, _, _) = Console::recorded("");
        let plan = plan(paths, prefix, &console)?;
        Ok(plan.iter().map(|planned| planned.path.to_string()).collect())
    }

    #[test]
    fn folders_give_their_content_and_links_are_skipped() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        fs::create_dir(root.join("sub")).expect("made");
        fs::write(root.join("sub/b"), "b").expect("written");
        fs::write(root.join("a"), "a").expect("written");
        std::os::unix::fs::symlink("/etc/passwd", root.join("link")).expect("linked");
        assert_eq!(planned(&[root.to_owned()], "/x/"), Ok(vec!["x/a".to_owned(), "x/sub/b".to_owned()]));
        assert_eq!(planned(&[root.join("sub/b")], ""), Ok(vec!["b".to_owned()]));
    }

    #[test]
    fn what_cannot_be_stored_is_refused_before_anything_is_sent() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        fs::write(root.join("con.txt"), "x").expect("written");
        fs::write(root.join("a"), "x").expect("written");
        assert!(planned(&[root.to_owned()], "").expect_err("refused").message.contains("con.txt"));
        let twice = planned(&[root.join("a"), root.join("a")], "").expect_err("refused");
        assert!(twice.message.contains("both go to 'a'"), "{}", twice.message);
        assert!(planned(&[root.join("none")], "").is_err());
        assert!(planned(&[root.join("a")], "../up").is_err());
    }
}
