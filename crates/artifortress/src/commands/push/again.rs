//! A push that is repeated after it had succeeded: the version is there, with the very same files.

use std::collections::BTreeMap;

use model::Sha256Digest;
use outbound::Client;
use serde_json::Value;

use super::super::failure::Failure;
use super::super::hashing::hash_file;
use super::super::progress::Progress;
use super::plan::Planned;
use super::version::Target;
use super::{Fate, Pushed};

impl Target<'_> {
    /// The published version of this name, if its files are exactly those that are pushed now.
    pub(super) async fn published_before(
        &self,
        client: &Client,
        plan: &[Planned],
        progress: &Progress,
    ) -> Result<Option<(Vec<Pushed>, Value)>, Failure> {
        let resolve = client.get(&self.at(&["resolve"])).query("name", self.package).query("version", self.version);
        let resolve = self.with.namespace.iter().fold(resolve, |call, namespace| call.query("namespace", namespace));
        let version: Value = match resolve.send().await {
            Ok(answer) => answer.json().await?,
            Err(error) if matches!(error.status(), Some(404 | 410)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(id) = version["versionId"].as_str() else { return Ok(None) };
        let mut there = self.entries(client, id).await?;
        if version["state"] != "published" || there.len() != plan.len() {
            return Ok(None);
        }
        let mut same = Vec::with_capacity(plan.len());
        for planned in plan {
            let Some(digest) = there.remove(planned.path.as_str()) else { return Ok(None) };
            let held = hash_file(planned.source.clone()).await;
            let held = held.map_err(|error| {
                Failure::new(format!("the file cannot be read: {error}")).about(planned.source.display())
            })?;
            if held.hasher.digest() != digest {
                return Ok(None);
            }
            progress.done(held.length);
            same.push(Pushed { path: planned.path.to_string(), digest, size: held.length, fate: Fate::Unchanged });
        }
        Ok(Some((same, version)))
    }

    async fn entries(&self, client: &Client, id: &str) -> Result<BTreeMap<String, Sha256Digest>, Failure> {
        let mut found = BTreeMap::new();
        let mut cursor: Option<String> = None;
        loop {
            let call = client.get(&self.at(&[id, "entries"])).query("limit", "200");
            let call = cursor.iter().fold(call, |call, cursor| call.query("cursor", cursor));
            let page: Value = call.send().await?.json().await?;
            for entry in page["items"].as_array().into_iter().flatten() {
                let path = entry["relativePath"].as_str();
                let digest = entry["blobDigest"].as_str().and_then(|text| text.parse().ok());
                found.extend(path.map(str::to_owned).zip(digest));
            }
            let next = page["nextCursor"].as_str().map(str::to_owned);
            if next.is_none() || next == cursor {
                return Ok(found);
            }
            cursor = next;
        }
    }
}
