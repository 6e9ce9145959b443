//! Packages of another registry: its packuments as facts, whoever wrote them.
//!
//! What breaks the JSON (keys that are there twice, nesting without end, text that is none) breaks the whole answer.
//! What cannot be used of one version (a name, an address, digests that nobody can check) leaves that version out.

use std::collections::{HashMap, HashSet};

use model::{EntryPath, Timestamp, VersionName};
use semver::Version;
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};

use super::address::plain;
use super::digests::Digests;
use super::names::{archive, clean, highest, is_listed, is_name, place, tag, version_of};
use super::object::{Object, text};
use super::{Npm, body, publish};
use crate::address::decode;
use crate::links::Links;
use crate::signs::NOWHERE;
use crate::{
    Ask, Asked, Known, KnownFile, KnownVersion, Origin, PackageAt, Probe, Relay, Said, Sign, Signs, Unreadable,
    Upstream, Verdict, Wanting, strict,
};

/// Versions of a package at most.
const VERSIONS: usize = 100_000;
/// The longest text that tells people to use something else, in bytes; more is cut off.
const WARNING: usize = 2000;
/// The longest signatures of one version, in bytes; longer ones are not kept.
const SIGNATURES: usize = 64 << 10;
/// The longest name of what was stated of a version, in bytes.
const PREDICATE: usize = 200;
/// Where the keys are that versions are signed with.
const KEYS: &str = "-/npm/v1/keys";
/// What is not known of a registry without a ping.
const NO_PING: &str = "it has no /-/ping, as registries that are folders of files; whether the path is right shows with the first package";

impl Upstream for Npm {
    /// The whole packument: the short one tells no times.
    fn asks(&self, at: &PackageAt, _: Wanting<'_>) -> Vec<Ask> {
        if !is_name(&at.name) {
            return Vec::new();
        }
        vec![Ask { target: at.name.replace('/', "%2f"), accept: "application/json" }]
    }

    fn narrows(&self) -> bool {
        false
    }

    fn read(&self, at: &PackageAt, _: Wanting<'_>, said: &[Option<Said<'_>>]) -> Result<Option<Known>, Unreadable> {
        let Some(said) = said.first().copied().flatten() else { return Ok(None) };
        let packument = Object::read(said.body)?;
        let display = packument.text("name").ok_or_else(|| odd("the answer is no packument: it has no name"))?;
        if !is_name(&display) || !means(&display, &at.name) {
            return Err(odd("the packument is another package's"));
        }
        let times = packument.object("time")?.unwrap_or_default();
        let Some(versions) = packument.object("versions")? else {
            // What is left of a package of which everything was withdrawn.
            let gone = times.get("unpublished").is_some();
            return if gone { Ok(None) } else { Err(odd("the packument has no versions")) };
        };
        if versions.0.len() > VERSIONS {
            return Err(odd(&format!("the packument has more than {VERSIONS} versions")));
        }
        let times = times.0.into_iter().collect();
        let package = Package { display, at, links: Links::of(said.address)?, times };
        let versions = versions.0.iter().map(|(version, fields)| package.version(version, fields));
        let versions: Vec<KnownVersion> = versions.filter_map(Result::transpose).collect::<Result<_, _>>()?;
        let refs = refs(&packument.object("dist-tags")?.unwrap_or_default(), &versions);
        Ok(Some(Known { display: package.display, versions, refs, around: Vec::new() }))
    }

    fn signs(&self, _: &str) -> Signs {
        let probes = vec![Probe::new("-/ping", ping), Probe::new("", root)];
        let nowhere = Some(Ask { target: format!("-/{NOWHERE}"), accept: "" });
        Signs { nowhere, ..Signs::of_protocol("an npm registry", probes) }
    }

    fn newest<'v>(&self, versions: &[&'v str]) -> Option<&'v str> {
        highest(versions.iter().copied())
    }

    fn origin(&self, path: &EntryPath) -> Option<Origin> {
        let (name, file) = path.as_str().split_once("/-/")?;
        let version = version_of(name, file).filter(|version| !version.contains('/'))?;
        let ours = is_name(name) && archive(name, version) == file;
        ours.then(|| Origin::Listed(PackageAt::named(name)))
    }

    /// The keys that the registry signs with, and what was stated of a version when it was published.
    fn relay(&self, asked: &Asked<'_>) -> Option<Relay> {
        if !asked.method.reads() || !asked.rest.starts_with("-/npm/v1/") {
            return None;
        }
        let path = decode(&plain(asked.rest)).ok()?;
        let (target, package) = match path.strip_prefix("-/npm/v1/attestations/") {
            None if path == KEYS => (path, None),
            None => return None,
            Some(spec) => {
                let (name, version) = spec.rsplit_once('@').filter(|(name, _)| is_name(name))?;
                Version::parse(version).ok()?;
                let target = format!("-/npm/v1/attestations/{}@{version}", name.replace('/', "%2f"));
                (target, Some(PackageAt::named(name)))
            }
        };
        let ask = Ask { target, accept: "application/json" };
        Some(Relay { ask, package, media_type: "application/json", forever: false, sound: is_object, advice: "" })
    }
}

