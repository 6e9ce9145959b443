//! The archive of a module from its folder, as the go command would make it.
//!
//! Source: the Go Modules Reference, "Module zip files", and the rules of `golang.org/x/mod/zip`.

use std::collections::HashSet;
use std::io::{Read as _, Write};

use model::{Code, EntryPath, Refusal};

use super::archive::{LARGEST, LARGEST_TEXT, LIMITS, contradiction, too_large};
use super::modfile;
use super::names::{check_file, check_module, check_pair};
use super::tree::Tree;
use super::version::Version;
use super::{Go, ZIP, location};
use crate::zip;
use crate::zipping::Zipping;
use crate::{Folder, Packing, ReadSeek};

/// Where version control keeps its own things.
const VERSION_CONTROL: [&str; 4] = [".bzr", ".git", ".hg", ".svn"];

impl Packing for Go {
    fn place(&self, archive: &mut dyn ReadSeek, length: u64) -> Result<EntryPath, Refusal> {
        let members = zip::members(archive, length, &LIMITS)?;
        let first = members.first().ok_or_else(|| contradiction("the archive has no files"))?;
        let named = first.name.split_once('@').and_then(|(path, rest)| Some((path, rest.split_once('/')?.0)));
        let (path, version) = named.ok_or_else(|| {
            let name = first.name.escape_debug();
            contradiction(format!(
                "{name} in the archive lies outside <module>@<version>/, where files of a module are"
            ))
        })?;
        place(path, version)
    }

    fn enters(&self, folder: &str) -> bool {
        !VERSION_CONTROL.contains(&folder.rsplit('/').next().unwrap_or_default())
    }

    fn pack(&self, folder: &mut dyn Folder, version: Option<&str>, out: &mut dyn Write) -> Result<(), Refusal> {
        let version = version.ok_or_else(|| malformed("a folder does not say its version: name it, as v1.2.3"))?;
        let unread = |error: std::io::Error| malformed(format!("the folder cannot be read: {error}"));
        let Some(number) = folder.files().iter().position(|file| file.path == "go.mod") else {
            return Err(malformed("the folder has no go.mod, which says what the module is called"));
        };
        let mut text = Vec::new();
        folder.open(number).map_err(unread)?.take(LARGEST_TEXT + 1).read_to_end(&mut text).map_err(unread)?;
        let stated = modfile::read(&text).map_err(|why| contradiction(format!("go.mod {why}")))?;
        place(&stated.module, version)?;
        let chosen = chosen(folder, is_strict(stated.go.as_deref()))?;
        let mut zipping = Zipping::new(out);
        for (number, path) in chosen {
            let mut content = folder.open(number).map_err(unread)?.take(LARGEST + 1);
            zipping.file(&format!("{}@{version}/{path}", stated.module), &mut content).map_err(unread)?;
        }
        zipping.finish().map(drop).map_err(unread)
    }
}

fn place(path: &str, version: &str) -> Result<EntryPath, Refusal> {
    check_module(path).map_err(|why| contradiction(format!("the module path {} {why}", path.escape_debug())))?;
    let known = Version::parse(version).ok_or_else(|| {
        let why = "is not a canonical version: write it as v1.2.3, v1.2.3-rc.1 or v2.3.4+incompatible";
        contradiction(format!("{} {why}", version.escape_debug()))
    })?;
    check_pair(path, &known).map_err(contradiction)?;
    location(path, version, ZIP).map_err(|error| contradiction(error.to_string()))
}

/// The files that belong to the module, by number and path.
fn chosen(folder: &dyn Folder, strict: bool) -> Result<Vec<(usize, String)>, Refusal> {
    let files = folder.files();
    let modules: HashSet<&str> = files.iter().filter_map(|file| below(&file.path)).collect();
    let (mut tree, mut chosen, mut size) = (Tree::default(), Vec::new(), 0u64);
    for (number, file) in files.iter().enumerate() {
        let path = file.path.as_str();
        let elsewhere = path.match_indices('/').any(|(at, _)| path.get(..at).is_some_and(|dir| modules.contains(dir)));
        if elsewhere || path == ".hg_archival.txt" || is_vendored(path, strict) {
            continue;
        }
        let named = |why: &str| contradiction(format!("{} {why}", path.escape_debug()));
        check_file(path).map_err(|why| named(&why))?;
        tree.add(path, false).map_err(|why| named(&why))?;
        if path != "go.mod" && path.eq_ignore_ascii_case("go.mod") {
            return Err(named("must be called go.mod"));
        }
        if matches!(path, "go.mod" | "LICENSE") && file.size > LARGEST_TEXT {
            return Err(Refusal::new(Code::PayloadTooLarge, named("has more than 16 MiB").detail));
        }
        size = size.saturating_add(file.size);
        chosen.push((number, file.path.clone()));
    }
    if size > LARGEST { Err(too_large()) } else { Ok(chosen) }
}

