//! Upstreams that lie: nobody gets a whole wrong file, nothing of it stays, and the truth is believed afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use acceptance::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::shelf::{DECLARED, FORMATS, INDEXED, Shelf, noise, of, site, until};
use super::upstream::{Say, Upstream};
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
        ("a page", Say::answer(200, &HTML, PAGE)),
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_file_is_neither_served_nor_kept() -> Result<()> {
    let site = small_site().await?;
    for format in FORMATS {
        let upstream = Upstream::start().await?;
        let bytes = noise(1, 300_000);
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &bytes).await?;
        let told = DECLARED.contains(&format) || format == "maven";
        if INDEXED.contains(&format) {
            shelf.get_index(&site.admin).send().await?.expect(&[200])?;
        }
        for (what, say) in wrong(&bytes).into_iter().filter(|_| told).chain(broken(&bytes)) {
            let (files_before, rows_before) = (kept(&site)?, rows(&site)?);
            upstream.says(&shelf.file(), say);
            of(&format!("{format}, {what}"), refused(&site, &shelf).await)?;
            of(&format!("{format}, {what}"), refused(&site, &shelf).await)?;
            ensure(kept(&site)? == files_before, format!("{format}, {what}: left {:?}", kept(&site)?))?;
            ensure(rows(&site)? == rows_before, format!("{format}, {what}: left {}", rows(&site)?))?;
        }
        upstream.says(&shelf.file(), Say::file(bytes.clone()));
        let file = until(Duration::from_secs(60), || shelf.get_file(&site.admin), 200).await?;
        ensure(file.body == bytes, format!("{format}: the truth is served"))?;
    }
    Ok(())
}

/// A server that takes at most a megabyte, so that what has no end ends soon.
async fn small_site() -> Result<Site> {
    let server = crate::site::plan()
        .variable("ARTIFORTRESS_PRIVATE_UPSTREAMS", "127.0.0.0/8")
        .variable("ARTIFORTRESS_MAX_UPLOAD_BYTES", "1000000");
    let server = server.start().await?;
    Ok(Site { admin: server.admin()?, server })
}

/// Either it breaks off, or it is 503 with a sentence.
async fn refused(site: &Site, shelf: &Shelf) -> Result<()> {
    match shelf.get_file(&site.admin).send().await {
        Err(_) => Ok(()),
        Ok(answer) => {
            ensure(answer.status == 503, format!("{} with {} bytes", answer.status, answer.body.len()))?;
            ensure(answer.text().contains("upstream"), answer.text())
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
        ("a reset in the middle", Say::announces(right.len()).bytes(right[..20].to_owned()).resets()),
        ("no gzip", Say::answer(200, &gzip, right.clone())),
        ("gzip that breaks off", Say::answer(200, &gzip, packed(right.as_bytes())[..20].to_vec())),
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_none_is_a_failure_and_nothing_of_it_stays() -> Result<()> {
    for format in INDEXED {
        let (site, upstream) = (site().await?, Upstream::start().await?);
        let bytes = noise(1, 1000);
        let shelf = Shelf::bare(format);
        for (number, (what, say)) in odd(&shelf, &bytes).into_iter().enumerate() {
            // A repository of its own for each: what failed is left alone for a while.
            let key = format!("{format}-{number}");
            let shelf = shelf.at(&key);
            shelf.stock(&upstream, &bytes);
            upstream.says(&shelf.index(), say);
            super::shelf::remote(&site, &key, format, &upstream.url(), json!({})).await?;
            let before = (kept(&site)?, rows(&site)?);
            for _ in 0..2 {
                let answer = shelf.get_index(&site.admin).send().await?;
                ensure(answer.status == 503, format!("{format}, {what}: {} {}", answer.status, answer.text()))?;
                ensure(answer.text().contains("upstream"), format!("{format}, {what}: {}", answer.text()))?;
            }
            let after = (kept(&site)?, rows(&site)?);
            ensure(after == before, format!("{format}, {what}: left {after:?} of {before:?}"))?;
            if number < 2 {
                shelf.stock(&upstream, &bytes);
                let answer = until(Duration::from_secs(60), || shelf.get_index(&site.admin), 200).await?;
                ensure(answer.text().contains("1.0.0"), format!("{format}, {what}: {}", answer.text()))?;
            }
        }
    }
    Ok(())
}