/// Registries answer it with JSON; those that are folders of files have none.
fn ping(sign: &Sign<'_>) -> Verdict {
    let fine = |whole: serde_json::Map<String, Json>| !whole.contains_key("error") && !whole.contains_key("errors");
    match sign.is_found() {
        true if sign.is_page() => Verdict::Wrong("it answers /-/ping with a page for people"),
        true if sign.object().is_some_and(fine) => Verdict::Proof("it answers /-/ping as one"),
        _ => Verdict::Open(NO_PING),
    }
}

fn root(sign: &Sign<'_>) -> Verdict {
    match sign.is_site() {
        true => Verdict::Doubt("it has no /-/ping, and its root is a page for people"),
        false => Verdict::Open(NO_PING),
    }
}

fn is_object(body: &[u8]) -> bool {
    strict::read(body).is_ok_and(|value| value.is_object())
}

/// Whether the packument of this name is what was asked for: a registry to which names that differ in case are one
/// package may answer with its own spelling. Where capitals were asked for, another spelling may be another package.
fn means(stated: &str, asked: &str) -> bool {
    let lower = !asked.bytes().any(|byte| byte.is_ascii_uppercase());
    stated == asked || (lower && stated.eq_ignore_ascii_case(asked))
}

/// What the versions of a packument have in common.
struct Package<'a> {
    display: String,
    at: &'a PackageAt,
    links: Links,
    times: HashMap<String, &'a RawValue>,
}

impl Package<'_> {
    /// A version; `None`: it cannot be used here.
    fn version(&self, version: &str, fields: &RawValue) -> Result<Option<KnownVersion>, Unreadable> {
        let Some(fields) = Object::of(fields)? else { return Ok(None) };
        let Some(dist) = fields.object("dist")? else { return Ok(None) };
        let manifest = kept(&fields)?;
        let published_at = self.times.get(version).and_then(|at| Timestamp::parse(&text(at)?));
        Ok(self.known(version, &fields, manifest, &dist, published_at))
    }

    fn known(
        &self,
        version: &str,
        fields: &Object<'_>,
        mut manifest: Map<String, Json>,
        dist: &Object<'_>,
        published_at: Option<Timestamp>,
    ) -> Option<KnownVersion> {
        let stated = |field: &str| manifest.get(field).map(|said| said.as_str().unwrap_or_default().to_owned());
        let name = stated("name");
        let another =
            |stated: String| stated != version && clean(&stated).is_none_or(|said| Some(said) != clean(version));
        if !is_listed(version)
            || stated("version").is_some_and(another)
            || name.is_some_and(|name| !name.eq_ignore_ascii_case(&self.at.name))
        {
            return None;
        }
        let attributes = attributes(fields, &manifest, dist)?;
        // Ours is the name that was asked for: addresses are made of it.
        manifest.insert("name".to_owned(), json!(self.at.name));
        manifest.insert("version".to_owned(), json!(version));
        let manifest = Some(Json::Object(manifest).to_string()).filter(|text| text.len() <= body::VERSION)?;
        let file = self.file(version, dist, &attributes, published_at)?;
        Some(KnownVersion {
            version: VersionName::parse(version).ok()?,
            published_at,
            manifest,
            yanked: None,
            deprecated: fields.get("deprecated").and_then(warning),
            files: vec![file],
        })
    }

    /// The archive: here it is called as ours are, whatever it is called there.
    fn file(
        &self,
        version: &str,
        dist: &Object<'_>,
        (attributes, digests): &(publish::Known, Digests),
        published_at: Option<Timestamp>,
    ) -> Option<KnownFile> {
        let path = EntryPath::parse(&archive(&self.at.name, version)).ok()?;
        Some(KnownFile {
            location: place(&self.at.name, path.as_str()).ok()?,
            path,
            target: self.links.resolve(&dist.text("tarball")?)?,
            size: None,
            sha256: digests.sha256,
            sums: digests.sums.clone(),
            attributes: Some(serde_json::to_string(attributes).ok()?),
            published_at,
            yanked: None,
        })
    }
}

