//! Publishing: two lengths, a JSON text and an archive; the archive has the last word.

use std::collections::BTreeMap;
use std::io::Read as _;

use bytes::{Buf as _, Bytes, BytesMut};
use model::{Code, EntryPath, PackageName, Refusal, VersionName};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::index::Manifest;
use super::stated::{CargoToml, Dependency};
use super::{Cargo, is_name, normal};
use crate::paths::Paths;
use crate::tarball::{self, broken, contradiction};
use crate::{
    Answer, Format, Intake, NewFile, PackageAt, Piece, Plan, Release, ReleaseFile, Source, StagedFile, Wanted,
};

/// The longest JSON text, in bytes.
const METADATA: usize = 4 << 20;
/// The longest `Cargo.toml`, in bytes.
const CARGO_TOML: u64 = 1 << 20;
/// Archive members at most, and their bytes together.
const MEMBERS: usize = 100_000;
const UNPACKED: u64 = 1 << 30;

/// A publish request under way.
#[derive(Debug, Default)]
pub(super) struct Publish {
    at: At,
    held: BytesMut,
    metadata: Bytes,
}

#[derive(Debug, Default)]
enum At {
    #[default]
    MetadataLength,
    Metadata(usize),
    ArchiveLength,
    Archive(u64),
    End,
}

impl Intake for Publish {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.step(rest, out)?;
        }
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<Piece>) -> Result<(), Refusal> {
        match self.at {
            At::End => Ok(()),
            _ => Err(malformed("the request ends before its announced length")),
        }
    }

    fn plan(self: Box<Self>, files: &mut [StagedFile]) -> Result<Plan, Refusal> {
        let [archive] = files else { return Err(malformed("there must be one archive")) };
        let sent: Sent = model::json::from_slice(&self.metadata)
            .map_err(|error| malformed(format!("the metadata is not as Cargo sends it: {error}")))?;
        sent.check()?;
        check_archive(&sent, archive)?;
        let version = VersionName::parse(&sent.vers).map_err(|error| malformed(error.to_string()))?;
        let name = PackageName::parse(&sent.name).map_err(|error| malformed(error.to_string()))?;
        let path = EntryPath::parse(&format!("{}-{}.crate", sent.name, sent.vers))
            .map_err(|error| malformed(error.to_string()))?;
        let location = Cargo.location(&name, &version, &path).map_err(|error| malformed(error.to_string()))?;
        let manifest = sent.manifest(&archive.sha256.hex())?;
        let file = ReleaseFile {
            path,
            location,
            source: Source::Staged(0),
            media_type: Some("application/gzip".to_owned()),
            attributes: None,
        };
        let release = Release {
            package: PackageAt::named(normal(&sent.name)),
            display: sent.name,
            exact_name: true,
            version,
            files: vec![file],
            manifest,
            refs: Vec::new(),
            joins: false,
            subject: None,
            again: false,
        };
        let warnings = json!({"warnings": {"invalid_categories": [], "invalid_badges": [], "other": []}});
        Ok(Plan { release: Some(release), answer: Answer::json(&warnings), ..Plan::default() })
    }
}

impl Publish {
    /// Takes what it can of `bytes` and returns the rest.
    fn step(&mut self, mut bytes: Bytes, out: &mut Vec<Piece>) -> Result<Bytes, Refusal> {
        match self.at {
            At::MetadataLength => {
                if let Some(length) = self.length(&mut bytes) {
                    let length = usize::try_from(length).unwrap_or(usize::MAX);
                    if length > METADATA {
                        let why = format!("the metadata may have at most {METADATA} bytes");
                        return Err(Refusal::new(Code::PayloadTooLarge, why));
                    }
                    self.at = At::Metadata(length);
                }
            }
            At::Metadata(length) => {
                let missing = length - self.held.len();
                self.held.extend_from_slice(&bytes.split_to(missing.min(bytes.len())));
                if self.held.len() == length {
                    self.metadata = self.held.split().freeze();
                    self.at = At::ArchiveLength;
                }
            }
            At::ArchiveLength => {
                if let Some(length) = self.length(&mut bytes) {
                    out.push(Piece::Begin(NewFile {
                        length: Some(length),
                        sums: Wanted::default(),
                        ..NewFile::default()
                    }));
                    self.at = At::Archive(length);
                    self.close(out);
                }
            }
            At::Archive(left) => {
                let now = bytes.split_to(usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len()));
                self.at = At::Archive(left - now.len() as u64);
                out.push(Piece::Bytes(now));
                self.close(out);
            }
            At::End => return Err(malformed("the request goes on after its announced length")),
        }
        Ok(bytes)
    }

    fn close(&mut self, out: &mut Vec<Piece>) {
        if matches!(self.at, At::Archive(0)) {
            out.push(Piece::End);
            self.at = At::End;
        }
    }

    /// Four bytes, little endian, once they are all there.
    fn length(&mut self, bytes: &mut Bytes) -> Option<u64> {
        let missing = 4 - self.held.len();
        self.held.extend_from_slice(&bytes.split_to(missing.min(bytes.len())));
        (self.held.len() == 4).then(|| u64::from(self.held.split().get_u32_le()))
    }
}

