//! A manifest comes in.

use std::io::Read as _;

use bytes::Bytes;
use model::{Code, EntryPath, NameError, RefName, Refusal, VersionName};

use super::manifest::{Held, Kept, LONGEST, Manifest, invalid, unreadable};
use super::{ImageAt, Reference};
use crate::{Answer, Intake, Named, NewFile, PackageAt, Piece, Plan, Release, ReleaseFile, Source, StagedFile, Wanted};

/// The entry of a version that holds the manifest's bytes.
pub const MANIFEST: &str = "manifest";

/// A manifest under way.
#[derive(Debug)]
pub struct Push {
    /// The image.
    pub at: ImageAt,
    /// What it is pushed as.
    pub reference: Reference,
    /// Tags that it shall get beside that.
    pub tags: Vec<RefName>,
    /// The request's `Content-Type`; empty if there is none.
    pub content_type: String,
    /// Bytes so far; `None` before the first.
    taken: Option<usize>,
}

impl Push {
    /// A manifest of `at` to be pushed as `reference`.
    pub fn new(at: ImageAt, reference: Reference, tags: Vec<RefName>, content_type: &str) -> Self {
        Self { at, reference, tags, content_type: content_type.to_owned(), taken: None }
    }

    fn begin(&mut self, out: &mut Vec<Piece>) -> usize {
        if let Some(taken) = self.taken {
            return taken;
        }
        let (sha256, sha512) = match &self.reference {
            Reference::Digest(Named::Sha256(digest)) => (Some(*digest), false),
            Reference::Digest(Named::Sha512(_)) => (None, true),
            Reference::Tag(_) => (None, false),
        };
        let sums = Wanted { sha512, ..Wanted::default() };
        out.push(Piece::Begin(NewFile { sums, sha256, length: None }));
        0
    }
}

impl Intake for Push {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        let taken = self.begin(out) + bytes.len();
        if taken > LONGEST {
            return Err(Refusal::new(Code::PayloadTooLarge, format!("a manifest may have at most {LONGEST} bytes")));
        }
        self.taken = Some(taken);
        out.push(Piece::Bytes(bytes));
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        self.taken = Some(self.begin(out));
        out.push(Piece::End);
        Ok(())
    }

    fn plan(self: Box<Self>, files: &mut [StagedFile]) -> Result<Plan, Refusal> {
        let [file] = files else { return Err(invalid("there must be one manifest")) };
        let mut bytes = Vec::new();
        let read = file.bytes.by_ref().take(LONGEST as u64 + 1).read_to_end(&mut bytes);
        read.map_err(unreadable)?;
        let manifest = Manifest::parse(&bytes, &self.content_type)?;
        let named = self.named(file)?;
        let kept = Kept::of(&manifest, file.length);
        let own = Own { source: Source::Staged(0), media_type: manifest.media_type.clone() };
        let mut refs: Vec<RefName> = self.tags.clone();
        if let Reference::Tag(tag) = &self.reference {
            refs.push(tag.clone());
        }
        refs.sort();
        refs.dedup();
        let release = Release {
            package: PackageAt::named(self.at.name.as_str()),
            display: self.at.name.as_str().to_owned(),
            exact_name: false,
            version: VersionName::parse(&named.to_string()).map_err(malformed)?,
            files: files_of(self.at.name.as_str(), &named, own, &manifest.blobs).map_err(malformed)?,
            manifest: serde_json::to_string(&kept).map_err(|error| invalid(error.to_string()))?,
            subject: kept.subject.clone(),
            refs,
            joins: false,
            again: true,
        };
        Ok(Plan { release: Some(release), answer: self.answer(&manifest, &named), ..Plan::default() })
    }
}

impl Push {
    /// The digest that names the manifest: the one that it was pushed by, else SHA-256.
    fn named(&self, file: &StagedFile) -> Result<Named, Refusal> {
        match &self.reference {
            Reference::Digest(Named::Sha512(wanted)) if file.sums.sha512 != Some(*wanted) => {
                let why = "the manifest does not have the digest that it is pushed by";
                Err(Refusal::new(Code::UploadVerificationFailed, why))
            }
            Reference::Digest(named @ Named::Sha512(_)) => Ok(*named),
            _ => Ok(Named::Sha256(file.sha256)),
        }
    }

    fn answer(&self, manifest: &Manifest, named: &Named) -> Answer {
        let mut headers = vec![
            ("location", format!("/v2/{}/manifests/{named}", self.at)),
            ("docker-content-digest", named.to_string()),
        ];
        headers.extend(manifest.subject.map(|subject| ("oci-subject", subject.to_string())));
        headers.extend(self.tags.iter().map(|tag| ("oci-tag", tag.to_string())));
        Answer { status: 201, headers, ..Answer::default() }
    }
}

/// The bytes of a manifest itself.
pub(super) struct Own {
    pub(super) source: Source,
    pub(super) media_type: String,
}

/// The files of a manifest: its own bytes, and its blobs.
pub(super) fn files_of(name: &str, named: &Named, own: Own, blobs: &[Held]) -> Result<Vec<ReleaseFile>, NameError> {
    let location = place(name, named)?;
    let mut files = vec![ReleaseFile {
        path: EntryPath::parse(MANIFEST)?,
        location: location.clone(),
        source: own.source,
        media_type: Some(own.media_type),
        attributes: None,
    }];
    for blob in blobs {
        let path = format!("blobs/{}/{}", blob.content.algorithm(), blob.content.hex());
        files.push(ReleaseFile {
            location: EntryPath::parse(&format!("{location}/{path}"))?,
            path: EntryPath::parse(&path)?,
            source: Source::Held { content: blob.content, size: blob.size, required: blob.required },
            media_type: Some(blob.media_type.clone()),
            attributes: None,
        });
    }
    Ok(files)
}

/// The path in the repository of a manifest.
pub fn location(at: &ImageAt, named: &Named) -> Result<EntryPath, NameError> {
    place(at.name.as_str(), named)
}

pub(super) fn place(name: &str, named: &Named) -> Result<EntryPath, NameError> {
    EntryPath::parse(&[name, "/manifests/", named.algorithm(), "/", &named.hex()].concat())
}

fn malformed(error: NameError) -> Refusal {
    Refusal::new(Code::BadRequest, error.to_string())
}
