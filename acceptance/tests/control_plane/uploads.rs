//! Upload sessions and what can go wrong with them.

use acceptance::Result;
use acceptance::server::{Backing, Persona, Server};
use serde_json::{Value, json};

use crate::steps::{content, sha256};

async fn begin(who: &Persona, digest: &str, length: usize) -> Result<String> {
    let body = json!({"expectedDigest": digest, "expectedLength": length});
    let answer = who.post("/v1/repos/files/uploads").json(&body).send().await?.expect(&[201])?;
    Ok(format!("/v1/repos/files/uploads/{}", answer.string("/uploadId")?))
}

async fn part(who: &Persona, base: &str, number: u32, bytes: Vec<u8>) -> Result<Value> {
    let answer = who.put(&format!("{base}/parts/{number}")).body(bytes).send().await?.expect(&[200])?;
    Ok(json!({"partNumber": number, "eTag": answer.header("etag")}))
}

async fn parts_come_in_any_order_and_twice(backing: Backing) -> Result<()> {
    let mut server = Server::start(backing).await?;
    server.repository("files", "raw").await?;
    let who = server.persona("writer")?.with("repo:files:write").arrive().await?;
    let bytes = content(3, 5_000_000);
    let base = begin(&who, &sha256(&bytes), bytes.len()).await?;
    let third = part(&who, &base, 3, bytes[4_000_000..].to_vec()).await?;
    part(&who, &base, 1, b"wrong at first".to_vec()).await?;
    let first = part(&who, &base, 1, bytes[..2_000_000].to_vec()).await?;
    server.kill9()?;
    server.resume().await?;
    let second = part(&who, &base, 2, bytes[2_000_000..4_000_000].to_vec()).await?;
    let known = who.get(&base).send().await?.expect(&[200])?.json()?;
    assert_eq!(known["parts"].as_array().map(Vec::len), Some(3));
    let refuse = |parts: Value| who.post(&format!("{base}/complete")).json(&json!({"parts": parts}));
    refuse(json!([])).send().await?.expect(&[400])?;
    refuse(json!([first, first])).send().await?.expect(&[400])?;
    refuse(json!([first, second])).send().await?.expect(&[409])?;
    refuse(json!([{"partNumber": 1, "eTag": "\"0\""}, second, third])).send().await?.expect(&[409])?;
    for _ in 0..2 {
        refuse(json!([third, first, second])).send().await?.expect(&[200])?;
    }
    who.put(&format!("{base}/parts/4")).body("late").send().await?.expect(&[409])?;
    let (one, two) =
        tokio::join!(who.post(&format!("{base}/commit")).send(), who.post(&format!("{base}/commit")).send());
    let statuses = [one?.status, two?.status];
    assert!(statuses.contains(&200) && statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
    let again = who.post(&format!("{base}/commit")).send().await?.expect(&[200])?.json()?;
    assert_eq!(again["state"], "committed");
    who.post(&format!("{base}/abort")).json(&json!({})).send().await?.expect(&[409])?;
    let read = who.get(&format!("/v1/repos/files/blobs/{}", sha256(&bytes))).send().await?.expect(&[200])?;
    assert_eq!(read.body, bytes);
    Ok(())
}

async fn what_was_announced_is_what_must_come(backing: Backing) -> Result<()> {
    let server = Server::start(backing).await?;
    server.repository("files", "raw").await?;
    let who = server.persona("writer")?.with("repo:files:write").arrive().await?;
    let create = |body: Value| who.post("/v1/repos/files/uploads").json(&body);
    let good = sha256(b"good");
    create(json!({"expectedDigest": good.to_uppercase(), "expectedLength": 4})).send().await?.expect(&[400])?;
    create(json!({"expectedDigest": format!("md5:{good}"), "expectedLength": 4})).send().await?.expect(&[400])?;
    create(json!({"expectedDigest": good, "expectedLength": 0})).send().await?.expect(&[400])?;
    create(json!({"expectedDigest": good, "expectedLength": -1})).send().await?.expect(&[400])?;
    create(json!({"expectedDigest": good, "expectedLength": u64::MAX})).send().await?.expect(&[400, 413])?;
    let base = begin(&who, &good, 4).await?;
    who.put(&format!("{base}/parts/0")).body("x").send().await?.expect(&[400])?;
    who.put(&format!("{base}/parts/10001")).body("x").send().await?.expect(&[400])?;
    who.put(&format!("{base}/parts/1")).body("far too long").send().await?.expect(&[413])?;
    let listed = part(&who, &base, 1, b"evil".to_vec()).await?;
    who.post(&format!("{base}/complete")).json(&json!({"parts": [listed]})).send().await?.expect(&[200])?;
    let refused = who.post(&format!("{base}/commit")).send().await?.expect(&[409])?.json()?;
    assert_eq!(refused["code"], "upload_verification_failed");
    assert_eq!(who.get(&base).send().await?.expect(&[200])?.string("/state")?, "aborted");
    who.get(&format!("/v1/repos/files/blobs/{good}")).send().await?.expect(&[404])?;
    who.get(&format!("/v1/repos/files/blobs/{}", sha256(b"evil"))).send().await?.expect(&[404])?;
    let base = begin(&who, &good, 4).await?;
    who.post(&format!("{base}/abort")).json(&json!({"reason": "changed my mind"})).send().await?.expect(&[200])?;
    who.put(&format!("{base}/parts/1")).body("good").send().await?.expect(&[409])?;
    let usage = server.admin()?.get("/v1/admin/tenant-admission-policy").send().await?.expect(&[200])?.json()?;
    assert_eq!(usage["usage"]["activeUploadSessions"], 0);
    assert_eq!(usage["usage"]["logicalStorageBytes"], 0);
    Ok(())
}

async fn two_hundred_uploads_do_not_exceed_the_allowance(backing: Backing) -> Result<()> {
    let server = Server::start(backing).await?;
    server.repository("files", "raw").await?;
    let admin = server.admin()?;
    let policy = json!({
        "maxLogicalStorageBytes": 10 << 20, "maxConcurrentUploadSessions": 1000, "maxPendingSearchJobs": 100
    });
    admin.put("/v1/admin/tenant-admission-policy").json(&policy).send().await?.expect(&[200])?;
    let tries = (0u32..200).map(|number| {
        let body = json!({"expectedDigest": sha256(&number.to_le_bytes()), "expectedLength": 100 << 10});
        admin.post("/v1/repos/files/uploads").json(&body).send()
    });
    let mut won = 0;
    for answer in futures_util::future::join_all(tries).await {
        match answer?.status {
            201 => won += 1,
            429 => {}
            other => unreachable!("{other}"),
        }
    }
    assert_eq!(won, 102, "102 times 100 KiB fit into 10 MiB");
    let body = json!({"expectedDigest": sha256(b"small"), "expectedLength": 1 << 10});
    admin.post("/v1/repos/files/uploads").json(&body).send().await?.expect(&[201])?;
    Ok(())
}

#[tokio::test]
async fn parts_come_in_any_order_and_twice_embedded() -> Result<()> {
    parts_come_in_any_order_and_twice(Backing::Embedded).await
}

#[tokio::test]
async fn parts_come_in_any_order_and_twice_scaled_out() -> Result<()> {
    parts_come_in_any_order_and_twice(Backing::Scaled).await
}

#[tokio::test]
async fn what_was_announced_is_what_must_come_embedded() -> Result<()> {
    what_was_announced_is_what_must_come(Backing::Embedded).await
}

#[tokio::test]
async fn what_was_announced_is_what_must_come_scaled_out() -> Result<()> {
    what_was_announced_is_what_must_come(Backing::Scaled).await
}

#[tokio::test]
async fn two_hundred_uploads_do_not_exceed_the_allowance_embedded() -> Result<()> {
    two_hundred_uploads_do_not_exceed_the_allowance(Backing::Embedded).await
}

#[tokio::test]
async fn two_hundred_uploads_do_not_exceed_the_allowance_scaled_out() -> Result<()> {
    two_hundred_uploads_do_not_exceed_the_allowance(Backing::Scaled).await
}