/// What Cargo says of the crate. Fields that we do not know are kept.
#[derive(Debug, Deserialize)]
struct Sent {
    name: String,
    vers: String,
    #[serde(default)]
    deps: Vec<SentDependency>,
    #[serde(default)]
    features: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    links: Option<String>,
    #[serde(default)]
    rust_version: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Json>,
}

#[derive(Debug, Deserialize)]
struct SentDependency {
    name: String,
    version_req: String,
    #[serde(default)]
    features: Vec<String>,
    #[serde(default)]
    optional: bool,
    #[serde(default = "yes")]
    default_features: bool,
    #[serde(default)]
    target: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    registry: Option<String>,
    #[serde(default)]
    explicit_name_in_toml: Option<String>,
}

fn yes() -> bool {
    true
}

impl Sent {
    fn check(&self) -> Result<(), Refusal> {
        if !is_name(&self.name) {
            return Err(malformed(
                "a crate's name has at most 64 letters, digits, '-' and '_' and begins with a letter",
            ));
        }
        semver::Version::parse(&self.vers)
            .map_err(|error| malformed(format!("{} is not a semantic version: {error}", self.vers.escape_debug())))?;
        for dependency in &self.deps {
            let named = dependency.explicit_name_in_toml.as_ref().unwrap_or(&dependency.name);
            if !is_name(&dependency.name) || !is_name(named) {
                return Err(malformed(format!("a dependency cannot be called {}", named.escape_debug())));
            }
            semver::VersionReq::parse(&dependency.version_req).map_err(|error| {
                malformed(format!("{} is not a requirement: {error}", dependency.version_req.escape_debug()))
            })?;
        }
        Ok(())
    }

    /// The line of the index, and the rest beside it.
    fn manifest(&self, checksum: &str) -> Result<String, Refusal> {
        let modern =
            |values: &Vec<String>| values.iter().any(|value| value.starts_with("dep:") || value.contains("?/"));
        let (new, old): (Map<String, Json>, Map<String, Json>) = {
            let (new, old): (Vec<_>, Vec<_>) = self.features.iter().partition(|(_, values)| modern(values));
            let map = |list: Vec<(&String, &Vec<String>)>| {
                list.into_iter().map(|(name, values)| (name.clone(), json!(values))).collect()
            };
            (map(new), map(old))
        };
        let dependencies: Vec<Json> = self.deps.iter().map(SentDependency::line).collect();
        let mut index = Map::new();
        index.insert("name".to_owned(), json!(self.name));
        index.insert("vers".to_owned(), json!(self.vers));
        index.insert("deps".to_owned(), json!(dependencies));
        index.insert("cksum".to_owned(), json!(checksum));
        index.insert("features".to_owned(), Json::Object(old));
        if let Some(library) = &self.links {
            index.insert("links".to_owned(), json!(library));
        }
        if !new.is_empty() {
            index.insert("features2".to_owned(), Json::Object(new));
            index.insert("v".to_owned(), json!(2));
        }
        if let Some(version) = &self.rust_version {
            index.insert("rust_version".to_owned(), json!(version));
        }
        let manifest = Manifest { index, description: self.description.clone(), published: self.rest.clone() };
        serde_json::to_string(&manifest).map_err(|error| malformed(error.to_string()))
    }
}

impl SentDependency {
    /// The dependency as the index has it: a renamed one goes by its new name there. Indexes of many versions are long:
    /// what most dependencies do not have is left out, as the public index does.
    fn line(&self) -> Json {
        let renamed = self.explicit_name_in_toml.as_ref();
        let mut line = json!({
            "name": renamed.unwrap_or(&self.name), "req": self.version_req, "features": self.features,
            "optional": self.optional, "default_features": self.default_features, "target": self.target,
            "kind": self.kind.as_deref().unwrap_or("normal"),
        });
        if let Some(registry) = &self.registry {
            line["registry"] = json!(registry);
        }
        if renamed.is_some() {
            line["package"] = json!(self.name);
        }
        line
    }

