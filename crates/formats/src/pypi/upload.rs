//! Uploading: a form with one file; what the file holds has the last word.
//!
//! Source: the upload API of the public index ("legacy API").

use std::collections::HashMap;

use bytes::Bytes;
use model::digest::{hex, unhex};
use model::{Code, EntryPath, Refusal, VersionName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};

use super::form::{Field, Form, Part, malformed};
use super::names::{FileName, Kind, normal, version};
use super::wheel::Looked;
use super::{attest, location, sdist, wheel};
use crate::tarball::contradiction;
use crate::{Answer, Intake, NewFile, PackageAt, Piece, Plan, Release, ReleaseFile, Source, StagedFile, Sums, Wanted};

const SHA256: &str = "sha256_digest";
/// BLAKE2b of 256 bits.
const BLAKE2: &str = "blake2_256_digest";
/// Fields that we look at, and the longest value of each in bytes.
const FIELDS: [(&str, usize); 10] = [
    (":action", 64),
    ("protocol_version", 16),
    ("name", 256),
    ("version", 256),
    ("filetype", 64),
    ("pyversion", 256),
    ("md5_digest", 256),
    (SHA256, 256),
    (BLAKE2, 256),
    ("attestations", 4 << 20),
];
/// The field with a signature, a file of its own.
const SIGNATURE: (&str, usize) = ("gpg_signature", 64 << 10);
/// All that is not the file, in bytes.
const BESIDE: usize = 32 << 20;

/// What a file's entry keeps of it, beside its digests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// What it is: the word of the upload API.
    pub(super) filetype: String,
    /// The interpreters that it is for.
    pub(super) python: String,
    /// The interpreters that it needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) requires_python: Option<String>,
    /// The SHA-256 of its metadata file; empty: an upstream does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<String>,
    /// Whether a signature came with it.
    #[serde(default)]
    pub(super) signed: bool,
    /// Whether attestations came with it.
    #[serde(default)]
    pub(super) attested: bool,
}

impl Kept {
    /// The attributes of the file, its digests among them.
    pub(super) fn attributes(&self, sums: &Sums) -> String {
        let mut attributes = sums.attributes();
        if let Ok(Json::Object(kept)) = serde_json::to_value(self) {
            attributes.extend(kept);
        }
        Json::Object(attributes).to_string()
    }
}

/// What is kept of a version: what its first file says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The project's name as it is written there.
    pub(super) name: String,
    /// The version.
    pub(super) version: String,
    /// What a project's JSON tells.
    pub(super) info: Map<String, Json>,
}

/// An upload under way.
#[derive(Debug)]
pub(super) struct Upload {
    form: Form,
    fields: HashMap<&'static str, Vec<u8>>,
    file: Option<String>,
    at: At,
    beside: usize,
}

#[derive(Debug)]
enum At {
    Nowhere,
    File,
    Field(&'static str, usize),
    Ignored,
}

impl Upload {
    pub(super) fn new(boundary: &str) -> Self {
        Self { form: Form::new(boundary), fields: HashMap::new(), file: None, at: At::Nowhere, beside: 0 }
    }

    fn part(&mut self, part: Part, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        match part {
            Part::Begin(field) => self.begin(field, out),
            Part::Bytes(bytes) => self.bytes(bytes, out),
            Part::End => {
                if matches!(self.at, At::File) {
                    out.push(Piece::End);
                }
                self.at = At::Nowhere;
                Ok(())
            }
        }
    }

    fn begin(&mut self, field: Field, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        if field.name == "content" {
            let file = field.file.filter(|file| !file.is_empty());
            let file = file.ok_or_else(|| malformed("the field content is no file"))?;
            if self.file.replace(file).is_some() {
                return Err(malformed("an upload has one file, in the field content"));
            }
            let sums = Wanted { md5: true, blake2: true, ..Wanted::default() };
            out.push(Piece::Begin(NewFile { sums, ..NewFile::default() }));
            self.at = At::File;
            return Ok(());
        }
        let known = FIELDS.into_iter().chain([SIGNATURE]).find(|(name, _)| *name == field.name);
        self.at = match known {
            Some((name, most)) => At::Field(name, most),
            None => At::Ignored,
        };
        match known {
            Some((name, _)) if self.fields.insert(name, Vec::new()).is_some() => {
                Err(malformed(format!("the form has {name} twice")))
            }
            _ => Ok(()),
        }
    }

    fn bytes(&mut self, bytes: Bytes, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        if matches!(self.at, At::File) {
            out.push(Piece::Bytes(bytes));
            return Ok(());
        }
        self.beside += bytes.len();
        if self.beside > BESIDE {
            return Err(too_large(format!("what is said of the file may have at most {BESIDE} bytes")));
        }
        let At::Field(name, most) = self.at else { return Ok(()) };
        let value = self.fields.entry(name).or_default();
        if value.len() + bytes.len() > most {
            return Err(too_large(format!("the field {name} may have at most {most} bytes")));
        }
        value.extend_from_slice(&bytes);
        Ok(())
    }

