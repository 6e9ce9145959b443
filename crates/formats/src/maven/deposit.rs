//! What clients put: files, checksums of files, and indexes that we make ourselves.

use std::io::Read as _;
use std::sync::Arc;

use bytes::Bytes;
use model::digest::unhex;
use model::line::Line;
use model::{Code, EntryPath, RefName, Refusal, VersionName};
use serde_json::{Map, Value as Json};

use super::builds::Builds;
use super::layout::{Stored, manifest};
use super::{PLUGIN, module, plugin, pom};
use crate::{
    Algorithm, Answer, Claim, Intake, NewFile, PackageAt, Piece, Plan, Release, ReleaseFile, Source, StagedFile, Wanted,
};

/// The longest checksum file and the longest index that is taken, in bytes.
const CHECKSUM: usize = 1 << 10;
const INDEX: usize = 32 << 20;
/// The longest text of a POM that lists show, in characters.
const SHOWN: usize = 500;

fn created() -> Answer {
    Answer { status: 201, ..Answer::default() }
}

/// A file on its way in.
#[derive(Debug)]
pub(super) struct File {
    stored: Stored,
    package: PackageAt,
    begun: bool,
}

impl File {
    pub(super) fn new(stored: Stored) -> Self {
        let package = PackageAt { namespace: stored.group.clone(), name: stored.artifact.clone() };
        Self { stored, package, begun: false }
    }

    fn begin(&mut self, out: &mut Vec<Piece>) {
        if !self.begun {
            self.begun = true;
            let sums = Wanted { md5: true, sha1: true, sha512: true, ..Wanted::default() };
            out.push(Piece::Begin(NewFile { sums, ..NewFile::default() }));
        }
    }
}

impl Intake for File {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        self.begin(out);
        out.push(Piece::Bytes(bytes));
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        self.begin(out);
        out.push(Piece::End);
        Ok(())
    }

    fn belongs_to(&self) -> Option<(&PackageAt, &str)> {
        Some((&self.package, &self.stored.build))
    }

    fn line(&self) -> Option<Arc<dyn Line>> {
        Builds::of(&self.stored).map(|builds| Arc::new(builds) as Arc<dyn Line>)
    }

    fn plan(self: Box<Self>, files: &mut [StagedFile]) -> Result<Plan, Refusal> {
        let [staged] = files else { return Err(malformed("there must be one file")) };
        let stored = self.stored;
        let seen = look(&stored, staged)?;
        let mut attributes = staged.sums.attributes();
        attributes.extend(seen.attributes);
        let named = |error: model::NameError| malformed(error.to_string());
        let file = ReleaseFile {
            path: EntryPath::parse(&stored.name).map_err(named)?,
            location: EntryPath::parse(&stored.location_in(&stored.build)).map_err(named)?,
            source: Source::Staged(0),
            media_type: Some(media_type(&stored.extension).to_owned()),
            attributes: Some(Json::Object(attributes).to_string()),
        };
        let manifest = manifest(&stored.group, &stored.artifact, &stored.build);
        let release = Release {
            package: self.package,
            display: stored.artifact,
            exact_name: false,
            version: VersionName::parse(&stored.build).map_err(named)?,
            files: vec![file],
            manifest,
            refs: seen.refs,
            subject: None,
            again: false,
            joins: true,
        };
        Ok(Plan { release: Some(release), answer: created(), ..Plan::default() })
    }
}

/// What is seen in a file.
#[derive(Default)]
struct Seen {
    attributes: Map<String, Json>,
    refs: Vec<RefName>,
}

fn look(stored: &Stored, staged: &mut StagedFile) -> Result<Seen, Refusal> {
    let mut seen = Seen::default();
    let too_long = |what: &str, most: u64| {
        let why = format!("{what} may have at most {most} bytes");
        if staged.length > most { Err(Refusal::new(Code::PayloadTooLarge, why)) } else { Ok(()) }
    };
    match (stored.classifier.as_str(), stored.extension.as_str()) {
        ("", "pom") => {
            too_long("a POM", pom::LONGEST)?;
            let mut bytes = Vec::new();
            staged.bytes.read_to_end(&mut bytes).map_err(|error| malformed(error.to_string()))?;
            let pom = pom::Pom::parse(&bytes)?;
            pom.agrees(stored)?;
            for field in ["packaging", "name", "description"] {
                if let Some(text) = pom.field(field) {
                    let text: String = text.chars().take(SHOWN).collect();
                    seen.attributes.insert(field.to_owned(), Json::String(text));
                }
            }
        }
        ("", "module") => {
            too_long("module metadata", module::LONGEST)?;
            module::check(&mut staged.bytes, stored)?;
        }
        ("", "jar") => {
            let prefix = plugin::prefix(staged.bytes.as_mut(), staged.length);
            let name = prefix.and_then(|prefix| RefName::parse(&format!("{PLUGIN}{prefix}")).ok());
            seen.refs.extend(name);
        }
        _ => {}
    }
    Ok(seen)
}

