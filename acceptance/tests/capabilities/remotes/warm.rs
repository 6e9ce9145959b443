//! What was read once is here: nobody is asked again, and it is served like what was published here.

use acceptance::Result;
use acceptance::server::Persona;
use acceptance::strace::Strace;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::shelf::{FORMATS, INDEXED, Shelf, hex, noise, of, remote, site};
use super::upstream::{Say, Upstream};
use crate::engines::both;
use crate::moments::images::{IMAGE, digest_of, image};
use crate::shape::ask;
use crate::site::{Site, ensure};
use crate::virtuals::put_together;

async fn the_second_read_asks_nobody_nor_after_a_restart_nor_without_the_upstream() -> Result<()> {
    let (mut site, mut upstream) = (site().await?, Upstream::start().await?);
    let mut shelves = Vec::new();
    for (format, seed) in FORMATS.into_iter().zip(0..) {
        let bytes = noise(seed, 200_000);
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &bytes).await?;
        of(format, read(&site, &shelf, &bytes).await)?;
        ensure(upstream.count(&shelf.file()) == 1, format!("{format}: the first read asks once"))?;
        of(format, read(&site, &shelf, &bytes).await)?;
        of(format, warm(&site, &shelf, &bytes).await)?;
        shelves.push((shelf, bytes));
    }
    let before = upstream.total();
    for (shelf, _) in shelves.iter().filter(|(shelf, _)| INDEXED.contains(&shelf.format)) {
        ensure(upstream.count(&shelf.index()) == 1, format!("{}: one question for the index", shelf.format))?;
    }
    site.server.restart().await?;
    site.admin = site.server.admin()?;
    for (shelf, bytes) in &shelves {
        of(shelf.format, read(&site, shelf, bytes).await)?;
    }
    ensure(upstream.total() == before, "nobody is asked after a restart")?;
    upstream.down().await;
    for (shelf, bytes) in &shelves {
        of(shelf.format, read(&site, shelf, bytes).await)?;
        of(shelf.format, warm(&site, shelf, bytes).await)?;
    }
    Ok(())
}

/// Index and file, twice the same.
async fn read(site: &Site, shelf: &Shelf, bytes: &[u8]) -> Result<()> {
    if INDEXED.contains(&shelf.format) {
        let index = ask(shelf.get_index(&site.admin)).await?.expect(&[200])?;
        let again = ask(shelf.get_index(&site.admin)).await?.expect(&[200])?;
        ensure(index.body == again.body && index.text().contains("1.0.0"), index.text())?;
        ensure(!index.text().contains("/files/"), format!("the upstream's addresses are shown: {}", index.text()))?;
        let tag = index.header("etag").unwrap_or_default().to_owned();
        ask(shelf.get_index(&site.admin).header("If-None-Match", tag)).await?.expect(&[304])?;
    }
    let file = ask(shelf.get_file(&site.admin)).await?.expect(&[200])?;
    ensure(file.body == bytes, "other bytes than the upstream's")
}

/// The file as one that was published here.
async fn warm(site: &Site, shelf: &Shelf, bytes: &[u8]) -> Result<()> {
    let file = ask(shelf.get_file(&site.admin)).await?.expect(&[200])?;
    let digest = Sha256::digest(bytes);
    let tag = format!("\"{}\"", hex(&digest));
    ensure(file.header("etag") == Some(&tag), format!("{:?}", file.headers))?;
    let repr = format!("sha-256=:{}:", STANDARD.encode(digest));
    ensure(file.header("repr-digest") == Some(&repr), format!("{:?}", file.headers))?;
    ask(shelf.get_file(&site.admin).header("If-None-Match", tag)).await?.expect(&[304])?;
    let part = ask(shelf.get_file(&site.admin).range("bytes=100-199")).await?.expect(&[206])?;
    ensure(part.body == bytes[100..200], "another part")?;
    let head = ask(site.admin.head(&shelf.our_file())).await?.expect(&[200])?;
    ensure(head.header("content-length") == Some(&bytes.len().to_string()), format!("{:?}", head.headers))
}

async fn ranges_and_heads_of_files_that_are_not_here_yet() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for (format, seed) in FORMATS.into_iter().zip(0..) {
        let bytes = noise(seed, 300_000);
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &bytes).await?;
        let part = ask(shelf.get_file(&site.admin).range("bytes=-1000")).await?.expect(&[206])?;
        ensure(part.body == bytes[299_000..], format!("{format}: another part"))?;
        of(format, warm(&site, &shelf, &bytes).await)?;
    }
    let bytes = noise(9, 70_000);
    let raw = Shelf::bare("raw");
    for (path, say) in
        [("/sized", Say::file(bytes.clone())), ("/chunked", Say::chunked().chunk(&bytes).bytes("0\r\n\r\n"))]
    {
        upstream.says(path, say);
        let ours = format!("/repository/{}{path}", raw.key());
        let head = ask(site.admin.head(&ours)).await?.expect(&[200])?;
        let told = head.header("content-length");
        ensure(told == Some("70000"), format!("{path}: {told:?}"))?;
        ensure(ask(site.admin.get(&ours)).await?.expect(&[200])?.body == bytes, path)?;
        ensure(upstream.count(path) == 1, format!("{path}: asked {} times", upstream.count(path)))?;
    }
    Ok(())
}

