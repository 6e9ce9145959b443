//! What is brought with a manifest: its blobs, and of an index the images that are wanted.
//!
//! Sources: OCI image specification 1.1 (descriptor, index, "platform"); the attestations that builders list beside images
//! (annotations `vnd.docker.reference.type` and `vnd.docker.reference.digest`).

use serde::Deserialize;

use super::manifest::Manifest;
use crate::{Named, Part, Parts, Platform, Portion, Unreadable};

/// The annotation of what is listed beside an image: the image.
const ABOUT: &str = "vnd.docker.reference.digest";
/// What stands where a platform says nothing.
const NOWHERE: &str = "unknown";

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Option<Vec<Listed>>,
}

/// A manifest in an index.
#[derive(Deserialize)]
struct Listed {
    digest: String,
    #[serde(default)]
    platform: Option<Made>,
    #[serde(default)]
    annotations: Option<std::collections::BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Made {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
}

/// What a manifest with these bytes is made of.
pub(super) fn parts(manifest: Manifest, bytes: &[u8], portion: &Portion) -> Result<Parts, Unreadable> {
    let part = |held: super::manifest::Held| Part { content: held.content, required: held.required };
    let blobs = manifest.blobs.into_iter().map(part).collect();
    if portion.platforms.is_empty() || manifest.children.is_empty() {
        return Ok(Parts { blobs, versions: manifest.children, lacks: None });
    }
    let index: Index = model::json::from_slice(bytes).map_err(|error| Unreadable(error.to_string()))?;
    let listed = index.manifests.unwrap_or_default();
    let fits = |one: &&Listed| one.is_wanted(portion);
    let chosen: Vec<&Listed> = listed.iter().filter(fits).collect();
    let of_chosen = |one: &&Listed| one.about().is_some_and(|about| chosen.iter().any(|image| image.digest == about));
    let beside = listed.iter().filter(|_| portion.attached).filter(of_chosen);
    let versions = chosen.iter().copied().chain(beside).filter_map(|one| one.digest.parse().ok());
    let versions = versions.filter(|named| manifest.children.contains(named)).collect();
    let lacks = (chosen.is_empty() && listed.iter().any(|one| one.made_for().is_some())).then(|| {
        let wanted: Vec<String> = portion.platforms.iter().map(Platform::to_string).collect();
        format!("the index has nothing for {}", wanted.join(", "))
    });
    Ok(Parts { blobs, versions, lacks })
}

impl Listed {
    /// Whether it was made for one of the platforms, or nobody says for which and it is about nothing else.
    fn is_wanted(&self, portion: &Portion) -> bool {
        match self.made_for() {
            Some(made) => portion.platforms.iter().any(|wanted| wanted.means(&made)),
            None => self.about().is_none(),
        }
    }

    fn made_for(&self) -> Option<Platform> {
        let made = self.platform.as_ref()?;
        let says = |word: &str| !word.is_empty() && word != NOWHERE;
        let told = says(&made.os) && says(&made.architecture);
        told.then(|| Platform::of(&made.os, &made.architecture, made.variant.as_deref()))
    }

    /// What it is about, where it is no image of its own.
    fn about(&self) -> Option<&str> {
        self.annotations.as_ref()?.get(ABOUT).map(String::as_str)
    }
}

/// Tags under which signatures, attestations and bills of material are kept beside an image.
pub(super) fn beside(named: &Named) -> Vec<String> {
    let tag = |kind: &str| format!("{}-{}.{kind}", named.algorithm(), named.hex());
    let short = |tag: &String| model::RefName::parse(tag).is_ok();
    ["sig", "att", "sbom"].map(tag).into_iter().filter(short).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::oci::INDEX;

    fn digest(number: u8) -> String {
        format!("sha256:{}", format!("{number:02x}").repeat(32))
    }

    fn image(number: u8, os: &str, architecture: &str) -> Value {
        json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(number), "size": 7,
            "platform": {"os": os, "architecture": architecture}})
    }

    /// Two images, what attests the first one, something that is for nobody, and a blob.
    fn index() -> Vec<u8> {
        let mut attests = image(3, NOWHERE, NOWHERE);
        attests["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest", ABOUT: digest(1)});
        let plain = json!({"mediaType": "application/x.plain+json", "digest": digest(4), "size": 7});
        let blob = json!({"mediaType": "application/x.blob", "digest": digest(5), "size": 7});
        let listed = json!([image(1, "linux", "amd64"), image(2, "linux", "arm64"), attests, plain, blob]);
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).to_string().into_bytes()
    }

    fn wanted(platforms: &[&str], attached: bool) -> Parts {
        let platforms = platforms.iter().map(|one| one.parse().expect("a platform")).collect();
        let bytes = index();
        let manifest = Manifest::parse(&bytes, INDEX).expect("an index");
        parts(manifest, &bytes, &Portion { platforms, attached }).expect("parts")
    }

    fn numbers(parts: &Parts) -> Vec<u8> {
        let number = |named: &Named| u8::from_str_radix(&named.hex()[..2], 16).expect("digits");
        parts.versions.iter().map(number).collect()
    }

    #[test]
    fn an_index_is_brought_with_all_that_it_lists_or_with_what_is_wanted() {
        let all = wanted(&[], true);
        assert_eq!((numbers(&all), all.blobs.len()), (vec![1, 2, 3, 4], 1));
        assert_eq!(numbers(&wanted(&["linux/amd64"], true)), [1, 4, 3], "with what attests it");
        assert_eq!(numbers(&wanted(&["linux/amd64"], false)), [1, 4]);
        assert_eq!(numbers(&wanted(&["linux/arm64/v8", "linux/amd64"], false)), [1, 2, 4]);
    }

    #[test]
    fn an_index_without_a_wanted_platform_says_so() {
        let bytes = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [image(1, "linux", "amd64")]});
        let bytes = bytes.to_string().into_bytes();
        let manifest = Manifest::parse(&bytes, INDEX).expect("an index");
        let platforms = vec!["windows/amd64".parse().expect("a platform")];
        let found = parts(manifest, &bytes, &Portion { platforms, attached: true }).expect("parts");
        assert_eq!(found.lacks.as_deref(), Some("the index has nothing for windows/amd64"));
        assert_eq!(wanted(&["linux/amd64"], true).lacks, None);
    }

    #[test]
    fn what_belongs_to_an_image_has_tags_of_its_digest() {
        let named: Named = digest(1).parse().expect("a digest");
        assert_eq!(beside(&named)[0], format!("sha256-{}.sig", "01".repeat(32)));
        let long: Named = format!("sha512:{}", "01".repeat(64)).parse().expect("a digest");
        assert!(beside(&long).is_empty(), "no tag is that long");
    }
}
