//! Handing in by our own program, where a format has no client that publishes: an archive goes where its
//! content says, a folder is packed first.

use std::io::{self, Read, Write};

use model::{EntryPath, Refusal};

use crate::ReadSeek;

/// How packages of a format are packed and handed in.
pub trait Packing: Sync {
    /// The path in the repository that takes an archive of `length` bytes, from what is in it.
    fn place(&self, archive: &mut dyn ReadSeek, length: u64) -> Result<EntryPath, Refusal>;

    /// Whether a folder inside the package's is looked into. Paths are relative, with `/`.
    fn enters(&self, folder: &str) -> bool;

    /// Writes the archive of the package that a folder holds; `version`: as its publisher names it.
    fn pack(&self, folder: &mut dyn Folder, version: Option<&str>, out: &mut dyn Write) -> Result<(), Refusal>;
}

/// A folder on the publisher's machine.
pub trait Folder {
    /// Its plain files, those in folders that were not entered left out.
    fn files(&self) -> &[FolderFile];

    /// The bytes of a file, by its number.
    fn open(&mut self, number: usize) -> io::Result<Box<dyn Read>>;
}

/// A plain file in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderFile {
    /// Its path in the folder, with `/`.
    pub path: String,
    /// Its length in bytes when it was looked at.
    pub size: u64,
}
