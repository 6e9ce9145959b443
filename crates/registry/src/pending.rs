//! Placeholder until branch versions lands.
use crate::{Admin, Error, Grant, Promote, Read, Result};
use model::{EntryPath, Sha256Digest, Timestamp};
/// Kind.
#[derive(Clone, Copy, Debug)]
pub enum ChildKind {
    /// f
    File,
    /// d
    Folder,
}
/// Child.
#[derive(Clone, Debug)]
pub struct Child {
    /// n
    pub name: String,
    /// p
    pub path: String,
    /// k
    pub kind: ChildKind,
    /// s
    pub size: Option<u64>,
    /// d
    pub sha256: Option<Sha256Digest>,
    /// m
    pub modified_at: Option<Timestamp>,
}
impl Child {
    /// c
    pub fn cursor(&self) -> String {
        self.name.clone()
    }
}
impl Grant<Read> {
    /// l
    pub async fn list_folder(&self, _f: Option<&EntryPath>, _a: Option<&str>, _l: u32) -> Result<Vec<Child>> {
        Err(Error::Defect("pending".into()))
    }
}
impl Grant<Promote> {
    /// w
    pub async fn withdraw(&self, _p: &EntryPath) -> Result<()> {
        Err(Error::Defect("pending".into()))
    }
}
impl Grant<Admin> {
    /// r
    pub async fn retire_with_contents(&self) -> Result<()> {
        Err(Error::Defect("pending".into()))
    }
}
