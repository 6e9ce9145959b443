//! Images: a blob, then a manifest under a tag that does not move.

use std::collections::BTreeMap;

use acceptance::Result;
use acceptance::http::{Answer, Http, Request};
use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::{Format, Version, each, sha256};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

pub(super) struct Oci;

impl Format for Oci {
    fn key(&self) -> &'static str {
        "oci"
    }

    fn settings(&self) -> Json {
        json!({"immutableRefs": ["*"]})
    }

    fn pack(&self, of: &Version) -> Result<Bytes> {
        let config = of.noise();
        let digest = format!("sha256:{}", sha256(&config));
        let config = json!({"mediaType": "application/x.noise", "digest": digest, "size": config.len()});
        let manifest = json!({"schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": []});
        Ok(manifest.to_string().into())
    }

    fn publish(&self, http: &Http, of: &Version, packed: &Bytes) -> Vec<Request> {
        let config = of.noise();
        let upload = format!("/v2/oci/{}/blobs/uploads/?digest=sha256:{}", of.package, sha256(&config));
        let manifest = http.put(&format!("/v2/oci/{}/manifests/{}", of.package, of.number));
        vec![http.post(&upload).body(config), manifest.header("Content-Type", IMAGE).body(packed.clone())]
    }

    fn is_conflict(&self, answer: &Answer) -> bool {
        answer.status == 409 && answer.string("/errors/0/code").is_ok_and(|code| code == "DENIED")
    }

    fn document(&self, package: &str) -> String {
        format!("/v2/oci/{package}/tags/list")
    }

    fn listed(&self, document: &Answer) -> Result<BTreeMap<String, Option<String>>> {
        Ok(each(&document.json()?["tags"], "").map(|tag| (tag.to_owned(), None)).collect())
    }

    fn digest(&self, _: &Bytes) -> Option<String> {
        None
    }

    fn files(&self, of: &Version, packed: &Bytes) -> Vec<(String, Bytes)> {
        let config = of.noise();
        let at = |what: String| format!("/v2/oci/{}/{what}", of.package);
        vec![
            (at(format!("manifests/{}", of.number)), packed.clone()),
            (at(format!("manifests/sha256:{}", sha256(packed))), packed.clone()),
            (at(format!("blobs/sha256:{}", sha256(&config))), config.into()),
        ]
    }
}