fn media_type(extension: &str) -> &'static str {
    match extension {
        "pom" | "xml" => "application/xml",
        "jar" | "war" | "ear" | "aar" => "application/java-archive",
        "module" => "application/vnd.org.gradle.module+json",
        "json" => "application/json",
        "zip" => "application/zip",
        "tar.gz" | "tgz" => "application/gzip",
        signature if signature.ends_with(".asc") => "application/pgp-signature",
        _ => "application/octet-stream",
    }
}

/// A checksum of a file that was stored before: compared, not kept.
#[derive(Debug)]
pub(super) struct Checksum {
    location: EntryPath,
    /// Where the name of the file does not say of which build it is.
    builds: Option<Builds>,
    algorithm: Algorithm,
    text: Vec<u8>,
    digest: Vec<u8>,
}

impl Checksum {
    pub(super) fn new(location: EntryPath, builds: Option<Builds>, algorithm: Algorithm) -> Self {
        Self { location, builds, algorithm, text: Vec::new(), digest: Vec::new() }
    }
}

impl Intake for Checksum {
    fn push(&mut self, bytes: Bytes, _: &mut Vec<Piece>) -> Result<(), Refusal> {
        self.text.extend_from_slice(&bytes);
        if self.text.len() > CHECKSUM {
            return Err(Refusal::new(Code::PayloadTooLarge, format!("a checksum has at most {CHECKSUM} bytes")));
        }
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<Piece>) -> Result<(), Refusal> {
        let digest = hex_of(&String::from_utf8_lossy(&self.text), self.algorithm);
        self.digest = digest.ok_or_else(|| {
            let (word, digits) = (self.algorithm.word(), self.algorithm.length() * 2);
            malformed(format!("the body is no {word}: it has {digits} hex digits"))
        })?;
        Ok(())
    }

    fn claim(&self) -> Option<Claim> {
        let Self { location, algorithm, digest, .. } = self;
        Some(Claim { location: location.clone(), algorithm: *algorithm, digest: digest.clone() })
    }

    fn line(&self) -> Option<Arc<dyn Line>> {
        self.builds.clone().map(|builds| Arc::new(builds) as Arc<dyn Line>)
    }

    fn plan(self: Box<Self>, _: &mut [StagedFile]) -> Result<Plan, Refusal> {
        Ok(Plan { answer: created(), ..Plan::default() })
    }
}

/// The digits alone, in front of a file name (`… demo.jar`) or behind one (`SHA1(demo.jar)= …`).
pub(super) fn hex_of(text: &str, algorithm: Algorithm) -> Option<Vec<u8>> {
    let text = text.trim();
    let text = text.rsplit_once("= ").map_or(text, |(_, digits)| digits);
    let digits = text.split_whitespace().next()?;
    unhex(&digits.to_ascii_lowercase()).filter(|digest| digest.len() == algorithm.length())
}

/// An index, or the checksum of one: taken and left, since we make them from what was stored. The index of
/// an artifact is the last that clients send of a deployment.
#[derive(Debug)]
pub(super) struct Ignored {
    length: usize,
    completes: Option<PackageAt>,
}

impl Ignored {
    /// `completes`: the artifact of whose deployments it is the last.
    pub(super) fn new(completes: Option<PackageAt>) -> Self {
        Self { length: 0, completes }
    }
}

impl Intake for Ignored {
    fn push(&mut self, bytes: Bytes, _: &mut Vec<Piece>) -> Result<(), Refusal> {
        self.length += bytes.len();
        if self.length > INDEX {
            return Err(Refusal::new(Code::PayloadTooLarge, format!("an index may have at most {INDEX} bytes")));
        }
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<Piece>) -> Result<(), Refusal> {
        Ok(())
    }

    fn plan(self: Box<Self>, _: &mut [StagedFile]) -> Result<Plan, Refusal> {
        Ok(Plan { completes: self.completes, answer: created(), ..Plan::default() })
    }
}

fn malformed(why: impl Into<String>) -> Refusal {
    Refusal::new(Code::BadRequest, why)
}
