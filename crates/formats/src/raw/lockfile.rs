//! A list of paths, one in a line.

use model::EntryPath;

use crate::lockfile::text;
use crate::{Locked, Lockfile, Unreadable};

pub(super) fn read(name: &str, bytes: &[u8]) -> Option<Result<Lockfile, Unreadable>> {
    name.ends_with(".txt").then(|| text(bytes).and_then(whole))
}

fn whole(text: &str) -> Result<Lockfile, Unreadable> {
    let mut file = Lockfile::default();
    for (number, line) in text.lines().enumerate() {
        let path = line.trim().trim_start_matches('/');
        if path.is_empty() || path.starts_with('#') {
            continue;
        }
        let path = EntryPath::parse(path);
        let path = path.map_err(|why| Unreadable(format!("line {} is no path: {why}", number + 1)))?;
        file.add(Locked::path(path.as_str()))?;
    }
    Ok(file.once())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Thing;

    #[test]
    fn lines_are_paths() {
        let file =
            read("paths.txt", b"# tools\n/a/b.zip\n\n a/c d.txt \na/b.zip\n").expect("a list").expect("it is read");
        let paths: Vec<_> = file.wanted.iter().map(|one| one.thing.clone()).collect();
        assert_eq!(paths, ["a/b.zip", "a/c d.txt"].map(|path| Thing::Path(path.to_owned())));
        assert!(read("paths.txt", b"a/../b").is_some_and(|read| read.is_err()));
        assert!(read("paths.json", b"").is_none());
    }
}
