//! What a PUT to a package does: publishes a version, or says which versions are deprecated and which
//! remain.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use model::state::MarkKind;
use model::{EntryPath, PackageName, RefName, Refusal, VersionName};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};

use super::agrees::agrees;
use super::archive::{Archive, look};
use super::body::{Body, Said};
use super::names::{archive, clean, is_name, normal, tag};
use super::scan::malformed;
use super::{Npm, done};
use crate::tarball::contradiction;
use crate::{
    Change, Format, Intake, PackageAt, Piece, Plan, Release, ReleaseFile, Seen, Source, StagedFile, What, strict,
};

/// What is known of an archive beside its bytes: the attributes of its entry.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Known {
    pub(super) integrity: Option<String>,
    pub(super) shasum: Option<String>,
    pub(super) file_count: Option<u64>,
    pub(super) unpacked_size: Option<u64>,
    pub(super) has_install_script: bool,
    pub(super) has_shrinkwrap: bool,
    /// The provenance statement, as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provenance: Option<Box<RawValue>>,
    /// What an upstream signed: name, version and integrity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signatures: Option<Box<RawValue>>,
    /// What an upstream states of it when it is asked: the kind of the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stated: Option<String>,
}

/// What the server knows better, or what nobody reads in an index.
pub(super) const NOT_KEPT: [&str; 12] = [
    "_id",
    "_npmUser",
    "_attachments",
    "_rev",
    "deprecated",
    "dist",
    "readme",
    "_resolved",
    "_from",
    "hasInstallScript",
    "_hasShrinkwrap",
    "bundledDependencies",
];

/// A PUT to a package, under way.
#[derive(Debug)]
pub(super) struct Put {
    /// The package's name as the address has it.
    name: String,
    /// Whether the body says which versions remain.
    replaces: bool,
    body: Option<Body>,
    said: Said,
}

impl Put {
    pub(super) fn new(name: &str, replaces: bool) -> Self {
        Self { name: name.to_owned(), replaces, body: Some(Body::new()), said: Said::default() }
    }
}

impl Intake for Put {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Piece>) -> Result<(), Refusal> {
        self.body.as_mut().map_or(Ok(()), |body| body.push(bytes, out))
    }

    fn end(&mut self, _: &mut Vec<Piece>) -> Result<(), Refusal> {
        if let Some(body) = self.body.take() {
            self.said = body.end()?;
        }
        Ok(())
    }

    fn plan(self: Box<Self>, files: &mut [StagedFile]) -> Result<Plan, Refusal> {
        for field in ["name", "_id"] {
            let said = self.said.fields.get(field);
            if said.is_some_and(|said| said.as_str() != Some(&self.name)) {
                return Err(malformed(format!("{field} in the body is not {}, the name in the address", self.name)));
            }
        }
        match (files, self.replaces) {
            ([], _) => self.update(),
            ([archive], false) => self.publish(archive),
            _ => Err(malformed("a version is published without a revision in the address")),
        }
    }
}

impl Put {
    fn tags(&self) -> Result<Vec<(RefName, String)>, Refusal> {
        match self.said.fields.get("dist-tags") {
            None | Some(Json::Null) => Ok(Vec::new()),
            Some(Json::Object(tags)) => tags
                .iter()
                .map(|(name, version)| {
                    let version = version.as_str().ok_or_else(|| malformed("a dist-tag must name a version"))?;
                    Ok((tag(name)?, version.to_owned()))
                })
                .collect(),
            Some(_) => Err(malformed("dist-tags must be an object")),
        }
    }

    /// The body is the package as the client wants it to be: deprecations, and with a revision in the
    /// address also the versions that remain and the tags.
    fn update(self) -> Result<Plan, Refusal> {
        let Some(versions) = &self.said.versions else {
            return Err(malformed(
                "only versions, their deprecations and dist-tags are changed here: there are no stars, and who may \
                 publish is decided by the repository's bindings",
            ));
        };
        let package = PackageAt::named(normal(&self.name));
        let change = |what| Change { package: package.clone(), what };
        let mut changes: Vec<Change> = versions
            .iter()
            .map(|(version, text)| {
                let (version, text) = (version.clone(), text.clone());
                change(What::Mark { version, kind: MarkKind::Deprecated, text })
            })
            .collect();
        if self.replaces {
            for (name, version) in self.tags()? {
                if versions.contains_key(&version) {
                    changes.push(change(What::Point { name, version }));
                }
            }
            changes.push(change(What::KeepOnly { versions: versions.keys().cloned().collect() }));
        }
        let state = match self.said.fields.get("_rev").and_then(Json::as_str) {
            Some(rev) => Some(generation(rev).ok_or_else(|| malformed("_rev is none of ours"))?),
            None if self.replaces => return Err(malformed("the body must carry the _rev that it was made from")),
            None => None,
        };
        let seen = state.map(|state| Seen { package, state });
        Ok(Plan { changes, seen, answer: done(200), ..Plan::default() })
    }

