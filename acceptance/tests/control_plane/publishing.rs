//! A version's life: draft, entries, manifest, publish, marks, refs, tombstone, restore.

use acceptance::Result;
use acceptance::server::{Backing, Server};
use serde_json::json;

use crate::steps::{content, draft, publish, sha256, upload};

async fn a_version_lives_its_life(backing: Backing) -> Result<()> {
    let server = Server::start(backing).await?;
    server.repository("files", "raw").await?;
    let writer = server.persona("writer")?.with("repo:files:write").arrive().await?;
    let reader = server.persona("reader")?.with("repo:files:read").arrive().await?;
    let promoter = server.persona("promoter")?.with("repo:files:promote").arrive().await?;
    let files = [("bin/tool", content(1, 3_000_000)), ("README", b"read me".to_vec())];
    let published = publish(&writer, "tool", "1.0", &files).await?;
    assert_eq!(published["state"], "published");
    let id = published["versionId"].as_str().unwrap_or_default().to_owned();
    let base = format!("/v1/repos/files/packages/versions/{id}");

    for (path, bytes) in &files {
        let answer = reader.get(&format!("/repository/files/tool/1.0/{path}")).send().await?.expect(&[200])?;
        assert_eq!(answer.body, bytes.as_slice());
        let by_digest = reader.get(&format!("/v1/repos/files/blobs/{}", sha256(bytes))).send().await?.expect(&[200])?;
        assert_eq!(by_digest.body, bytes.as_slice());
    }
    let detail = reader.get(&base).send().await?.expect(&[200])?.json()?;
    assert_eq!(detail["entryCount"], 2);
    assert_eq!(detail["manifest"], json!({"name": "tool"}));
    let again = writer.post(&format!("{base}/publish")).send().await?.expect(&[200])?.json()?;
    assert_eq!(again["idempotent"], true);
    let late = json!({"entries": [{"relativePath": "x", "blobDigest": sha256(b"read me"), "sizeBytes": 7}]});
    writer.post(&format!("{base}/entries")).json(&late).send().await?.expect(&[409])?;
    writer.put(&format!("{base}/manifest")).json(&json!({"manifest": {}})).send().await?.expect(&[409])?;

    let found =
        reader.get("/v1/repos/files/packages/versions/resolve?name=tool&version=1.0").send().await?.expect(&[200])?;
    assert_eq!(found.string("/versionId")?, id);
    let search = reader.get("/v1/search?q=to").send().await?.expect(&[200])?.json()?;
    assert_eq!(search["items"][0]["packageName"], "tool");

    let moved = json!({"name": "stable", "versionId": id, "expectedVersionId": null});
    writer.put("/v1/repos/files/refs").json(&moved).send().await?.expect(&[200])?;
    let second = publish(&writer, "tool", "1.1", &[("bin/tool", content(2, 100))]).await?;
    let lost = json!({"name": "stable", "versionId": second["versionId"], "expectedVersionId": null});
    writer.put("/v1/repos/files/refs").json(&lost).send().await?.expect(&[412])?;
    let won = json!({"name": "stable", "versionId": second["versionId"], "expectedVersionId": id});
    writer.put("/v1/repos/files/refs").json(&won).send().await?.expect(&[200])?;
    let history =
        reader.get("/v1/repos/files/refs/history?package=tool&name=stable").send().await?.expect(&[200])?.json()?;
    assert_eq!(history["items"].as_array().map(Vec::len), Some(2));

    writer.post(&format!("{base}/yank")).json(&json!({"reason": "broken"})).send().await?.expect(&[200])?;
    writer.post(&format!("{base}/deprecate")).json(&json!({"text": "use 1.1"})).send().await?.expect(&[200])?;
    let detail = reader.get(&base).send().await?.expect(&[200])?.json()?;
    assert_eq!(detail["marks"].as_array().map(Vec::len), Some(2));
    reader.get("/repository/files/tool/1.0/README").send().await?.expect(&[200])?;

    writer.post(&format!("{base}/tombstone")).json(&json!({"reason": "bad"})).send().await?.expect(&[403])?;
    promoter.post(&format!("{base}/tombstone")).json(&json!({"reason": "bad"})).send().await?.expect(&[200])?;
    reader.get("/repository/files/tool/1.0/README").send().await?.expect(&[410])?;
    let body = json!({"packageType": "raw", "packageName": "tool", "version": "1.0"});
    writer.post("/v1/repos/files/packages/versions/drafts").json(&body).send().await?.expect(&[409])?;
    promoter.post(&format!("{base}/restore")).send().await?.expect(&[200])?;
    reader.get("/repository/files/tool/1.0/README").send().await?.expect(&[200])?;
    Ok(())
}