    /// A field that is there and not empty.
    fn field(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let Some(value) = self.fields.get(name) else { return Ok(None) };
        let text = std::str::from_utf8(value).map_err(|_| malformed(format!("the field {name} is not UTF-8")))?;
        Ok(Some(text.trim()).filter(|text| !text.is_empty()))
    }

    fn expect_upload(&self) -> Result<(), Refusal> {
        match self.field(":action")? {
            Some("file_upload") => {}
            Some(other) => {
                let other = other.escape_debug();
                return Err(malformed(format!("this takes the action file_upload alone, not {other}")));
            }
            None => return Err(malformed("the form has no :action")),
        }
        match self.field("protocol_version")? {
            None | Some("1") => Ok(()),
            Some(other) => Err(malformed(format!("this speaks protocol_version 1, not {}", other.escape_debug()))),
        }
    }

    /// Refuses a form that says another digest than the file's.
    fn check_digests(&self, file: &StagedFile) -> Result<(), Refusal> {
        let sums = &file.sums;
        let found = [
            ("md5_digest", sums.md5.map(|sum| sum.to_vec())),
            (SHA256, Some(file.sha256.0.to_vec())),
            (BLAKE2, sums.blake2.map(|sum| sum.to_vec())),
        ];
        for (name, found) in found {
            let (Some(stated), Some(found)) = (self.field(name)?, found) else { continue };
            if self.is_blake2_512(name, stated)? {
                continue;
            }
            let digest = unhex(&stated.to_ascii_lowercase()).filter(|digest| digest.len() == found.len());
            let digest = digest.ok_or_else(|| malformed(format!("{name} must have {} hex digits", found.len() * 2)))?;
            if digest != found {
                return Err(contradiction(format!("{name} is {stated}, the file's is {}", hex(&found))));
            }
        }
        Ok(())
    }

    /// `setup.py upload` of Python 3.9 and newer sends the first 512 bits of another digest under this name. It says SHA-256
    /// too, which is checked.
    fn is_blake2_512(&self, name: &str, stated: &str) -> Result<bool, Refusal> {
        let long = name == BLAKE2 && unhex(&stated.to_ascii_lowercase()).is_some_and(|digest| digest.len() == 64);
        Ok(long && self.field(SHA256)?.is_some())
    }

    /// Refuses a form and a file name that say something else than the archive.
    fn check_names(&self, file: &FileName, looked: &Looked) -> Result<(), Refusal> {
        let metadata = &looked.metadata;
        let (name, version_found) = (&metadata.name, &metadata.version);
        let needed = |key: &str| self.field(key)?.ok_or_else(|| malformed(format!("the form has no {key}")));
        let differ = |what: &str, stated: &str, found: &str| {
            let stated = stated.escape_debug();
            Err(contradiction(format!("the form says {what} {stated}, the archive says {found}")))
        };
        let stated = needed("name")?;
        if normal(stated) != *name {
            return differ("name", stated, &metadata.display);
        }
        let stated = needed("version")?;
        let known = version(stated).ok_or_else(|| malformed(format!("{} is no version", stated.escape_debug())))?;
        if known != *version_found {
            return differ("version", stated, &version_found.to_string());
        }
        if !file.names(name, version_found) {
            let (text, display) = (&file.text, &metadata.display);
            return Err(contradiction(format!(
                "the file is called {text}, the archive says {display} {version_found}"
            )));
        }
        Ok(())
    }

    fn check_kind(&self, file: &FileName) -> Result<(), Refusal> {
        let stated = self.field("filetype")?.ok_or_else(|| malformed("the form has no filetype"))?;
        if stated != file.kind.word() {
            let (stated, word) = (stated.escape_debug(), file.kind.word());
            return Err(contradiction(format!("the form says filetype {stated}, {} is {word}", file.text)));
        }
        let tags = |text: &str| {
            let mut tags: Vec<String> = text.split('.').map(str::to_ascii_lowercase).collect();
            tags.sort_unstable();
            tags
        };
        // `setup.py upload` names the interpreter that built the wheel, which says nothing of those that it is for.
        let is_interpreter = |text: &str| text.split('.').all(|part| part.parse::<u8>().is_ok());
        let of_wheel = matches!(file.kind, Kind::Wheel { .. });
        match self.field("pyversion")? {
            Some(stated) if of_wheel && is_interpreter(stated) => Ok(()),
            Some(stated) if tags(stated) != tags(file.kind.python()) => {
                let (stated, known) = (stated.escape_debug(), file.kind.python());
                Err(contradiction(format!("the form says pyversion {stated}, {} is for {known}", file.text)))
            }
            _ => Ok(()),
        }
    }

