//! Manifests: what they refer to, and what referrers are told of them. The bytes stay as they came.
//!
//! Sources: OCI image specification 1.1 (manifest, index, descriptor), distribution specification 1.1.

use std::collections::BTreeMap;
use std::fmt::Display;

use model::{Code, Refusal};
use serde::{Deserialize, Serialize};

use crate::Named;

/// The longest manifest, in bytes: what the distribution specification asks registries to take.
pub const LONGEST: usize = 4 << 20;
/// References of one manifest at most.
const REFERENCES: usize = 4000;
/// Annotations of a manifest that belongs to another, in bytes at most: a list of referrers repeats them, those of
/// hundreds of manifests at once.
const ANNOTATIONS: usize = 64 << 10;
/// The longest media type, in bytes (RFC 6838 allows 127 on each side of the slash).
const MEDIA_TYPE: usize = 255;

/// The index of manifests, also what referrers are listed in.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
const DOCKER_FIRST: &str = "application/vnd.docker.distribution.manifest.v1+json";
/// JSON that is no manifest.
const CONFIGURATIONS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// A manifest as far as we need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its media type.
    pub media_type: String,
    /// What kind of artifact it is; for images the media type of their configuration.
    pub artifact_type: Option<String>,
    /// What it belongs to; that need not exist.
    pub subject: Option<Named>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The blobs that it is made of, each once. Those that an index lists are among them: caches of builds are such indexes.
    pub blobs: Vec<Held>,
    /// The manifests that it lists.
    pub children: Vec<Named>,
}

/// A blob of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its name.
    pub content: Named,
    /// Its length in bytes.
    pub size: u64,
    /// Its media type.
    pub media_type: String,
    /// Whether it must be here; layers that may not be distributed need not.
    pub required: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Text {
    schema_version: u64,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    artifact_type: Option<String>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    blobs: Option<Vec<Descriptor>>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    subject: Option<Descriptor>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    urls: Option<Vec<String>>,
}

impl Manifest {
    /// Reads a manifest that came with this `Content-Type`.
    pub fn parse(bytes: &[u8], content_type: &str) -> Result<Self, Refusal> {
        let text: Text = model::json::from_slice(bytes).map_err(unreadable)?;
        super::spelling::check(bytes).map_err(unreadable)?;
        text.unambiguous()?;
        let media_type = text.media_type(content_type)?;
        if text.schema_version != 2 || media_type == DOCKER_FIRST || media_type == DOCKER_SIGNED {
            return Err(invalid("schemaVersion must be 2: manifests of the first schema are not taken"));
        }
        let subject = text.subject.as_ref().map(Descriptor::name).transpose()?;
        let annotated = text.annotations.iter().flatten().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        if subject.is_some() && annotated > ANNOTATIONS {
            let why = format!("a manifest with a subject may have at most {ANNOTATIONS} bytes of annotations");
            return Err(invalid(why));
        }
        let listed = text.manifests.iter().flatten();
        let children = listed.filter(|one| !one.is_blob()).map(Descriptor::name).collect::<Result<_, _>>()?;
        let blobs = text.held()?;
        let config = text.config.map(|config| config.media_type).filter(|_| text.manifests.is_none());
        let artifact_type = text.artifact_type.filter(|kind| !kind.is_empty()).or(config);
        let annotations = text.annotations.unwrap_or_default();
        Ok(Self { media_type, artifact_type, subject, annotations, blobs, children })
    }
}

impl Manifest {
    /// Whether it lists others, and holds what it lists.
    pub fn is_index(&self) -> bool {
        is_index(&self.media_type)
    }
}

fn is_index(kind: &str) -> bool {
    kind == INDEX || kind == DOCKER_INDEX
}

impl Text {
    /// Two programs that read the manifest must see the same: not an image and an index at once (CVE-2021-41190).
    fn unambiguous(&self) -> Result<(), Refusal> {
        let lists = [&self.layers, &self.blobs, &self.manifests];
        let all = || lists.into_iter().flatten().flatten().chain(&self.config).chain(&self.subject);
        if all().count() > REFERENCES {
            return Err(invalid(format!("a manifest has at most {REFERENCES} references")));
        }
        if self.manifests.is_some() && (self.layers.is_some() || self.config.is_some() || self.blobs.is_some()) {
            return Err(invalid(
                "a manifest is an image or an index, not both: it has manifests beside config or layers",
            ));
        }
        Ok(())
    }

