//! Crates of another registry: its configuration and its index files as facts.

use std::collections::HashMap;
use std::str::FromStr as _;

use model::{EntryPath, Sha256Digest, Timestamp, VersionName};
use semver::Version;
use serde_json::{Map, Value as Json};

use super::address::{folder, index_path};
use super::index::Manifest;
use super::{Cargo, download, is_name, normal};
use crate::links::Links;
use crate::{
    Ask, Known, KnownFile, KnownVersion, Origin, PackageAt, Probe, Said, Sign, Signs, Sums, Unreadable, Upstream,
    Verdict, Wanting, strict,
};

/// Lines of an index file at most, and bytes of one.
const LINES: usize = 100_000;
const LINE: usize = 4 << 20;
/// The newest version of the index's lines that Cargo reads.
const LINE_VERSION: u64 = 2;

impl Upstream for Cargo {
    /// The configuration and the index file.
    fn asks(&self, at: &PackageAt, _: Wanting<'_>) -> Vec<Ask> {
        if !is_name(&at.name) {
            return Vec::new();
        }
        let targets = ["config.json".to_owned(), index_path(&at.name)];
        targets.map(|target| Ask { target, accept: "" }).into()
    }

    fn narrows(&self) -> bool {
        false
    }

    fn read(&self, at: &PackageAt, _: Wanting<'_>, said: &[Option<Said<'_>>]) -> Result<Option<Known>, Unreadable> {
        let Some((config, file)) = said.split_first() else { return Ok(None) };
        let config = config.ok_or_else(|| odd("there is no config.json: this is no registry of Cargo"))?;
        let downloads = Downloads::read(config)?;
        let file = file.first().copied().flatten();
        file.map(|file| index(at, &downloads, file.body)).transpose()
    }

    fn signs(&self, _: &str) -> Signs {
        Signs::of_protocol("a sparse index of Cargo", vec![Probe::new("config.json", configuration)])
    }

    fn newest<'v>(&self, versions: &[&'v str]) -> Option<&'v str> {
        let known = versions.iter().filter_map(|text| Version::parse(text).ok().map(|version| (version, *text)));
        known.max_by_key(|(version, _)| (version.pre.is_empty(), version.clone())).map(|(_, text)| text)
    }

    fn origin(&self, path: &EntryPath) -> Option<Origin> {
        let (name, version) = path.as_str().strip_prefix("dl/")?.strip_suffix("/download")?.split_once('/')?;
        let ours = is_name(name) && name.to_ascii_lowercase() == name && Version::parse(version).is_ok();
        ours.then(|| Origin::Listed(PackageAt::named(name)))
    }
}

/// Every sparse index has one.
fn configuration(sign: &Sign<'_>) -> Verdict {
    let downloads = |whole: Map<String, Json>| whole.get("dl").is_some_and(Json::is_string);
    match sign.is_found() {
        true if sign.object().is_some_and(downloads) => Verdict::Proof("its config.json says where crates are"),
        true if sign.is_page() => Verdict::Wrong("it answers /config.json with a page for people"),
        true => Verdict::Doubt("its config.json does not say where crates are"),
        false => Verdict::Doubt("it has no /config.json, which every sparse index has; an index in Git cannot be read"),
    }
}

/// Where a registry has its crates: the template `dl`.
struct Downloads {
    links: Links,
    template: String,
}

impl Downloads {
    fn read(config: Said<'_>) -> Result<Self, Unreadable> {
        let fields = strict::read(config.body).map_err(|_| odd("config.json is no strict JSON"))?;
        let template = fields.get("dl").and_then(Json::as_str).ok_or_else(|| odd("config.json has no dl"))?;
        Ok(Self { links: Links::of(config.address)?, template: template.to_owned() })
    }

    /// The address of a crate; without a marker the template is where such addresses begin. None of the values can hold a
    /// marker itself.
    fn address(&self, name: &str, version: &str, checksum: &str) -> Result<String, Unreadable> {
        let prefix = folder(name);
        let lower = prefix.to_ascii_lowercase();
        let markers = [
            ("{crate}", name),
            ("{version}", version),
            ("{prefix}", &prefix),
            ("{lowerprefix}", &lower),
            ("{sha256-checksum}", checksum),
        ];
        let mut address = self.template.clone();
        if markers.iter().all(|(marker, _)| !address.contains(marker)) {
            address.push_str("/{crate}/{version}/download");
        }
        for (marker, value) in markers {
            address = address.replace(marker, value);
        }
        self.links.resolve(&address).ok_or_else(|| odd("the dl of config.json leads nowhere"))
    }
}