    /// The files that there will be: the one that was sent, and those that belong to it.
    fn files(&mut self, file: &FileName, staged: &StagedFile, looked: &Looked) -> Result<Vec<Made>, Refusal> {
        let text = &file.text;
        let mut beside = Vec::new();
        let is_wheel = matches!(file.kind, Kind::Wheel { .. });
        if is_wheel {
            let source = Source::Derived(looked.text.clone());
            beside.push(Made {
                name: format!("{text}.metadata"),
                source,
                kind: "text/plain; charset=utf-8",
                kept: None,
            });
        }
        let signature = self.fields.remove(SIGNATURE.0).filter(|text| !text.is_empty());
        if let Some(signature) = &signature {
            if !signature.starts_with(b"-----BEGIN PGP SIGNATURE-----") {
                return Err(malformed("the field gpg_signature is no PGP signature in ASCII armour"));
            }
            let source = Source::Derived(signature.clone());
            beside.push(Made { name: format!("{text}.asc"), source, kind: "application/pgp-signature", kept: None });
        }
        let attestations = self.fields.remove("attestations").filter(|text| !text.is_empty());
        if let Some(attestations) = &attestations {
            let source = Source::Derived(attest::provenance(attestations, text, &staged.sha256)?);
            let kind = "application/vnd.pypi.integrity.v1+json";
            beside.push(Made { name: format!("{text}.provenance"), source, kind, kept: None });
        }
        let kept = Kept {
            filetype: file.kind.word().to_owned(),
            python: file.kind.python().to_owned(),
            requires_python: looked.metadata.requires_python.clone(),
            metadata: is_wheel.then(|| hex(&Sha256::digest(&looked.text))),
            signed: signature.is_some(),
            attested: attestations.is_some(),
        };
        let kind = file.kind.media_type();
        beside.insert(0, Made { name: text.clone(), source: Source::Staged(0), kind, kept: Some(kept) });
        Ok(beside)
    }
}

/// A file that there will be.
struct Made {
    name: String,
    source: Source,
    kind: &'static str,
    kept: Option<Kept>,
}

impl Made {
    fn file(self, project: &str, version: &str, staged: &StagedFile) -> Result<ReleaseFile, Refusal> {
        let named = |error: model::NameError| malformed(error.to_string());
        let attributes = self.kept.map(|kept| kept.attributes(&staged.sums));
        Ok(ReleaseFile {
            path: EntryPath::parse(&self.name).map_err(named)?,
            location: location(project, version, &self.name).map_err(named)?,
            source: self.source,
            media_type: Some(self.kind.to_owned()),
            attributes,
        })
    }
}

impl Intake for Upload {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        let mut parts = Vec::new();
        self.form.push(&bytes, &mut parts)?;
        parts.into_iter().try_for_each(|part| self.part(part, out))
    }

    fn end(&mut self, _: &mut Vec<Piece>) -> Result<(), Refusal> {
        self.form.end()?;
        self.expect_upload()?;
        if self.file.is_none() { Err(malformed("the form has no file in the field content")) } else { Ok(()) }
    }

    fn plan(mut self: Box<Self>, files: &mut [StagedFile]) -> Result<Plan, Refusal> {
        let [staged] = files else { return Err(malformed("there must be one file")) };
        let file = FileName::parse(self.file.as_deref().unwrap_or_default()).map_err(malformed)?;
        self.check_kind(&file)?;
        self.check_digests(staged)?;
        let looked = match file.kind {
            Kind::Wheel { .. } => wheel::look(staged)?,
            Kind::TarGz => sdist::look(staged)?,
            Kind::Zip => sdist::look_zip(staged)?,
        };
        self.check_names(&file, &looked)?;
        let (project, version) = (looked.metadata.name.clone(), looked.metadata.version.to_string());
        let made = self.files(&file, staged, &looked)?.into_iter().map(|made| made.file(&project, &version, staged));
        let made = made.collect::<Result<_, _>>()?;
        let display = looked.metadata.display;
        let manifest = Manifest { name: display.clone(), version: version.clone(), info: looked.metadata.info };
        let release = Release {
            package: PackageAt::named(project),
            display,
            exact_name: false,
            version: VersionName::parse(&version).map_err(|error| malformed(error.to_string()))?,
            files: made,
            manifest: serde_json::to_string(&manifest).map_err(|error| malformed(error.to_string()))?,
            refs: Vec::new(),
            joins: true,
            subject: None,
            again: false,
        };
        Ok(Plan { release: Some(release), answer: Answer::text(200, "OK\n"), ..Plan::default() })
    }
}

fn too_large(why: impl Into<String>) -> Refusal {
    Refusal::new(Code::PayloadTooLarge, why.into())
}
