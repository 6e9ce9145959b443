//! Drafts: begun, filled, emptied.

use std::collections::HashMap;

use formats::Format;
use model::{EntryPath, PackageName, Sha256Digest, VersionId, VersionName};
use serde_json::Value as Json;
use store::entries::{NewEntry, PutEntries, RemoveEntry};
use store::manifests::PutManifest;
use store::packages::Coordinate;
use store::repositories::Repository;
use store::versions::{CreateDraft, Drafted, Version};

use crate::authorize::{Grant, Write};
use crate::error::{Error, Result};

/// Entries in one request, at most.
const BATCH: usize = 1000;
/// The longest manifest, in bytes.
const MANIFEST: usize = 1 << 20;

/// A version to be begun.
#[derive(Clone, Debug)]
pub struct NewDraft {
    /// The repository's format, said again so that a mix-up is noticed.
    pub package_type: String,
    /// The namespace; empty where the format has none.
    pub namespace: String,
    /// The package's name, as people write it.
    pub name: PackageName,
    /// The version's name.
    pub version: VersionName,
}

/// An entry as the publisher declares it.
#[derive(Clone, Debug)]
pub struct DeclaredEntry {
    /// Its path in the version.
    pub path: EntryPath,
    /// The blob, uploaded to this repository before.
    pub digest: Sha256Digest,
    /// Its length; must be the blob's.
    pub size: u64,
    /// The SHA-1 of the content: kept as declared, not verified.
    pub sha1: Option<[u8; 20]>,
    /// The SHA-256 of the content: must be the digest.
    pub sha256: Option<Sha256Digest>,
    /// The media type, for downloads.
    pub media_type: Option<String>,
}

/// The format of a repository.
pub(crate) fn format_of(repo: &Repository) -> Result<&'static dyn Format> {
    formats::by_key(&repo.format).ok_or_else(|| Error::Defect(format!("the format {} is unknown", repo.format)))
}

impl Grant<Write> {
    /// Begins a version, or finds the draft that was begun before. 409 once it was published or withdrawn.
    pub async fn create_draft(&self, new: NewDraft) -> Result<Drafted> {
        let format = format_of(self.repo())?;
        if new.package_type != format.key() {
            let why = format!("packageType must be {}, the format of the repository", format.key());
            return Err(Error::bad_request(why));
        }
        self.expect_takes_drafts()?;
        if !new.namespace.is_empty() {
            if !format.has_namespaces() {
                return Err(Error::bad_request(format!("packages of the format {} have no namespace", format.key())));
            }
            PackageName::parse(&new.namespace)?;
        }
        // What no file of it could be reached by is refused before the first file.
        let any = EntryPath::parse("a")?;
        format.location(&new.name, &new.version, &any)?;
        let package = Coordinate {
            kind: new.package_type,
            namespace: new.namespace,
            name: format.normalise(&new.name),
            display_name: new.name.as_str().to_owned(),
        };
        let write = CreateDraft {
            act: self.act(),
            repo: self.repo_id(),
            package,
            new_package: self.ambient().id(),
            id: self.ambient().id(),
            version: new.version,
        };
        Ok(self.store().write(write).await?)
    }

    /// Refuses where nobody would look into what is put together: packages come in through the format's own
    /// protocol alone, and drafts are versions whose files are being gathered.
    pub(super) fn expect_takes_drafts(&self) -> Result<()> {
        let format = format_of(self.repo())?;
        if format.takes_drafts() {
            return Ok(());
        }
        let why = format!("packages of the format {} come in through their own protocol alone", format.key());
        Err(Error::bad_request(why))
    }

    /// Puts entries into a draft, all or none; an entry with the same path is replaced. Returns how
    /// many the draft has then. 400 when a path is named twice or a checksum contradicts the
    /// digest; 409 when a blob was not uploaded here, has another length, or two paths would be one
    /// on some file system.
    pub async fn put_entries(&self, id: VersionId, entries: Vec<DeclaredEntry>) -> Result<u64> {
        self.expect_takes_drafts()?;
        check_entries(&entries)?;
        let version = self.find_version(id).await?;
        let entries = entries.into_iter().map(|entry| self.entry(&version, entry)).collect::<Result<_>>()?;
        let write = PutEntries { act: self.act(), repo: self.repo_id(), version: id, entries };
        Ok(self.store().write(write).await?)
    }

    fn entry(&self, version: &Version, entry: DeclaredEntry) -> Result<NewEntry> {
        let format = format_of(self.repo())?;
        let (package, name) = (PackageName::parse(&version.at.display_name)?, VersionName::parse(&version.version)?);
        Ok(NewEntry {
            location: format.location(&package, &name, &entry.path)?,
            path: entry.path,
            digest: entry.digest,
            size: entry.size,
            sha1: entry.sha1.map(Vec::from),
            media_type: entry.media_type,
        })
    }

    /// Takes an entry out of a draft. 404 when there is none.
    pub async fn remove_entry(&self, id: VersionId, path: EntryPath) -> Result<()> {
        self.expect_takes_drafts()?;
        Ok(self.store().write(RemoveEntry { act: self.act(), repo: self.repo_id(), version: id, path }).await?)
    }

    /// Gives a draft its manifest: a JSON object of at most 1 MiB, kept as it came. 409 when `blob`
    /// was not uploaded here.
    pub async fn put_manifest(&self, id: VersionId, body: String, blob: Option<Sha256Digest>) -> Result<()> {
        self.expect_takes_drafts()?;
        check_manifest(&body)?;
        Ok(self.store().write(PutManifest { act: self.act(), repo: self.repo_id(), version: id, body, blob }).await?)
    }
}

fn check_entries(entries: &[DeclaredEntry]) -> Result<()> {
    if entries.is_empty() || entries.len() > BATCH {
        return Err(Error::bad_request(format!("entries must have 1 to {BATCH} members")));
    }
    let mut twins: HashMap<String, &EntryPath> = HashMap::new();
    for entry in entries {
        if let Some(other) = twins.insert(entry.path.twin(), &entry.path) {
            let why = format!("the paths {other} and {} are one, at least on some file systems", entry.path);
            return Err(Error::bad_request(why));
        }
        if entry.sha256.is_some_and(|sha256| sha256 != entry.digest) {
            return Err(Error::bad_request(format!("checksumSha256 of {} is not its blobDigest", entry.path)));
        }
        if entry.media_type.as_ref().is_some_and(|kind| kind.len() > 255 || kind.chars().any(char::is_control)) {
            return Err(Error::bad_request(format!("the media type of {} is not well-formed", entry.path)));
        }
    }
    Ok(())
}

fn check_manifest(body: &str) -> Result<()> {
    if body.len() > MANIFEST {
        return Err(blobs::Error::TooLong { limit: MANIFEST as u64 }.into());
    }
    match serde_json::from_str(body) {
        Ok(Json::Object(_)) => Ok(()),
        _ => Err(Error::bad_request("manifest must be a JSON object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_objects_within_bounds() {
        assert!(check_manifest("{}").is_ok());
        for bad in ["", "[]", "1", "{", "null"] {
            assert!(check_manifest(bad).is_err(), "{bad}");
        }
        assert!(check_manifest(&format!("{{\"a\": \"{}\"}}", "x".repeat(MANIFEST))).is_err());
    }
}
