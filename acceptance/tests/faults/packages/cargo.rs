//! Crates: two lengths, a text and an archive; a line in the index.

use std::collections::BTreeMap;

use acceptance::http::{Answer, Http, Request};
use acceptance::{Result, Trouble};
use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::archives::tgz;
use super::{Format, Version, sha256};

pub(super) struct Cargo;

impl Format for Cargo {
    fn key(&self) -> &'static str {
        "cargo"
    }

    fn pack(&self, of: &Version) -> Result<Bytes> {
        let folder = format!("{}-{}", of.package, of.number);
        let manifest = format!("[package]\nname = \"{}\"\nversion = \"{}\"\n", of.package, of.number);
        tgz(&[(format!("{folder}/Cargo.toml"), manifest.into_bytes()), (format!("{folder}/noise"), of.noise())])
    }

    fn publish(&self, http: &Http, of: &Version, packed: &Bytes) -> Vec<Request> {
        let metadata = json!({"name": of.package, "vers": of.number, "deps": [], "features": {}}).to_string();
        let length = |length: usize| u32::try_from(length).unwrap_or_default().to_le_bytes();
        let body = [&length(metadata.len()), metadata.as_bytes(), &length(packed.len()), packed].concat();
        vec![http.put("/repository/cargo/api/v1/crates/new").body(body)]
    }

    fn is_conflict(&self, answer: &Answer) -> bool {
        answer.status == 409 && answer.string("/errors/0/detail").is_ok_and(|why| why.contains("already exists"))
    }

    fn document(&self, package: &str) -> String {
        let (first, second) = (package.get(..2).unwrap_or_default(), package.get(2..4).unwrap_or_default());
        format!("/repository/cargo/{first}/{second}/{package}")
    }

    fn listed(&self, document: &Answer) -> Result<BTreeMap<String, Option<String>>> {
        let text = document.text();
        let lines = text.lines().map(|line| {
            let line: Json = serde_json::from_str(line).map_err(|error| Trouble::new(format!("{error}: {line}")))?;
            let text = |field: &str| line[field].as_str().map(str::to_owned);
            Ok((text("vers").unwrap_or_default(), text("cksum")))
        });
        lines.collect()
    }

    fn digest(&self, packed: &Bytes) -> Option<String> {
        Some(sha256(packed))
    }

    fn files(&self, of: &Version, packed: &Bytes) -> Vec<(String, Bytes)> {
        vec![(format!("/repository/cargo/dl/{}/{}/download", of.package, of.number), packed.clone())]
    }
}