    fn media_type(&self, content_type: &str) -> Result<String, Refusal> {
        let header = content_type.split(';').next().unwrap_or_default().trim();
        let own = self.media_type.as_deref().filter(|own| !own.is_empty());
        let kind = match (own, header) {
            (Some(own), "") => own,
            (Some(own), header) if own == header => own,
            (Some(own), header) => {
                let (own, header) = (own.escape_debug(), header.escape_debug());
                return Err(invalid(format!("the Content-Type is {header}, but the manifest says that it is {own}")));
            }
            (None, "" | "application/json") if self.manifests.is_some() => INDEX,
            (None, "" | "application/json") => IMAGE,
            (None, header) => header,
        };
        if kind.len() > MEDIA_TYPE || !kind.contains('/') || !kind.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid("the media type of the manifest is none"));
        }
        if (is_index(kind) && (self.layers.is_some() || self.config.is_some()))
            || (kind == IMAGE && self.manifests.is_some())
        {
            return Err(invalid(format!("what the manifest holds is not what its media type {kind} says")));
        }
        Ok(kind.to_owned())
    }

    /// The blobs, each once.
    fn held(&self) -> Result<Vec<Held>, Refusal> {
        let mut held: BTreeMap<Named, Held> = BTreeMap::new();
        let parts = self.config.iter().chain(self.layers.iter().flatten()).chain(self.blobs.iter().flatten());
        let parts = parts.map(|one| (one, !one.is_foreign()));
        // What an index lists need not be here.
        let listed = self.manifests.iter().flatten().filter(|one| one.is_blob()).map(|one| (one, false));
        for (one, required) in parts.chain(listed) {
            let content = one.name()?;
            let known = held.entry(content).or_insert_with(|| Held {
                content,
                size: one.size,
                media_type: one.media_type.clone(),
                required,
            });
            if known.size != one.size {
                return Err(invalid(format!("{content} is given with two sizes, {} and {}", known.size, one.size)));
            }
            known.required |= required;
        }
        Ok(held.into_values().collect())
    }
}

impl Descriptor {
    fn name(&self) -> Result<Named, Refusal> {
        if i64::try_from(self.size).is_err() || self.media_type.len() > MEDIA_TYPE {
            return Err(invalid(format!("a descriptor of {} is out of bounds", self.digest.escape_debug())));
        }
        self.digest.parse().map_err(|error| invalid(format!("{}: {error}", self.digest.escape_debug())))
    }

    /// Whether it is no manifest, in an index: all of those are JSON.
    fn is_blob(&self) -> bool {
        let kind = self.media_type.as_str();
        kind != DOCKER_SIGNED && (!kind.ends_with("json") || CONFIGURATIONS.contains(&kind))
    }

    /// Whether the bytes may be elsewhere: layers that may not be distributed, or that name their addresses.
    fn is_foreign(&self) -> bool {
        let kind = &self.media_type;
        kind.contains(".nondistributable.")
            || kind.contains(".foreign.")
            || self.urls.as_ref().is_some_and(|urls| !urls.is_empty())
    }
}

/// What is kept of a manifest beside its bytes: a descriptor for those who list what refers to what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// Its media type.
    pub media_type: String,
    /// Its length in bytes.
    pub size: u64,
    /// What kind of artifact it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// What it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Its annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The blobs that it is made of, where they may come later than the manifest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<KeptBlob>,
    /// The manifests that it lists, where it came from elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<String>,
}

/// A blob, as a manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptBlob {
    /// Its name.
    pub digest: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its media type.
    pub media_type: String,
}

impl Kept {
    /// What is kept of `manifest`, which has `size` bytes.
    pub fn of(manifest: &Manifest, size: u64) -> Self {
        Self {
            media_type: manifest.media_type.clone(),
            size,
            artifact_type: manifest.artifact_type.clone(),
            subject: manifest.subject.map(|subject| subject.to_string()),
            annotations: manifest.annotations.clone(),
            blobs: Vec::new(),
            children: Vec::new(),
        }
    }

    /// The same with what it is made of.
    pub(super) fn with_parts(manifest: &Manifest, size: u64) -> Self {
        let blob = |held: &Held| KeptBlob {
            digest: held.content.to_string(),
            size: held.size,
            media_type: held.media_type.clone(),
        };
        let children = manifest.children.iter().map(Named::to_string).collect();
        Self { blobs: manifest.blobs.iter().map(blob).collect(), children, ..Self::of(manifest, size) }
    }

    /// The blobs; those that are named by no digest are left out.
    pub(super) fn held(&self) -> Vec<Held> {
        let held = |blob: &KeptBlob| {
            let (size, media_type) = (blob.size, blob.media_type.clone());
            Some(Held { content: blob.digest.parse().ok()?, size, media_type, required: false })
        };
        self.blobs.iter().filter_map(held).collect()
    }
}

pub(super) fn unreadable(why: impl Display) -> Refusal {
    invalid(format!("the manifest cannot be read: {why}"))
}

pub(super) fn invalid(why: impl Into<String>) -> Refusal {
    Refusal::new(Code::Unprocessable, why.into())
}