/// Calls that write or sync while warm files and indexes are read: none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_what_is_here_writes_nothing() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let mut shelves = Vec::new();
    for (format, seed) in FORMATS.into_iter().zip(0..) {
        let bytes = noise(seed, 100_000);
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &bytes).await?;
        for _ in 0..2 {
            read(&site, &shelf, &bytes).await?;
        }
        shelves.push((shelf, bytes));
    }
    let before = upstream.total();
    let pid = site.server.pid("serve").unwrap_or_default();
    let trace = Strace::new()?.trace("fsync,fdatasync,pwrite64,renameat2").attach(pid, Some("store-writer"))?;
    // What the first reads gave the background to do may still be written; a write of reading would come with each.
    for _ in 0..20 {
        let before_round = trace.seen().lines("(")?.len();
        for (shelf, bytes) in shelves.iter().chain(&shelves).chain(&shelves) {
            of(shelf.format, read(&site, shelf, bytes).await)?;
        }
        if trace.seen().lines("(")?.len() == before_round {
            return ensure(upstream.total() == before, "warm reads ask the upstream");
        }
    }
    ensure(false, "warm reads write")
}

/// The same of rows, at every process: directly, through a virtual repository, as of a moment, of images too.
async fn reading_what_is_here_changes_no_row() -> Result<()> {
    let ((site, processes), upstream) = (Site::each().await?, Upstream::start().await?);
    let mut paths = Vec::new();
    for (format, seed) in FORMATS.into_iter().zip(0..) {
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &noise(seed, 3000)).await?;
        put_together(&site, &format!("{format}-all"), format, &[shelf.key()], json!({})).await?;
        for through in [shelf.at(&format!("{format}-all")), shelf] {
            paths.extend(INDEXED.contains(&format).then(|| through.our_index()));
            paths.push(through.our_file());
        }
    }
    let (text, digest) = (image("layer", None), digest_of(image("layer", None).as_bytes()));
    let headers = [("Content-Type", IMAGE), ("Docker-Content-Digest", digest.as_str())];
    for at in ["v1", &digest] {
        upstream.says(&format!("/v2/app/manifests/{at}"), Say::answer(200, &headers, text.clone()));
    }
    upstream.says("/v2/app/tags/list", Say::answer(200, &[], json!({"name": "app", "tags": ["v1"]}).to_string()));
    upstream.says(&format!("/v2/app/blobs/{}", digest_of(b"layer")), Say::file("layer"));
    remote(&site, "up", "oci", &upstream.url(), json!({})).await?;
    put_together(&site, "all", "oci", &["up"], json!({})).await?;
    for step in ["manifests/v1".to_owned(), "tags/list".to_owned(), format!("blobs/{}", digest_of(b"layer"))] {
        paths.extend(["up", "all"].map(|key| format!("/v2/{key}/app/{step}")));
    }
    let get = |by: &Persona, path: &str| {
        by.get(path).header("Accept", format!("{IMAGE}, application/vnd.pypi.simple.v1+json, */*;q=0.1"))
    };
    for path in &paths {
        of(path, get(&site.admin, path).send().await?.expect(&[200]))?;
    }
    let then = site.server.moment("clock").await?;
    let of_then = paths.iter().filter_map(|path| {
        let (key, rest) = path.strip_prefix("/repository/")?.split_once('/')?;
        Some(format!("/repository/{key}@{then}/{rest}"))
    });
    let paths: Vec<_> = paths.iter().cloned().chain(of_then).collect();
    site.server.count_writes()?;
    // What the first reads gave the background to do may still be written; a write of reading would come with each.
    site.repository("noted", json!({})).await?;
    let mut written = site.server.written()?;
    ensure(written.iter().any(|table| table == "repositories"), format!("what is written is not seen: {written:?}"))?;
    for _ in 0..20 {
        let before = (written.len(), upstream.total());
        for (path, by) in paths.iter().flat_map(|path| processes.iter().map(move |by| (path, by))) {
            of(path, get(by, path).send().await?.expect(&[200]))?;
        }
        written = site.server.written()?;
        if (written.len(), upstream.total()) == before {
            return Ok(());
        }
    }
    ensure(false, format!("warm reads write: {written:?}"))
}

both! {
    reading_what_is_here_changes_no_row;
    the_second_read_asks_nobody_nor_after_a_restart_nor_without_the_upstream;
    ranges_and_heads_of_files_that_are_not_here_yet;
}
