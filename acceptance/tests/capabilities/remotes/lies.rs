//! Upstreams that lie: nobody gets a whole wrong file, nothing of it stays, and the truth is believed afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use acceptance::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;

use super::shelf::{DECLARED, FORMATS, INDEXED, PATIENCE, Shelf, noise, of, remote, site, until};
use super::upstream::{Say, Upstream};
use crate::engines::both;
use crate::site::{Site, ensure};

const PAGE: &str = "<!DOCTYPE html><html><body>We will be back soon</body></html>";
const HTML: [(&str, &str); 1] = [("Content-Type", "text/html; charset=utf-8")];

/// Wrong files of which the format's index, or the file beside it, says that they are wrong.
fn wrong(bytes: &[u8]) -> Vec<(&'static str, Say)> {
    let other = noise(99, bytes.len());
    vec![
        ("other bytes", Say::file(other.clone())),
        ("other bytes in chunks", Say::chunked().chunk(&other).bytes("0\r\n\r\n")),
        ("fewer bytes", Say::file(bytes[..bytes.len() - 1].to_vec())),
        ("more bytes", Say::file([bytes, b"x"].concat())),
        ("nothing", Say::file("")),
    ]
}

/// Wrong answers that are so for any file, of which nothing need be known.
fn broken(bytes: &[u8]) -> Vec<(&'static str, Say)> {
    let gzip = |say: &[u8]| packed(say);
    vec![
        ("a short body", Say::announces(bytes.len()).bytes(bytes[..bytes.len() / 2].to_vec())),
        ("a short body in chunks", Say::chunked().chunk(&bytes[..1000])),
        ("a reset in the middle", Say::announces(bytes.len()).bytes(bytes[..1000].to_vec()).resets()),
        ("a coding nobody asked for", Say::answer(200, &[("Content-Encoding", "gzip")], gzip(bytes))),
        ("an unknown coding", Say::answer(200, &[("Content-Encoding", "rot13")], bytes.to_vec())),
        ("a body without end", Say::chunked().endless([&b"8000\r\n"[..], &[b'x'; 0x8000], b"\r\n"].concat())),
        ("an absurd length", Say::announces(1 << 50).bytes("x")),
        ("a part", Say::answer(206, &[("Content-Range", "bytes 0-0/9")], "x")),
        ("no content", Say::status(204)),
        ("no HTTP", Say::default().bytes("SSH-2.0-OpenSSH_9.0\r\n\r\n")),
        ("a redirect to itself", Say::redirect("?again")),
        ("a redirect to nowhere", Say::redirect("file:///etc/passwd")),
        ("a page although nothing is known", Say::answer(200, &HTML, PAGE)),
    ]
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).ok();
    encoder.finish().unwrap_or_default()
}

/// Files of a folder outside of the database and what the program notes of itself.
fn files(folder: &Path) -> Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)?.flatten() {
        let (path, about) = (entry.path(), entry.metadata()?);
        match about.is_dir() {
            true => found.extend(files(&path)?),
            false => drop(found.insert(path.display().to_string(), about.len())),
        }
    }
    Ok(found)
}

fn kept(site: &Site) -> Result<BTreeMap<String, u64>> {
    let mut all = BTreeMap::new();
    for folder in ["blobs", "staging"].map(|name| site.server.data().join(name)) {
        if folder.is_dir() {
            all.extend(files(&folder)?);
        }
    }
    Ok(all)
}

fn rows(site: &Site) -> Result<String> {
    site.server
        .sql("SELECT (SELECT count(*) FROM blobs), (SELECT count(*) FROM versions), (SELECT count(*) FROM entries)")
}

/// Two at once: each has servers of its own.
async fn in_pairs(all: impl IntoIterator<Item = impl Future<Output = Result<()>>>) -> Result<()> {
    stream::iter(all).buffer_unordered(2).try_collect().await
}

async fn a_wrong_file_is_neither_served_nor_kept() -> Result<()> {
    in_pairs(FORMATS.map(|format| Box::pin(wrong_files(format)))).await
}

async fn wrong_files(format: &'static str) -> Result<()> {
    let (site, upstream) = (small_site().await?, Upstream::start().await?);
    let (bytes, bare) = (noise(1, 300_000), Shelf::bare(format));
    let told = DECLARED.contains(&format) || format == "maven";
    let mut shelves = Vec::new();
    for (number, (what, say)) in wrong(&bytes).into_iter().filter(|_| told).chain(broken(&bytes)).enumerate() {
        // A repository of its own for each: what failed is left alone for a while.
        let shelf = bare.at(&format!("{format}-{number}"));
        shelf.stock(&upstream, &bytes);
        remote(&site, shelf.key(), format, &upstream.url(), json!({})).await?;
        if INDEXED.contains(&format) {
            shelf.get_index(&site.admin).send().await?.expect(&[200])?;
        }
        let before = (kept(&site)?, rows(&site)?, upstream.count(&shelf.file()));
        upstream.says(&shelf.file(), say);
        for _ in 0..2 {
            of(&format!("{format}, {what}"), refused(&site, &shelf).await)?;
        }
        ensure(upstream.count(&shelf.file()) > before.2, format!("{format}, {what}: it was not asked"))?;
        eventually(|| Ok(kept(&site)? == before.0)).await?;
        ensure(rows(&site)? == before.1, format!("{format}, {what}: left {}", rows(&site)?))?;
        shelves.push((what, shelf));
    }
    upstream.says(&bare.file(), Say::file(bytes.clone()));
    for (what, shelf) in shelves {
        let file = until(PATIENCE, || shelf.get_file(&site.admin), 200).await?;
        ensure(file.body == bytes, format!("{format}, {what}: the truth is served"))?;
    }
    Ok(())
}