    fn publish(mut self, staged: &mut StagedFile) -> Result<Plan, Refusal> {
        if !is_name(&self.name) {
            return Err(malformed(format!("a package cannot be called {}", self.name.escape_debug())));
        }
        let sent = self.said.only.take().ok_or_else(|| malformed("the body must name one version to publish"))?;
        let version = self.version(&sent)?;
        let found = look(&mut staged.bytes)?;
        agrees(&sent, &found)?;
        let mut known = self.known(&sent, &found, staged)?;
        known.provenance = self.provenance(&version)?;
        let mut refs = Vec::new();
        for (name, pointed) in self.tags()? {
            if pointed != version {
                return Err(malformed(format!("the dist-tag {name} must point at {version}, which is published")));
            }
            refs.push(name);
        }
        let package = PackageAt::named(normal(&self.name));
        let mut changes = Vec::new();
        if let Some(Some(text)) = self.said.versions.as_ref().and_then(|versions| versions.values().next()) {
            let what = What::Mark { version: version.clone(), kind: MarkKind::Deprecated, text: Some(text.clone()) };
            changes.push(Change { package: package.clone(), what });
        }
        let release = Release {
            package,
            files: vec![self.file(&version, &known)?],
            manifest: manifest(sent, &found.package, &self.name, &version).to_string(),
            display: self.name,
            exact_name: true,
            version: VersionName::parse(&version).map_err(|error| malformed(error.to_string()))?,
            refs,
            subject: None,
            again: false,
            joins: false,
        };
        Ok(Plan { release: Some(release), changes, answer: done(201), ..Plan::default() })
    }

    /// The version, which everything in the body must agree on.
    fn version(&self, sent: &Map<String, Json>) -> Result<String, Refusal> {
        let key = self.said.versions.iter().flatten().map(|(version, _)| version).next();
        let key = key.map(String::as_str).unwrap_or_default();
        let version = clean(key).filter(|clean| clean == key.split('+').next().unwrap_or(key));
        let version = version.ok_or_else(|| malformed(format!("{} is not a semantic version", key.escape_debug())))?;
        let stated = sent.get("version").and_then(Json::as_str).and_then(clean);
        if stated.as_ref() != Some(&version) {
            return Err(malformed(format!("the version {version} says of itself that it is another")));
        }
        Ok(version)
    }