/// The folder that a `go.mod` makes another module.
fn below(path: &str) -> Option<&str> {
    let (folder, name) = path.rsplit_once('/')?;
    name.eq_ignore_ascii_case("go.mod").then_some(folder)
}

/// Whether the language is of the version 1.24 or later, since which vendored packages are told right.
fn is_strict(go: Option<&str>) -> bool {
    let mut numbers = go.unwrap_or_default().split('.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).map_or(part, |end| part.get(..end).unwrap_or_default());
        digits.parse::<u32>().unwrap_or_default()
    });
    (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()) >= (1, 24)
}

/// Whether a file belongs to a package that was copied in. Before 1.24 a count was wrong, which the sums
/// of old modules keep: see golang.org/issue/37397.
fn is_vendored(path: &str, strict: bool) -> bool {
    if strict && path == "vendor/modules.txt" {
        return true;
    }
    const MARK: &str = "/vendor/";
    let from = if path.starts_with("vendor/") {
        "vendor/".len()
    } else {
        match path.find(MARK) {
            Some(at) if strict => at + MARK.len(),
            Some(_) => MARK.len(),
            None => return false,
        }
    };
    path.as_bytes().iter().skip(from).any(|byte| *byte == b'/')
}

fn malformed(why: impl Into<String>) -> Refusal {
    Refusal::new(Code::BadRequest, why.into())
}

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor, Read};

    use super::*;
    use crate::FolderFile;

    struct Held(Vec<FolderFile>, Vec<Vec<u8>>);

    impl Folder for Held {
        fn files(&self) -> &[FolderFile] {
            &self.0
        }

        fn open(&mut self, number: usize) -> io::Result<Box<dyn Read>> {
            Ok(Box::new(Cursor::new(self.1[number].clone())))
        }
    }

    fn folder(files: &[(&str, &str)]) -> Held {
        let told = files.iter().map(|(path, text)| FolderFile { path: (*path).to_owned(), size: text.len() as u64 });
        Held(told.collect(), files.iter().map(|(_, text)| text.as_bytes().to_vec()).collect())
    }

    fn packed(files: &[(&str, &str)], version: &str) -> Result<Vec<String>, String> {
        let mut archive = Vec::new();
        Go.pack(&mut folder(files), Some(version), &mut archive).map_err(|refusal| refusal.detail)?;
        let length = archive.len() as u64;
        let mut archive = Cursor::new(archive);
        let members = zip::members(&mut archive, length, &LIMITS).expect("an archive");
        let place = Go.place(&mut archive, length).expect("a place");
        Ok([place.as_str().to_owned()].into_iter().chain(members.into_iter().map(|member| member.name)).collect())
    }

    #[test]
    fn a_folder_becomes_the_archive_that_the_go_command_would_make() {
        let files = [
            (".hg_archival.txt", ""),
            (".github/x.yml", ""),
            ("LICENSE", ""),
            ("a.go", ""),
            ("b/vendor/c.go", ""),
            ("b/vendor/d/e.go", ""),
            ("go.mod", "module example.com/A\ngo 1.21\n"),
            ("other/go.mod", "module x"),
            ("other/deep/x.go", ""),
            ("vendor/modules.txt", ""),
            ("vendor/x.y/z.go", ""),
        ];
        let strip = |names: Vec<String>| -> Vec<String> {
            names.iter().map(|name| name.trim_start_matches("example.com/A@v1.0.0/").to_owned()).collect()
        };
        let old = strip(packed(&files, "v1.0.0").expect("packed"));
        let place = "example.com/!a/@v/v1.0.0.zip";
        assert_eq!(old, [place, ".github/x.yml", "LICENSE", "a.go", "go.mod", "vendor/modules.txt"]);
        let files = files
            .map(|(path, text)| (path, if path == "go.mod" { "module example.com/A\ngo 1.24rc1\n" } else { text }));
        let new = strip(packed(&files, "v1.0.0").expect("packed"));
        assert_eq!(new, [place, ".github/x.yml", "LICENSE", "a.go", "b/vendor/c.go", "go.mod"]);
    }

    #[test]
    fn what_cannot_be_a_module_is_refused_before_it_is_sent() {
        let own = ("go.mod", "module example.com/a\n");
        for (files, version, why) in [
            (vec![("a.go", "")], "v1.0.0", "no go.mod"),
            (vec![own], "1.0.0", "not a canonical version"),
            (vec![own], "v2.0.0", "example.com/a/v2"),
            (vec![("go.mod", "module a\n")], "v1.0.0", "no dot"),
            (vec![own, ("x", ""), ("X", "")], "v1.0.0", "collides"),
            (vec![own, ("a:b", "")], "v1.0.0", "':'"),
            (vec![own, ("GO.MOD", "")], "v1.0.0", "collides"),
        ] {
            let told = packed(&files, version).expect_err(why);
            assert!(told.contains(why), "{told}");
        }
        let nameless = Go.pack(&mut folder(&[own]), None, &mut Vec::new()).expect_err("refused");
        assert!(nameless.detail.contains("v1.2.3"));
    }
}
