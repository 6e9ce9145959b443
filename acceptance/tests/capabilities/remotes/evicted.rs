//! Bytes that a remote repository does not keep: let go, removed, and fetched again when somebody wants them.

use std::time::{Duration, Instant};

use acceptance::server::{Backing, Server};
use acceptance::{Result, Trouble};
use serde_json::json;

use super::shelf::{FORMATS, PATIENCE, Shelf, noise, of, remote, until};
use super::upstream::{Say, Upstream};
use crate::shape::ask;
use crate::site::{Site, ensure};

pub(super) const LET_GO: &str = "SELECT count(*) FROM cached WHERE evicted_at IS NOT NULL";
const CONDEMNED: &str = "SELECT count(*) FROM blobs WHERE condemned_at IS NOT NULL";
const TRASH: &str = "SELECT count(*) FROM trash WHERE removed_at IS NULL";

pub(super) async fn site(backing: Backing) -> Result<Site> {
    let server = Server::plan(backing)
        .variable("ARTIFORTRESS_RATE_REQUESTS_PER_MINUTE", "0")
        .variable("ARTIFORTRESS_PRIVATE_UPSTREAMS", "127.0.0.0/8")
        .start()
        .await?;
    Ok(Site { admin: server.admin()?, server })
}

/// Waits until the database says so.
pub(super) async fn counts(site: &Site, sql: &str, count: usize) -> Result<()> {
    let begun = Instant::now();
    loop {
        let found = site.server.sql(sql)?;
        if found.trim() == count.to_string() {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(Trouble::new(format!("{} instead of {count}: {sql}\n{}", found.trim(), site.server.log())));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) async fn restart(site: &mut Site) -> Result<()> {
    site.server.restart().await?;
    site.admin = site.server.admin()?;
    Ok(())
}

/// From now on the repository keeps as good as nothing.
pub(super) async fn keep_nothing(site: &Site, key: &str) -> Result<()> {
    let body = json!({"settings": {"remote": {"eviction": {"maxBytes": 1}}}});
    site.admin.patch(&format!("/v1/repos/{key}")).json(&body).send().await?.expect(&[200])?;
    Ok(())
}

/// Lets go of the bytes of `files`, with a kill in the middle, and waits until they are gone. The time that they are kept
/// is over at once: that is written into the database while nobody runs.
pub(super) async fn evict(site: &mut Site, files: usize) -> Result<()> {
    restart(site).await?;
    counts(site, LET_GO, files).await?;
    counts(site, CONDEMNED, files).await?;
    site.server.kill9()?;
    site.server.sql("UPDATE blobs SET condemned_at = 1 WHERE condemned_at IS NOT NULL")?;
    site.server.resume().await?;
    site.admin = site.server.admin()?;
    counts(site, CONDEMNED, 0).await?;
    // Sooner than by the schedule.
    restart(site).await?;
    counts(site, TRASH, 0).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_let_go_comes_again_once_and_is_the_same() -> Result<()> {
    for (backing, formats) in [(Backing::Embedded, &FORMATS[..]), (Backing::Scaled, &["raw", "npm"][..])] {
        let (mut site, mut upstream) = (site(backing).await?, Upstream::start().await?);
        let mut shelves = Vec::new();
        for (format, seed) in formats.iter().zip(0..) {
            let bytes = noise(seed, 200_000);
            let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &bytes).await?;
            let file = ask(shelf.get_file(&site.admin)).await?.expect(&[200])?;
            ensure(file.body == bytes, *format)?;
            keep_nothing(&site, shelf.key()).await?;
            shelves.push((shelf, bytes));
        }
        evict(&mut site, shelves.len()).await?;
        upstream.down().await;
        for (shelf, bytes) in &shelves {
            let head = of(shelf.format, ask(site.admin.head(&shelf.our_file())).await?.expect(&[200]))?;
            ensure(head.header("content-length") == Some(&bytes.len().to_string()), format!("{:?}", head.headers))?;
            let away = of(shelf.format, shelf.get_file(&site.admin).send().await?.expect(&[503]))?;
            ensure(away.text().contains("the upstream cannot be read"), away.text())?;
        }
        upstream.up().await?;
        for (shelf, bytes) in &shelves {
            let before = upstream.count(&shelf.file());
            let file = of(shelf.format, until(PATIENCE, || shelf.get_file(&site.admin), 200).await)?;
            ensure(file.body == *bytes, format!("{}: other bytes than before", shelf.format))?;
            let again = of(shelf.format, ask(shelf.get_file(&site.admin)).await?.expect(&[200]))?;
            ensure(again.body == *bytes, format!("{}: other bytes than before", shelf.format))?;
            let asked = upstream.count(&shelf.file()) - before;
            ensure(asked == 1, format!("{}: fetched {asked} times", shelf.format))?;
        }
        counts(&site, LET_GO, 0).await?;
        let doctor = site.server.sql("SELECT count(*) FROM copies WHERE state = 'damaged'")?;
        ensure(doctor.trim() == "0", "copies were taken for damaged")?;
        ensure(!site.server.log().contains("no good copy"), site.server.log())?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_bytes_than_before_are_not_served() -> Result<()> {
    let (mut site, upstream) = (site(Backing::Embedded).await?, Upstream::start().await?);
    let shelf = Shelf::stocked(&site, &upstream, "raw", json!({}), &noise(1, 200_000)).await?;
    ask(shelf.get_file(&site.admin)).await?.expect(&[200])?;
    keep_nothing(&site, shelf.key()).await?;
    evict(&mut site, 1).await?;
    let theirs = noise(2, 200_000);
    upstream.says(&shelf.file(), Say::file(theirs));
    ask(shelf.get_file(&site.admin)).await?.expect(&[503])?;
    let told = ask(shelf.get_file(&site.admin).range("bytes=0-9")).await?.expect(&[503])?;
    ensure(told.text().contains("other ones by now"), told.text())?;
    counts(&site, "SELECT count(DISTINCT action) FROM events WHERE action = 'upstream.changed'", 1).await?;
    counts(&site, LET_GO, 1).await
}

/// Of a long one a part is handed out before it is known whether it is the same: no client may take that for a part of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_again_bears_no_name_before_it_is_known() -> Result<()> {
    let (mut site, upstream, bytes) = (site(Backing::Embedded).await?, Upstream::start().await?, noise(1, 9_000_000));
    let shelf = Shelf::stocked(&site, &upstream, "raw", json!({}), &bytes).await?;
    ask(shelf.get_file(&site.admin)).await?.expect(&[200])?;
    keep_nothing(&site, shelf.key()).await?;
    evict(&mut site, 1).await?;
    let other = noise(2, 9_000_000);
    upstream.says(&shelf.file(), Say::file(other.clone()));
    if let Ok(answer) = shelf.get_file(&site.admin).send().await {
        ensure(answer.status == 503 && answer.body != other, format!("{}", answer.status))?;
    }
    upstream.says(&shelf.file(), Say::file(bytes.clone()));
    restart(&mut site).await?;
    let comes = ask(shelf.get_file(&site.admin)).await?.expect(&[200])?;
    ensure(comes.body == bytes && comes.header("etag").is_none(), format!("{:?}", comes.headers))?;
    let here = ask(shelf.get_file(&site.admin)).await?.expect(&[200])?;
    ensure(here.body == bytes && here.header("etag").is_some(), format!("{:?}", here.headers))
}

/// Short ones lie in rows, and later together in a pack, which goes when nothing in it is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_files_go_with_their_pack_and_come_again() -> Result<()> {
    for backing in [Backing::Embedded, Backing::Scaled] {
        let (mut site, upstream) = (site(backing).await?, Upstream::start().await?);
        remote(&site, "up", "raw", &upstream.url(), json!({})).await?;
        let path = |seed: u8| format!("/files/{seed}");
        let fetch = async |site: &Site, seed: u8| {
            let file = ask(site.admin.get(&format!("/repository/up{}", path(seed)))).await?.expect(&[200])?;
            ensure(file.body == noise(seed, 3000), format!("{seed}: other bytes"))
        };
        for seed in 0..3 {
            upstream.says(&path(seed), Say::file(noise(seed, 3000)));
        }
        fetch(&site, 0).await?;
        fetch(&site, 1).await?;
        // Rows that are hours old are packed when the schedule begins anew.
        site.server.stop()?;
        site.server.sql("UPDATE copies SET created_at = created_at - 7200000000")?;
        site.server.resume().await?;
        site.admin = site.server.admin()?;
        counts(&site, "SELECT count(*) FROM copies WHERE kind = 'pack'", 2).await?;
        let place = site.server.sql("SELECT DISTINCT place FROM copies WHERE kind = 'pack'")?;
        let pack = site.server.blobs().join(place.trim());
        ensure(pack.exists(), format!("no pack at {place}"))?;
        fetch(&site, 2).await?;
        keep_nothing(&site, "up").await?;
        evict(&mut site, 3).await?;
        ensure(!pack.exists(), "a pack without anything in it stays")?;
        counts(&site, "SELECT count(*) FROM inline_bytes", 0).await?;
        for seed in 0..3 {
            let before = upstream.count(&path(seed));
            fetch(&site, seed).await?;
            fetch(&site, seed).await?;
            let asked = upstream.count(&path(seed)) - before;
            ensure(asked == 1, format!("{seed}: asked {asked} times"))?;
        }
        counts(&site, LET_GO, 0).await?;
        ensure(!site.server.log().contains("no good copy"), site.server.log())?;
    }
    Ok(())
}

/// As of a moment, through a virtual repository, and ahead of whoever wants it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_way_it_is_wanted_it_comes_again() -> Result<()> {
    let (mut site, upstream) = (site(Backing::Embedded).await?, Upstream::start().await?);
    let mut shelves = Vec::new();
    for (format, seed) in [("raw", 1), ("npm", 2), ("maven", 3)] {
        let bytes = noise(seed, 200_000);
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &bytes).await?;
        ask(shelf.get_file(&site.admin)).await?.expect(&[200])?;
        shelves.push((shelf, bytes));
    }
    let all = json!({"repoKey": "all", "format": "maven", "repoType": "virtual", "memberRepos": ["maven-up"]});
    ask(site.admin.post("/v1/repos").json(&all)).await?.expect(&[201])?;
    let then = site.server.moment("clock").await?;
    for (shelf, _) in &shelves {
        keep_nothing(&site, shelf.key()).await?;
    }
    evict(&mut site, shelves.len()).await?;
    // Who has the bytes already makes nobody fetch them.
    let (raw, before) = (&shelves[0].0, upstream.count(&shelves[0].0.file()));
    let head = ask(site.admin.head(&raw.our_file())).await?.expect(&[200])?;
    let tag = head.header("etag").unwrap_or_default().to_owned();
    ask(raw.get_file(&site.admin).header("If-None-Match", &tag)).await?.expect(&[304])?;
    ensure(upstream.count(&raw.file()) == before, "a condition that does not hold needs no bytes")?;
    let wishes = json!({"items": [{"name": "ntool", "version": "1.0.0"}], "waitSeconds": 20});
    let said = ask(site.admin.post("/v1/repos/npm-up/prefetch").json(&wishes)).await?.expect(&[200])?.json()?;
    ensure(said["items"][0]["state"] == "fetched", format!("it is not here: {said}"))?;
    for (place, key) in [(0, format!("raw-up@{then}")), (2, format!("all@{then}"))] {
        let (shelf, bytes) = (shelves[place].0.at(&key), &shelves[place].1);
        let head = of(&key, ask(site.admin.head(&shelf.our_file())).await?.expect(&[200]))?;
        ensure(head.header("content-length") == Some(&bytes.len().to_string()), format!("{:?}", head.headers))?;
        let file = of(&key, ask(shelf.get_file(&site.admin)).await?.expect(&[200]))?;
        ensure(file.body == *bytes, format!("{key}: other bytes than before"))?;
    }
    counts(&site, LET_GO, 0).await?;
    ensure(!site.server.log().contains("no good copy"), site.server.log())
}