    /// What we computed, after comparing it with what the client says.
    fn known(&self, sent: &Map<String, Json>, found: &Archive, staged: &StagedFile) -> Result<Known, Refusal> {
        if self.said.length.is_some_and(|length| length != staged.length) {
            return Err(contradiction(format!("the archive has {} bytes, not the length announced", staged.length)));
        }
        let integrity = staged.sums.sha512.map(|sum| format!("sha512-{}", STANDARD.encode(sum)));
        let shasum = staged.sums.sha1.map(|sum| sum.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let claims = |field| match sent.get("dist").and_then(|dist| dist.get(field)) {
            None | Some(Json::Null) => Ok(""),
            Some(Json::String(text)) => Ok(text.as_str()),
            Some(_) => Err(malformed(format!("dist.{field} must be text"))),
        };
        let shasum_claimed = claims("shasum")?;
        if !shasum_claimed.is_empty() && Some(shasum_claimed) != shasum.as_deref() {
            return Err(contradiction("the archive does not have the dist.shasum that the request says"));
        }
        for claim in claims("integrity")?.split_ascii_whitespace() {
            let claim = claim.split('?').next().unwrap_or(claim);
            let (algorithm, _) = claim.split_once('-').unwrap_or((claim, ""));
            let computed = match algorithm {
                "sha512" => integrity.clone(),
                "sha256" => Some(format!("sha256-{}", STANDARD.encode(staged.sha256.0))),
                "sha1" => staged.sums.sha1.map(|sum| format!("sha1-{}", STANDARD.encode(sum))),
                _ => {
                    let why = format!("the dist.integrity {} cannot be checked here", algorithm.escape_debug());
                    return Err(malformed(why));
                }
            };
            if computed.as_deref() != Some(claim) {
                return Err(contradiction("the archive does not have the dist.integrity that the request says"));
            }
        }
        Ok(Known {
            integrity,
            shasum,
            file_count: Some(found.files),
            unpacked_size: Some(found.unpacked),
            has_install_script: found.gyp || runs_scripts(&found.package),
            has_shrinkwrap: found.shrinkwrap,
            provenance: None,
            signatures: None,
            stated: None,
        })
    }

    /// The provenance statement, kept as it came. Clients verify its signature; we see that it is one.
    fn provenance(&mut self, version: &str) -> Result<Option<Box<RawValue>>, Refusal> {
        let Some(text) = self.said.provenance.take() else { return Ok(None) };
        let odd = |why: &str| contradiction(format!("the provenance of {} {version} {why}", self.name));
        let text = String::from_utf8(text).map_err(|_| odd("is not UTF-8"))?;
        let parsed: Json = strict::read(text.as_bytes()).map_err(|_| odd("is not JSON"))?;
        if predicate(&parsed).is_none() {
            return Err(odd("holds no statement"));
        }
        RawValue::from_string(text.trim().to_owned()).map(Some).map_err(|_| odd("is not JSON"))
    }

    fn file(&self, version: &str, known: &Known) -> Result<ReleaseFile, Refusal> {
        let odd = |error: model::NameError| malformed(error.to_string());
        let path = EntryPath::parse(&archive(&self.name, version)).map_err(odd)?;
        let package = PackageName::parse(&self.name).map_err(odd)?;
        let parsed = VersionName::parse(version).map_err(odd)?;
        Ok(ReleaseFile {
            location: Npm.location(&package, &parsed, &path).map_err(odd)?,
            path,
            source: Source::Staged(0),
            media_type: Some("application/octet-stream".to_owned()),
            attributes: Some(serde_json::to_string(known).map_err(|error| malformed(error.to_string()))?),
        })
    }
}

/// What decides whether and how a package is installed is what its archive says.
const STATED: [&str; 6] = ["os", "cpu", "libc", "engines", "acceptDependencies", "bundleDependencies"];

/// What is kept of the version.
fn manifest(mut sent: Map<String, Json>, stated: &Map<String, Json>, name: &str, version: &str) -> Json {
    for field in NOT_KEPT.iter().chain(&STATED) {
        sent.remove(*field);
    }
    let stated = STATED.iter().filter_map(|field| Some(((*field).to_owned(), said(stated, field)?)));
    sent.extend(stated);
    sent.insert("name".to_owned(), json!(name));
    sent.insert("version".to_owned(), json!(version));
    Json::Object(sent)
}

/// Whether installing runs scripts of the package.
pub(super) fn runs_scripts(stated: &Map<String, Json>) -> bool {
    let script = |name: &&str| stated.get("scripts").and_then(|scripts| scripts.get(name)).is_some();
    ["preinstall", "install", "postinstall"].iter().any(script)
}

/// A field of package.json as indexes have it: what is bundled is a list, however it was spelled.
pub(super) fn said(stated: &Map<String, Json>, field: &str) -> Option<Json> {
    if field != "bundleDependencies" {
        return stated.get(field).cloned();
    }
    match stated.get(field).or_else(|| stated.get("bundledDependencies"))? {
        Json::Bool(true) => Some(stated.get("dependencies")?.as_object()?.keys().cloned().collect()),
        list @ Json::Array(_) => Some(list.clone()),
        _ => None,
    }
}

/// The kind of statement in a provenance bundle.
pub(super) fn predicate(bundle: &Json) -> Option<String> {
    let payload = bundle.get("dsseEnvelope")?.get("payload")?.as_str()?;
    let statement: Json = model::json::from_slice(&STANDARD.decode(payload).ok()?).ok()?;
    Some(statement.get("predicateType")?.as_str()?.to_owned())
}

/// The state of a package that a `_rev` names.
fn generation(rev: &str) -> Option<u64> {
    rev.split('-').next()?.parse().ok()
}