/// What is kept of a version, as of one that is published here.
fn kept(fields: &Object<'_>) -> Result<Map<String, Json>, Unreadable> {
    let mut kept = Map::new();
    let bundled = |key: &str| key == "bundledDependencies";
    for (key, value) in fields.0.iter().filter(|(key, _)| bundled(key) || !publish::NOT_KEPT.contains(&key.as_str())) {
        let value = strict::read(value.get().as_bytes()).map_err(|_| odd("a version's metadata is no strict JSON"))?;
        kept.insert(key.clone(), value);
    }
    let bundled = publish::said(&kept, "bundleDependencies");
    kept.retain(|key, _| key != "bundleDependencies" && key != "bundledDependencies");
    kept.extend(bundled.map(|list| ("bundleDependencies".to_owned(), list)));
    Ok(kept)
}

/// What is known of the archive beside its bytes; `None`: it cannot be checked.
fn attributes(
    fields: &Object<'_>,
    manifest: &Map<String, Json>,
    dist: &Object<'_>,
) -> Option<(publish::Known, Digests)> {
    let (integrity, shasum) = (dist.text("integrity").unwrap_or_default(), dist.text("shasum").unwrap_or_default());
    let digests = Digests::read(&integrity, &shasum)?;
    let number = |field: &str| dist.get(field).and_then(|value| value.get().parse().ok());
    let says = |field: &str| fields.get(field).is_some_and(|value| value.get() == "true");
    // They sign the integrity as it stands there.
    let signed = digests.integrity.as_ref() == Some(&integrity);
    let known = publish::Known {
        integrity: digests.integrity.clone(),
        shasum: digests.shasum.clone(),
        file_count: number("fileCount"),
        unpacked_size: number("unpackedSize"),
        has_install_script: says("hasInstallScript") || says("gypfile") || publish::runs_scripts(manifest),
        has_shrinkwrap: says("_hasShrinkwrap"),
        provenance: None,
        signatures: dist.get("signatures").filter(|_| signed).and_then(signatures),
        stated: dist.object("attestations").ok().flatten().and_then(|stated| self::stated(&stated)),
    };
    Some((known, digests))
}

/// What the upstream can be asked to state of a version.
fn stated(attestations: &Object<'_>) -> Option<String> {
    let kind = attestations.object("provenance").ok()??.text("predicateType")?;
    (kind.len() <= PREDICATE).then_some(kind)
}

fn signatures(list: &RawValue) -> Option<Box<RawValue>> {
    let short = list.get().len() <= SIGNATURES;
    let strict = || strict::read(list.get().as_bytes()).is_ok_and(|value| value.is_array());
    (short && strict()).then(|| list.to_owned())
}

/// What people are told instead of using it. Registries also say `false` and nothing at all for "use it".
fn warning(said: &RawValue) -> Option<String> {
    if said.get() == "true" {
        return Some(String::new());
    }
    let mut text = text(said).filter(|text| !text.is_empty())?;
    text.truncate(text.floor_char_boundary(WARNING));
    Some(text)
}

/// The dist-tags, by name, that can be refs here and point at a version that is there.
fn refs(tags: &Object<'_>, versions: &[KnownVersion]) -> Vec<(String, String)> {
    let versions: HashSet<&str> = versions.iter().map(|known| known.version.as_str()).collect();
    let pointed = |(name, version): &(String, &RawValue)| Some((tag(name).ok()?.to_string(), text(version)?));
    let pointed = tags.0.iter().filter_map(pointed);
    let mut refs: Vec<_> = pointed.filter(|(_, version)| versions.contains(version.as_str())).collect();
    refs.sort();
    refs
}

fn odd(why: &str) -> Unreadable {
    Unreadable(why.to_owned())
}
