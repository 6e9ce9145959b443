//! What these tests do again and again.

use acceptance::Result;
use acceptance::server::Persona;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The SHA-256 of `bytes` in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `length` bytes that differ from one `seed` to the next.
pub(crate) fn content(seed: u8, length: usize) -> Vec<u8> {
    (0u64..).take(length).map(|index| (index.wrapping_mul(31).wrapping_add(index >> 8)) as u8 ^ seed).collect()
}

/// Uploads `bytes` to `files` in parts of `size`.
pub(crate) async fn upload(who: &Persona, bytes: &[u8], size: usize) -> Result<String> {
    let digest = sha256(bytes);
    let created = who
        .post("/v1/repos/files/uploads")
        .json(&json!({"expectedDigest": digest, "expectedLength": bytes.len()}))
        .send()
        .await?
        .expect(&[200, 201])?
        .json()?;
    if created["deduped"] == true {
        return Ok(digest);
    }
    let base = format!("/v1/repos/files/uploads/{}", created["uploadId"].as_str().unwrap_or_default());
    let mut parts = Vec::new();
    for (number, part) in (1..).zip(bytes.chunks(size)) {
        let answer = who.put(&format!("{base}/parts/{number}")).body(part.to_vec()).send().await?.expect(&[200])?;
        parts.push(json!({"partNumber": number, "eTag": answer.header("etag")}));
    }
    who.post(&format!("{base}/complete")).json(&json!({"parts": parts})).send().await?.expect(&[200])?;
    let committed = who.post(&format!("{base}/commit")).send().await?.expect(&[200])?.json()?;
    assert_eq!(committed["digest"], digest);
    Ok(digest)
}

/// Begins version `version` of `package` in `files`.
pub(crate) async fn draft(who: &Persona, package: &str, version: &str) -> Result<String> {
    let body = json!({"packageType": "raw", "packageName": package, "version": version});
    let answer = who.post("/v1/repos/files/packages/versions/drafts").json(&body).send().await?.expect(&[200, 201])?;
    answer.string("/versionId")
}

/// Publishes a version with these files.
pub(crate) async fn publish(who: &Persona, package: &str, version: &str, files: &[(&str, Vec<u8>)]) -> Result<Value> {
    let id = draft(who, package, version).await?;
    let base = format!("/v1/repos/files/packages/versions/{id}");
    let mut entries = Vec::new();
    for (path, bytes) in files {
        let digest = upload(who, bytes, 1 << 20).await?;
        entries.push(json!({"relativePath": path, "blobDigest": digest, "sizeBytes": bytes.len()}));
    }
    who.post(&format!("{base}/entries")).json(&json!({"entries": entries})).send().await?.expect(&[200])?;
    who.put(&format!("{base}/manifest")).json(&json!({"manifest": {"name": package}})).send().await?.expect(&[200])?;
    who.post(&format!("{base}/publish")).send().await?.expect(&[200])?.json()
}
