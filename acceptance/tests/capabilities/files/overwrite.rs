//! Where overwriting is allowed, each write is a new version, and no reader ever sees a mix.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use acceptance::Result;
use acceptance::http::Connection;
use bytes::Bytes;
use serde_json::json;

use super::sha256;
use crate::shape::{ask, refused};
use crate::site::{Site, ensure};

const READERS: usize = 200;
const WRITES: usize = 30;

#[tokio::test]
async fn it_is_a_setting_that_counts_from_the_next_request_on() -> Result<()> {
    let site = Site::embedded().await?;
    site.repository("files", json!({})).await?;
    let path = "/repository/files/a";
    let allow =
        |allowed: bool| site.admin.patch("/v1/repos/files").json(&json!({"settings": {"allowOverwrite": allowed}}));
    let first = ask(site.admin.put(path).body("one")).await?.expect(&[201])?;
    refused(site.admin.put(path).body("two"), 409).await?;
    ask(allow(true)).await?.expect(&[200])?;
    let second = ask(site.admin.put(path).body("two")).await?.expect(&[200])?;
    ensure(first.string("/versionId")? != second.string("/versionId")?, "another version")?;
    let read = ask(site.admin.get(path)).await?;
    ensure(read.text() == "two" && read.header("etag") == second.header("etag"), "the later one is read")?;
    ensure(read.header("cache-control").is_some_and(|words| words.contains("no-cache")), "caches must ask")?;
    ask(allow(false)).await?.expect(&[200])?;
    refused(site.admin.put(path).body("three"), 409).await?;
    let read = ask(site.admin.get(path)).await?;
    ensure(read.header("cache-control").is_some_and(|words| words.contains("immutable")), "caches may keep it")?;
    refused(site.admin.patch("/v1/repos/files").json(&json!({"settings": {"allowOverwrites": true}})), 400).await?;
    Ok(())
}

#[tokio::test]
async fn two_hundred_readers_never_see_a_mix() -> Result<()> {
    never_a_mix(Site::embedded().await?).await
}

#[tokio::test]
async fn two_hundred_readers_never_see_a_mix_scaled_out() -> Result<()> {
    never_a_mix(Site::scaled().await?).await
}

/// Every body is one letter, its length depends on the letter, and small and large ones take turns.
fn body(number: usize) -> Bytes {
    let letter = b'a' + u8::try_from(number % 26).unwrap_or_default();
    let length = if number.is_multiple_of(2) { 1000 + number } else { 150_000 + number };
    Bytes::from(vec![letter; length])
}

async fn never_a_mix(site: Site) -> Result<()> {
    site.repository("files", json!({"anonymousRead": true, "settings": {"allowOverwrite": true}})).await?;
    let path = "/repository/files/a";
    ask(site.admin.put(path).body(body(0))).await?.expect(&[201])?;
    let known: Arc<Vec<Bytes>> = Arc::new((0..=WRITES).map(body).collect());
    // What has been acknowledged: from then on nobody may read anything older.
    let (written, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let (known, written, done) = (known.clone(), written.clone(), done.clone());
            let (http, address) = (site.server.http(), site.server.address());
            tokio::spawn(async move {
                let mut connection = Connection::open(address?).await?;
                let mut seen = 0;
                let mut reads = 0;
                while reads < 3 || !done.load(Ordering::SeqCst) {
                    let least = written.load(Ordering::SeqCst);
                    let answer = connection
                        .send(&http.as_ref().map_err(|_| acceptance::Trouble::new("no server"))?.get(path))
                        .await?;
                    let at = known.iter().position(|body| *body == answer.body);
                    let at =
                        at.ok_or_else(|| acceptance::Trouble::new(format!("a mix of {} bytes", answer.body.len())))?;
                    ensure(at >= least.max(seen), format!("read {at} after {least} was acknowledged and {seen} seen"))?;
                    ensure(
                        answer.header("etag") == Some(&format!("\"{}\"", sha256(&known[at]))),
                        "the tag of another",
                    )?;
                    seen = at;
                    reads += 1;
                }
                Ok::<usize, acceptance::Trouble>(reads)
            })
        })
        .collect();
    for number in 1..=WRITES {
        ask(site.admin.put(path).body(body(number))).await?.expect(&[200])?;
        written.store(number, Ordering::SeqCst);
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    }
    done.store(true, Ordering::SeqCst);
    let mut reads = 0;
    for reader in readers {
        reads += reader.await??;
    }
    ensure(reads > READERS * 2, format!("only {reads} reads"))
}