    /// The same as `Cargo.toml` would state it.
    fn plain(&self) -> Dependency {
        let dependency = Dependency {
            name: self.explicit_name_in_toml.as_ref().unwrap_or(&self.name).clone(),
            package: self.name.clone(),
            kind: self.kind.as_deref().unwrap_or("normal").to_owned(),
            target: self.target.clone().unwrap_or_default(),
            requirement: self.version_req.clone(),
            optional: self.optional,
            default_features: self.default_features,
            features: self.features.iter().cloned().collect(),
        };
        dependency.plain()
    }
}

/// The archive must be the crate that the metadata names: every member in its folder, and a
/// `Cargo.toml` that says the same.
fn check_archive(sent: &Sent, archive: &mut StagedFile) -> Result<(), Refusal> {
    let folder = format!("{}-{}", sent.name, sent.vers);
    let unpacked = flate2::read::GzDecoder::new(&mut archive.bytes).take(UNPACKED + 1);
    let (mut count, mut stated, mut paths) = (0, None, Paths::default());
    let rest = tarball::each(unpacked, |member| {
        count += 1;
        if count > MEMBERS {
            return Err(contradiction(format!("the archive has more than {MEMBERS} members")));
        }
        let path = String::from_utf8(member.path_bytes().into_owned())
            .map_err(|_| contradiction("a path in the archive is not UTF-8"))?;
        let inside = path.strip_prefix(&folder).and_then(|rest| rest.strip_prefix('/'));
        let inside = inside.filter(|rest| rest.is_empty() || EntryPath::parse(rest.trim_end_matches('/')).is_ok());
        let Some(inside) = inside else {
            return Err(contradiction(format!("{} lies outside {folder}/", path.escape_debug())));
        };
        let (file, folder) = (member.header().entry_type().is_file(), member.header().entry_type().is_dir());
        if !(file || folder) {
            return Err(contradiction(format!("{} is neither a file nor a folder", path.escape_debug())));
        }
        paths.enter(inside, folder).map_err(|why| contradiction(format!("{} {why}", path.escape_debug())))?;
        if inside == "Cargo.toml" && file {
            let mut text = String::new();
            member.by_ref().take(CARGO_TOML + 1).read_to_string(&mut text).map_err(broken)?;
            if text.len() as u64 > CARGO_TOML {
                return Err(contradiction(format!("Cargo.toml in the archive has more than {CARGO_TOML} bytes")));
            }
            stated = Some(text);
        }
        Ok(())
    })?;
    if rest.limit() == 0 {
        return Err(contradiction(format!("the archive unpacks to more than {UNPACKED} bytes")));
    }
    stated.ok_or_else(|| contradiction("the archive has no Cargo.toml")).and_then(|text| sent.agrees(&text))
}

impl Sent {
    fn agrees(&self, cargo_toml: &str) -> Result<(), Refusal> {
        let stated: CargoToml = toml::from_str(cargo_toml)
            .map_err(|error| contradiction(format!("Cargo.toml in the archive cannot be read: {}", error.message())))?;
        let package = &stated.package;
        for (what, sent, stated) in [
            ("name", Some(&self.name), Some(&package.name)),
            ("version", Some(&self.vers), Some(&package.version)),
            ("links", self.links.as_ref(), package.links.as_ref()),
        ] {
            if sent != stated {
                let text = |value: Option<&String>| value.map_or("nothing".to_owned(), |value| format!("{value:?}"));
                return Err(contradiction(format!(
                    "the request says {what} {}, Cargo.toml in the archive says {}",
                    text(sent),
                    text(stated)
                )));
            }
        }
        let dependencies: BTreeMap<Dependency, Option<String>> =
            self.deps.iter().map(|sent| (sent.plain(), sent.registry.clone())).collect();
        if dependencies.len() < self.deps.len() {
            return Err(contradiction("the request has a dependency twice"));
        }
        stated.contradicts(dependencies, &self.features).map_or(Ok(()), |why| Err(contradiction(why)))
    }
}

fn malformed(why: impl Into<String>) -> Refusal {
    Refusal::new(Code::BadRequest, why.into())
}
