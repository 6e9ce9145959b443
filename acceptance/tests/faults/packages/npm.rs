//! npm's packages: one request with everything, and a packument.

use std::collections::BTreeMap;

use acceptance::Result;
use acceptance::http::{Answer, Http, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha512};

use super::archives::tgz;
use super::{Format, Version};

pub(super) struct Npm;

impl Format for Npm {
    fn key(&self) -> &'static str {
        "npm"
    }

    fn pack(&self, of: &Version) -> Result<Bytes> {
        let package = package(of).to_string().into_bytes();
        tgz(&[("package/package.json".to_owned(), package), ("package/noise".to_owned(), of.noise())])
    }

    fn publish(&self, http: &Http, of: &Version, packed: &Bytes) -> Vec<Request> {
        let mut version = package(of);
        version["dist"] = json!({"integrity": self.digest(packed)});
        let file = json!({"content_type": "application/octet-stream", "data": STANDARD.encode(packed)});
        let body = json!({
            "_id": of.package, "name": of.package, "dist-tags": {"latest": of.number},
            "versions": {&of.number: version},
            "_attachments": {format!("{}-{}.tgz", of.package, of.number): file},
        });
        vec![http.put(&format!("/repository/npm/{}", of.package)).json(&body)]
    }

    fn is_conflict(&self, answer: &Answer) -> bool {
        let over = "You cannot publish over the previously published versions";
        answer.status == 403 && answer.string("/error").is_ok_and(|error| error.starts_with(over))
    }

    fn document(&self, package: &str) -> String {
        format!("/repository/npm/{package}")
    }

    fn listed(&self, document: &Answer) -> Result<BTreeMap<String, Option<String>>> {
        let document = document.json()?;
        let versions = document["versions"].as_object().into_iter().flatten();
        Ok(versions
            .map(|(number, version)| (number.clone(), version["dist"]["integrity"].as_str().map(str::to_owned)))
            .collect())
    }

    fn digest(&self, packed: &Bytes) -> Option<String> {
        Some(format!("sha512-{}", STANDARD.encode(Sha512::digest(packed))))
    }

    fn files(&self, of: &Version, packed: &Bytes) -> Vec<(String, Bytes)> {
        vec![(format!("/repository/npm/{0}/-/{0}-{1}.tgz", of.package, of.number), packed.clone())]
    }
}

fn package(of: &Version) -> Json {
    json!({"name": of.package, "version": of.number})
}