/// An index file. Where a version is there twice, the last line counts, as for Cargo.
fn index(at: &PackageAt, downloads: &Downloads, body: &[u8]) -> Result<Known, Unreadable> {
    let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let (mut known, mut places) = (Known::default(), HashMap::new());
    for (count, line) in lines.enumerate() {
        if count >= LINES || line.len() > LINE {
            return Err(odd(&format!("the index has more than {LINES} lines, or one of more than {LINE} bytes")));
        }
        let Some(line) = Line::read(at, line)? else { continue };
        known.display.clone_from(&line.name);
        let version = line.known(downloads)?;
        match places.get(version.version.as_str()) {
            Some(place) => known.versions[*place] = version,
            None => {
                places.insert(version.version.to_string(), known.versions.len());
                known.versions.push(version);
            }
        }
    }
    if known.versions.is_empty() { Err(odd("the index has no line that can be read")) } else { Ok(known) }
}

/// A line of an index file that can be used.
struct Line {
    name: String,
    version: VersionName,
    path: EntryPath,
    location: EntryPath,
    sha256: Sha256Digest,
    fields: Map<String, Json>,
}

impl Line {
    /// Cargo passes over a line without a name and a semantic version, for Cargos to come may write such lines; so do
    /// we, and over versions that cannot be named here. It passes over text that is no JSON as well, but nobody will ever
    /// write that: such an answer is damaged, and so is one with a crate's name or checksum that cannot be.
    /// A registry like ours answers to other spellings with the crate's own.
    fn read(at: &PackageAt, line: &[u8]) -> Result<Option<Self>, Unreadable> {
        let line = strict::read(line).map_err(|_| odd("a line of the index is no strict JSON"))?;
        let Json::Object(fields) = line else { return Ok(None) };
        let text = |field: &str| fields.get(field).and_then(Json::as_str);
        let (Some(name), Some(version)) = (text("name"), text("vers")) else { return Ok(None) };
        if !is_name(name) || normal(name) != normal(&at.name) {
            return Err(odd("a line of the index is another crate's"));
        }
        let newer = fields.get("v").is_some_and(|v| v.as_u64().is_none_or(|v| v > LINE_VERSION) && !v.is_null());
        let sha256 = text("cksum").filter(|sum| sum.len() == 64).and_then(|sum| Sha256Digest::from_str(sum).ok());
        let sha256 = match sha256 {
            None if newer => return Ok(None),
            sha256 => sha256.ok_or_else(|| odd("a line of the index has no SHA-256 checksum"))?,
        };
        let named = || Some((VersionName::parse(version).ok()?, download(&at.name, version).ok()?));
        let Some((named, location)) = Version::parse(version).ok().and_then(|_| named()) else { return Ok(None) };
        let Ok(path) = EntryPath::parse(&format!("{name}-{version}.crate")) else { return Ok(None) };
        Ok(Some(Self { name: name.to_owned(), version: named, path, location, sha256, fields }))
    }

    fn known(mut self, downloads: &Downloads) -> Result<KnownVersion, Unreadable> {
        let yanked = match self.fields.remove("yanked") {
            None | Some(Json::Null | Json::Bool(false)) => None,
            Some(Json::Bool(true)) => Some(String::new()),
            Some(_) => return Err(odd("a line of the index does not say whether it is yanked")),
        };
        let published_at = self.fields.remove("pubtime").and_then(|at| Timestamp::parse(at.as_str()?));
        let target = downloads.address(&self.name, self.version.as_str(), &self.sha256.hex())?;
        let manifest = Manifest { index: self.fields, description: None, published: Map::new() };
        let manifest = serde_json::to_string(&manifest).map_err(|_| odd("a line of the index cannot be kept"))?;
        let file = KnownFile {
            path: self.path,
            location: self.location,
            target,
            size: None,
            sha256: Some(self.sha256),
            sums: Sums::default(),
            attributes: None,
            published_at,
            yanked: None,
        };
        let version = self.version;
        Ok(KnownVersion { version, published_at, manifest, yanked, deprecated: None, files: vec![file] })
    }
}

fn odd(why: &str) -> Unreadable {
    Unreadable(why.to_owned())
}