/// What a request leaves may be removed a little after its answer.
async fn eventually(holds: impl Fn() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !holds()? {
        ensure(start.elapsed() < PATIENCE, "what was refused is still there")?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// A server that stores at most ten megabytes, so that what has no end ends soon.
async fn small_site() -> Result<Site> {
    let site = site().await?;
    super::shelf::allow(&site, 10 << 20).await?;
    Ok(site)
}

/// Either it breaks off, or it is 503 with a sentence.
async fn refused(site: &Site, shelf: &Shelf) -> Result<()> {
    match shelf.get_file(&site.admin).send().await {
        Err(_) => Ok(()),
        Ok(answer) => {
            let full = answer.status == 429 && answer.text().contains("allowance");
            let failed = answer.status == 503 && answer.text().contains("upstream");
            ensure(full || failed, format!("{} with {} bytes", answer.status, answer.body.len()))
        }
    }
}

/// Indexes that are none.
fn odd(shelf: &Shelf, bytes: &[u8]) -> Vec<(&'static str, Say)> {
    let (kind, right) = shelf.index_body("tool", "/files/x", bytes);
    let kind = [("Content-Type", kind)];
    let gzip = [kind[0], ("Content-Encoding", "gzip")];
    let mut odd = vec![
        ("a page", Say::answer(200, &HTML, PAGE)),
        ("a short body", Say::announces(right.len()).bytes(right[..right.len() / 2].to_owned())),
        ("a reset in the middle", Say::announces(right.len()).bytes(right[..right.len() / 2].to_owned()).resets()),
        ("no gzip", Say::answer(200, &gzip, right.clone())),
        ("gzip that breaks off", Say::answer(200, &gzip, packed(right.as_bytes())[..12].to_vec())),
        ("a bomb", Say::answer(200, &gzip, bomb())),
        ("an unknown coding", Say::answer(200, &[kind[0], ("Content-Encoding", "br")], right)),
        ("an absurd length", Say::announces(1 << 50).bytes("x")),
        ("a redirect to itself", Say::redirect("?again")),
        ("no UTF-8", Say::answer(200, &kind, vec![0xff, 0xfe, 0, b'<', b'{'])),
    ];
    if matches!(shelf.format, "npm" | "pypi" | "cargo") {
        let (_, another) = shelf.index_body("another", "/files/x", bytes);
        let deep = "[".repeat(100_000);
        odd.extend([
            ("another package", Say::answer(200, &kind, another)),
            ("nesting without end", Say::answer(200, &kind, deep)),
            ("an array", Say::answer(200, &kind, "[1")),
            ("the same key twice", Say::answer(200, &kind, r#"{"name": "x", "name": "y", "versions": {}}"#)),
        ]);
    }
    odd
}

/// 130 MiB of nothing.
fn bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let nothing = vec![b' '; 1 << 20];
    for _ in 0..130 {
        encoder.write_all(&nothing).ok();
    }
    encoder.finish().unwrap_or_default()
}

async fn an_index_that_is_none_is_a_failure_and_nothing_of_it_stays() -> Result<()> {
    in_pairs(INDEXED.map(|format| Box::pin(odd_indexes(format)))).await
}

async fn odd_indexes(format: &'static str) -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let (bytes, bare) = (noise(1, 1000), Shelf::bare(format));
    let mut shelves = Vec::new();
    for (number, (what, say)) in odd(&bare, &bytes).into_iter().enumerate() {
        let shelf = bare.at(&format!("{format}-{number}"));
        shelf.stock(&upstream, &bytes);
        upstream.says(&shelf.index(), say);
        remote(&site, shelf.key(), format, &upstream.url(), json!({})).await?;
        let before = (kept(&site)?, rows(&site)?, upstream.count(&shelf.index()));
        for _ in 0..2 {
            let answer = shelf.get_index(&site.admin).send().await?;
            ensure(answer.status == 503, format!("{format}, {what}: {} {}", answer.status, answer.text()))?;
            ensure(answer.text().contains("upstream"), format!("{format}, {what}: {}", answer.text()))?;
        }
        ensure(upstream.count(&shelf.index()) > before.2, format!("{format}, {what}: it was not asked"))?;
        let after = (kept(&site)?, rows(&site)?);
        ensure((&after.0, &after.1) == (&before.0, &before.1), format!("{format}, {what}: left {after:?}"))?;
        shelves.push((what, shelf));
    }
    bare.stock(&upstream, &bytes);
    for (what, shelf) in shelves {
        let answer = until(PATIENCE, || shelf.get_index(&site.admin), 200).await?;
        ensure(answer.text().contains("1.0.0"), format!("{format}, {what}: {}", answer.text()))?;
    }
    Ok(())
}

both! {
    a_wrong_file_is_neither_served_nor_kept;
    an_index_that_is_none_is_a_failure_and_nothing_of_it_stays;
}
