//! Where a download goes: never outside the folder that was named.

use std::fs;
use std::path::{Path, PathBuf};

use model::{EntryPath, Sha256Digest};

use super::super::failure::Failure;

/// The place of one download.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Where the file gets its name.
    pub(super) path: PathBuf,
}

impl Target {
    /// `output` itself, or `name` inside it when it is a folder.
    pub(super) fn file(output: Option<&Path>, name: &str) -> Self {
        let path = match output {
            None => PathBuf::from(name),
            Some(output) if output.is_dir() || output.as_os_str().as_encoded_bytes().ends_with(b"/") => {
                output.join(name)
            }
            Some(output) => output.to_owned(),
        };
        Self { path }
    }

    /// `relative` below `root`. A link on the way could lead outside: refused.
    pub(super) fn inside(root: &Path, relative: &EntryPath) -> Result<Self, Failure> {
        let mut path = root.to_owned();
        let mut segments = relative.segments().peekable();
        while let Some(segment) = segments.next() {
            path.push(segment);
            let is_link = fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink());
            if is_link && segments.peek().is_some() {
                return Err(Failure::new(format!("'{}' is a link and could lead elsewhere", path.display())));
            }
        }
        Ok(Self { path })
    }

    /// Where the bytes gather until they are verified; one name for each content, so that it can be resumed.
    pub(super) fn partial(&self, digest: Sha256Digest) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let short: String = name.chars().take(40).collect();
        self.path.with_file_name(format!(".{short}.{}.part", &digest.hex()[..32]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_on_the_way_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = EntryPath::parse("sub/file").expect("valid");
        assert!(Target::inside(folder.path(), &path).is_ok());
        std::os::unix::fs::symlink("/tmp", folder.path().join("sub")).expect("linked");
        assert!(Target::inside(folder.path(), &path).is_err());
    }

    #[test]
    fn a_folder_keeps_the_name() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Target::file(Some(folder.path()), "a").path, folder.path().join("a"));
        assert_eq!(Target::file(Some(&folder.path().join("b")), "a").path, folder.path().join("b"));
        assert_eq!(Target::file(Some(Path::new("new/")), "a").path, Path::new("new/a"));
        assert_eq!(Target::file(None, "a").path, Path::new("a"));
    }
}
