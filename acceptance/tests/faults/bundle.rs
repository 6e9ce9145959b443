//! Versions of several files, published through the control plane: draft, uploads, entries, publish.

use std::time::Duration;

use acceptance::server::Persona;
use acceptance::{Result, Trouble};
use bytes::Bytes;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::load::{REPO, Told};
use crate::seed::{Chance, content};

/// A version that somebody tried to publish.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    id: String,
    files: Vec<(String, u64)>,
}

/// Publishes `bundle` after a while; returns what it was told.
pub(crate) async fn publish(persona: Persona, bundle: Bundle, after: Duration) -> (Bundle, Told) {
    tokio::time::sleep(after).await;
    let told = match persona.post(&format!("{}/publish", bundle.url())).send().await {
        Ok(answer) if answer.status == 200 => Told::Published,
        Ok(answer) => Told::Refused(answer.status),
        Err(_) => Told::Nothing,
    };
    (bundle, told)
}

/// Published whole, or still the draft that it was.
pub(crate) async fn compare(persona: &Persona, outcomes: &[(Bundle, Told)]) -> Result<()> {
    for (bundle, told) in outcomes {
        let found = persona.get(&bundle.url()).send().await?.expect(&[200])?.json()?;
        let entries = found["entries"].as_array().map_or(0, Vec::len);
        let state = found["state"].as_str().unwrap_or_default();
        let fine = match state {
            "published" => entries == bundle.files.len(),
            "draft" => *told == Told::Nothing && entries == bundle.files.len(),
            _ => false,
        };
        if !fine {
            return Err(Trouble::new(format!(
                "{} was told {told:?}, and is {state} with {entries} entries",
                bundle.id
            )));
        }
        for (digest, length) in &bundle.files {
            let answer = persona.get(&format!("/v1/repos/{REPO}/blobs/sha256:{digest}")).send().await?;
            // A draft's bytes are not for readers.
            let whole = answer.body.len() as u64 == *length && sha256(&answer.body) == *digest;
            if state == "published" && (answer.status != 200 || !whole) {
                return Err(Trouble::new(format!("{}: {digest} answers {}", bundle.id, answer.status)));
            }
        }
    }
    Ok(())
}

impl Bundle {
    fn url(&self) -> String {
        format!("/v1/repos/{REPO}/packages/versions/{}", self.id)
    }
}

/// A draft with three files of different sizes.
pub(crate) async fn prepare(persona: &Persona, package: &str, chance: &mut Chance) -> Result<Bundle> {
    let body = json!({"packageType": "raw", "packageName": package, "version": "1"});
    let url = format!("/v1/repos/{REPO}/packages/versions/drafts");
    let id = persona.post(&url).json(&body).send().await?.expect(&[200, 201])?.string("/versionId")?;
    let (mut files, mut entries) = (Vec::new(), Vec::new());
    for (path, length) in [("a", chance.between(1, 5000)), ("b", 70_000), ("sub/c", chance.between(100_000, 200_000))] {
        let bytes = content(chance.next(), length);
        let digest = sha256(&bytes);
        upload(persona, &digest, bytes).await?;
        entries.push(json!({"relativePath": path, "blobDigest": digest, "sizeBytes": length}));
        files.push((digest, length));
    }
    let bundle = Bundle { id, files };
    let url = format!("{}/entries", bundle.url());
    persona.post(&url).json(&json!({"entries": entries})).send().await?.expect(&[200])?;
    let url = format!("{}/manifest", bundle.url());
    persona.put(&url).json(&json!({"manifest": {"name": package}})).send().await?.expect(&[200])?;
    Ok(bundle)
}

async fn upload(persona: &Persona, digest: &str, bytes: Bytes) -> Result<()> {
    let body = json!({"expectedDigest": digest, "expectedLength": bytes.len()});
    let url = format!("/v1/repos/{REPO}/uploads");
    let upload = persona.post(&url).json(&body).send().await?.expect(&[201])?.string("/uploadId")?;
    let base = format!("{url}/{upload}");
    let part = persona.put(&format!("{base}/parts/1")).body(bytes).send().await?.expect(&[200])?;
    let parts = json!({"parts": [{"partNumber": 1, "eTag": part.header("etag")}]});
    persona.post(&format!("{base}/complete")).json(&parts).send().await?.expect(&[200])?;
    persona.post(&format!("{base}/commit")).send().await?.expect(&[200]).map(|_| ())
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