async fn half_done_versions_are_refused(backing: Backing) -> Result<()> {
    let server = Server::start(backing).await?;
    server.repository("files", "raw").await?;
    server.repository("other", "raw").await?;
    let writer = server.persona("writer")?.with("repo:files:write").arrive().await?;
    let reader = server.persona("reader")?.with("repo:files:read").arrive().await?;
    let id = draft(&writer, "half", "1").await?;
    for (name, version) in [("half%2fway", "1"), ("half", "1%5c2"), ("%2e%2e", "1")] {
        let body = json!({"packageType": "raw", "packageName": name, "version": version});
        writer.post("/v1/repos/files/packages/versions/drafts").json(&body).send().await?.expect(&[400])?;
    }
    let base = format!("/v1/repos/files/packages/versions/{id}");
    reader.get(&base).send().await?.expect(&[404])?;
    writer.post(&format!("{base}/publish")).send().await?.expect(&[409])?;
    let digest = upload(&writer, b"bytes of files", 100).await?;
    let entry = |path: &str, digest: &str, size: u64| json!({"entries": [{"relativePath": path, "blobDigest": digest, "sizeBytes": size}]});
    for (body, status) in [
        (entry("../x", &digest, 14), 400),
        (entry("%2e%2e/x", &digest, 14), 400),
        (entry("a%2fx", &digest, 14), 400),
        (entry("a", &digest, 13), 409),
        (entry("a", &"0".repeat(64), 14), 409),
        (entry("a", &digest.to_uppercase(), 14), 400),
        (json!({"entries": []}), 400),
        (json!({"entries": [{"relativePath": "a", "blobDigest": digest, "sizeBytes": 14, "extra": 1}]}), 400),
    ] {
        writer.post(&format!("{base}/entries")).json(&body).send().await?.expect(&[status])?;
    }
    writer.post(&format!("{base}/entries")).json(&entry("a", &digest, 14)).send().await?.expect(&[200])?;
    writer.post(&format!("{base}/publish")).send().await?.expect(&[409])?;
    writer.put(&format!("{base}/manifest")).json(&json!({"manifest": []})).send().await?.expect(&[400])?;
    writer.put(&format!("{base}/manifest")).json(&json!({"manifest": {}})).send().await?.expect(&[200])?;
    reader.get("/repository/files/half/1/a").send().await?.expect(&[404])?;
    writer.post(&format!("{base}/publish")).send().await?.expect(&[200])?;
    reader.get("/repository/files/half/1/a").send().await?.expect(&[200])?;
    // Knowing a digest is no right to its bytes: another repository's writer gets nothing of it.
    let stranger = server.persona("stranger")?.with("repo:other:write").arrive().await?;
    let body = json!({"expectedDigest": digest, "expectedLength": 14});
    let begun = stranger.post("/v1/repos/other/uploads").json(&body).send().await?.expect(&[201])?.json()?;
    assert_eq!(begun["deduped"], false);
    stranger.get(&format!("/v1/repos/other/blobs/{digest}")).send().await?.expect(&[404])?;
    stranger.get(&format!("/v1/repos/files/blobs/{digest}")).send().await?.expect(&[404])?;
    Ok(())
}

#[tokio::test]
async fn a_version_lives_its_life_embedded() -> Result<()> {
    a_version_lives_its_life(Backing::Embedded).await
}

#[tokio::test]
async fn a_version_lives_its_life_scaled_out() -> Result<()> {
    a_version_lives_its_life(Backing::Scaled).await
}

#[tokio::test]
async fn half_done_versions_are_refused_embedded() -> Result<()> {
    half_done_versions_are_refused(Backing::Embedded).await
}

#[tokio::test]
async fn half_done_versions_are_refused_scaled_out() -> Result<()> {
    half_done_versions_are_refused(Backing::Scaled).await
}
