//! Uploads that fit one by one and not together.

use acceptance::http::{Answer, Request};
use acceptance::{Result, Trouble};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::shape::{ask, refused};
use crate::site::{Site, ensure};

const LIMIT: usize = 10 << 20;
const SIZE: usize = 100 << 10;
const UPLOADS: usize = 200;

#[tokio::test]
async fn of_200_parallel_uploads_exactly_those_that_fit_succeed() -> Result<()> {
    exactly_those_that_fit(&Site::embedded().await?).await
}

#[tokio::test]
async fn of_200_parallel_uploads_exactly_those_that_fit_succeed_scaled_out() -> Result<()> {
    exactly_those_that_fit(&Site::scaled().await?).await
}

async fn exactly_those_that_fit(site: &Site) -> Result<()> {
    site.repository("files", json!({})).await?;
    set(site, LIMIT).await?;
    let tasks: Vec<_> = (0..UPLOADS)
        .map(|number| {
            let mut bytes = vec![0; SIZE];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            let put = site.admin.put(&format!("/repository/files/{number}"));
            // Half of them do not say how long they are.
            let bytes = Bytes::from(bytes);
            tokio::spawn(patiently(if number.is_multiple_of(2) { put.body(bytes) } else { put.chunks(vec![bytes]) }))
        })
        .collect();
    let mut stored = Vec::new();
    for (number, task) in tasks.into_iter().enumerate() {
        let answer = task.await??;
        match answer.status {
            201 => stored.push(number),
            429 => ensure(answer.string("/code")? == "too_many_requests", answer.text())?,
            other => ensure(false, format!("{number}: {other} {}", answer.text()))?,
        }
    }
    ensure(stored.len() == LIMIT / SIZE, format!("{} of {} were stored", stored.len(), LIMIT / SIZE))?;
    ensure(used(site).await? == stored.len() * SIZE, "what is used is what was stored")?;
    for number in 0..UPLOADS {
        let status = ask(site.admin.head(&format!("/repository/files/{number}"))).await?.status;
        ensure(status == if stored.contains(&number) { 200 } else { 404 }, format!("{number}: {status}"))?;
    }
    let rest = LIMIT - stored.len() * SIZE;
    refused(site.admin.put("/repository/files/large").body(vec![1; rest + 1]), 429).await?;
    ask(site.admin.put("/repository/files/small").body(vec![1; rest])).await?.expect(&[201])?;
    ask(site.admin.put("/repository/files/empty").body("")).await?.expect(&[201])?;
    refused(site.admin.put("/repository/files/one").body("1"), 429).await?;
    ensure(used(site).await? == LIMIT, "to the last byte")?;
    set(site, LIMIT + 1).await?;
    ask(site.admin.put("/repository/files/one").body("1")).await?.expect(&[201])?;
    // A refused write of another kind uses nothing.
    refused(site.admin.put("/repository/files/one").body(""), 409).await?;
    ensure(used(site).await? == LIMIT + 1, "a refusal costs nothing")
}

/// A crowd may be told to come back; whoever was has left nothing, or the next try would be 409.
async fn patiently(request: Request) -> Result<Answer> {
    for _ in 0..20 {
        let answer = ask(request.clone()).await?;
        if answer.status != 503 {
            return Ok(answer);
        }
        ensure(answer.header("retry-after").is_some(), "it does not say when to come back")?;
    }
    Err(Trouble::new("503 again and again"))
}

async fn set(site: &Site, bytes: usize) -> Result<Value> {
    let body =
        json!({"maxLogicalStorageBytes": bytes, "maxConcurrentUploadSessions": 10, "maxPendingSearchJobs": 1000});
    ask(site.admin.put("/v1/admin/tenant-admission-policy").json(&body)).await?.expect(&[200])?.json()
}

async fn used(site: &Site) -> Result<usize> {
    let told = ask(site.admin.get("/v1/admin/tenant-admission-policy")).await?.expect(&[200])?.json()?;
    Ok(usize::try_from(told["usage"]["logicalStorageBytes"].as_u64().unwrap_or(u64::MAX))?)
}

#[tokio::test]
async fn allowances_are_checked() -> Result<()> {
    let site = Site::embedded().await?;
    let good = json!({"maxLogicalStorageBytes": LIMIT, "maxConcurrentUploadSessions": 1, "maxPendingSearchJobs": 1});
    let path = "/v1/admin/tenant-admission-policy";
    let bad = [
        ("maxLogicalStorageBytes", json!(LIMIT - 1)),
        ("maxLogicalStorageBytes", json!(-1)),
        ("maxLogicalStorageBytes", json!(1e30)),
        ("maxLogicalStorageBytes", json!(u64::MAX)),
        ("maxLogicalStorageBytes", json!("10485760")),
        ("maxConcurrentUploadSessions", json!(0)),
        ("maxConcurrentUploadSessions", json!(1001)),
        ("maxPendingSearchJobs", json!(0)),
        ("maxPendingSearchJobs", json!(50_001)),
    ];
    for (field, value) in bad {
        let mut body = good.clone();
        body[field] = value;
        refused(site.admin.put(path).json(&body), 400).await?;
    }
    ask(site.admin.put(path).json(&good)).await?.expect(&[200])?;
    Ok(())
}
