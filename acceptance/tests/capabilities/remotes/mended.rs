//! Files of an upstream whose copy here is damaged or gone: they come again, the same bytes or none.

use std::fs;
use std::os::unix::fs::FileExt;

use acceptance::Result;
use acceptance::http::{Answer, Request};
use acceptance::server::Backing;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::evicted::{counts, restart, site};
use super::shelf::{FORMATS, PATIENCE, Shelf, hex, noise, of, until};
use super::upstream::{Say, Upstream};
use crate::site::{Site, ensure};

const DAMAGED: &str = "SELECT count(*) FROM copies WHERE state = 'damaged'";
const LONG: usize = (3 << 20) - 77;

/// What happens to a copy.
#[derive(Clone, Copy, Debug)]
pub(super) enum Harm {
    /// One bit of the byte at this place is another one.
    Flip(u64),
    /// The file is not there.
    Gone,
}

fn in_hex(site: &Site, column: &str) -> String {
    match site.server.backing() {
        Backing::Embedded => format!("lower(hex({column}))"),
        Backing::Scaled => format!("encode({column}, 'hex')"),
    }
}

fn copies(site: &Site, bytes: &[u8]) -> String {
    format!("copies c WHERE {} = '{}'", in_hex(site, "c.digest"), hex(&Sha256::digest(bytes)))
}

/// Kind and place of the copy with these bytes.
fn copy(site: &Site, bytes: &[u8]) -> Result<(String, String)> {
    let row = site.server.sql(&format!("SELECT kind, place FROM {} AND state = 'good'", copies(site, bytes)))?;
    let (kind, place) = row.trim().split_once('|').unwrap_or_default();
    Ok((kind.to_owned(), place.to_owned()))
}

/// Damages the copy with these bytes, past the program.
pub(super) fn harm(site: &Site, bytes: &[u8], harm: Harm) -> Result<()> {
    let (kind, place) = copy(site, bytes)?;
    if kind == "inline" {
        return harm_row(site, bytes);
    }
    let path = site.server.blobs().join(place);
    let Harm::Flip(at) = harm else { return Ok(fs::remove_file(path)?) };
    let file = fs::File::options().write(true).open(path)?;
    Ok(file.write_all_at(&[bytes[usize::try_from(at)?] ^ 1], at)?)
}

fn harm_row(site: &Site, bytes: &[u8]) -> Result<()> {
    let mut bad = bytes.to_vec();
    bad[bytes.len() / 2] ^= 1;
    let bad = match site.server.backing() {
        Backing::Embedded => format!("X'{}'", hex(&bad)),
        Backing::Scaled => format!("decode('{}', 'hex')", hex(&bad)),
    };
    let whose = format!("SELECT c.id FROM {}", copies(site, bytes));
    site.server.sql(&format!("UPDATE inline_bytes SET bytes = {bad} WHERE copy_id IN ({whose})")).map(drop)
}

/// Refusals are in the shape of each client.
pub(super) async fn ask(request: Request) -> Result<Answer> {
    request.send().await
}

pub(super) async fn events(site: &Site, action: &str, count: usize) -> Result<()> {
    counts(site, &format!("SELECT count(*) FROM events WHERE action = '{action}'"), count).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_files_come_again_where_they_are_read() -> Result<()> {
    for (backing, formats) in [(Backing::Embedded, &FORMATS[..]), (Backing::Scaled, &["raw", "npm", "pypi"][..])] {
        let (mut site, upstream) = (site(backing).await?, Upstream::start().await?);
        let lengths = [LONG, 200_000, 3000];
        let mut shelves = Vec::new();
        for (format, seed) in formats.iter().zip(0..) {
            let bytes = noise(seed, lengths[usize::from(seed) % 3]);
            let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &bytes).await?;
            ask(shelf.get_file(&site.admin)).await?.expect(&[200])?;
            let place = copy(&site, &bytes)?;
            harm(&site, &bytes, if seed == 1 { Harm::Gone } else { Harm::Flip(bytes.len() as u64 - 9) })?;
            shelves.push((shelf, bytes, place));
        }
        // What the process remembers of short ones is good still.
        restart(&mut site).await?;
        for (shelf, bytes, place) in &shelves {
            let before = upstream.count(&shelf.file());
            for _ in 0..2 {
                let file = of(shelf.format, ask(shelf.get_file(&site.admin)).await?.expect(&[200]))?;
                ensure(file.body == *bytes, format!("{}: other bytes than before", shelf.format))?;
            }
            let part = ask(shelf.get_file(&site.admin).range("bytes=7-9")).await?.expect(&[206])?;
            ensure(part.body == bytes[7..=9], format!("{}: other bytes of a part", shelf.format))?;
            let asked = upstream.count(&shelf.file()) - before;
            ensure(asked == 1, format!("{}: fetched {asked} times", shelf.format))?;
            ensure(copy(&site, bytes)? != *place, format!("{}: at the same place: {place:?}", shelf.format))?;
        }
        for action in ["blob.copy.damaged", "blob.refetched", "blob.healed"] {
            events(&site, action, shelves.len()).await?;
        }
        counts(&site, DAMAGED, 0).await?;
        ensure(!site.server.log().contains("no good copy"), site.server.log())?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_files_wait_for_an_upstream_that_is_away() -> Result<()> {
    for backing in [Backing::Embedded, Backing::Scaled] {
        let (site, mut upstream) = (site(backing).await?, Upstream::start().await?);
        let bytes = noise(1, 200_000);
        let shelf = Shelf::stocked(&site, &upstream, "npm", json!({}), &bytes).await?;
        ask(shelf.get_file(&site.admin)).await?.expect(&[200])?;
        harm(&site, &bytes, Harm::Gone)?;
        upstream.down().await;
        let doors = [shelf.our_file(), format!("/v1/repos/npm-up/blobs/{}", hex(&Sha256::digest(&bytes)))];
        for _ in 0..2 {
            for door in &doors {
                let away = of(door, ask(site.admin.get(door)).await?.expect(&[503]))?;
                ensure(away.text().contains("the upstream cannot be read"), away.text())?;
                let head = of(door, ask(site.admin.head(door)).await?.expect(&[200]))?;
                ensure(head.header("content-length") == Some("200000"), format!("{:?}", head.headers))?;
            }
        }
        // Who may not ask says so, and promises nothing.
        let offline = |offline: bool| {
            let body = json!({"settings": {"upstream": {"offline": offline}}});
            site.admin.patch("/v1/repos/npm-up").json(&body)
        };
        ask(offline(true)).await?.expect(&[200])?;
        for door in &doors {
            let refused = of(door, ask(site.admin.get(door)).await?.expect(&[503]))?;
            let told = refused.text();
            ensure(told.contains("are damaged here") && told.contains("npm-up is offline"), told)?;
            of(door, ask(site.admin.head(door)).await?.expect(&[503]))?;
        }
        ask(offline(false)).await?.expect(&[200])?;
        upstream.up().await?;
        let file = until(PATIENCE, || shelf.get_file(&site.admin), 200).await?;
        ensure(file.body == bytes, "other bytes than before")?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_else_takes_the_place_of_a_damaged_file() -> Result<()> {
    for backing in [Backing::Embedded, Backing::Scaled] {
        let (site, upstream) = (site(backing).await?, Upstream::start().await?);
        let (ours, theirs) = (noise(1, 200_000), noise(2, 200_000));
        let shelf = Shelf::stocked(&site, &upstream, "raw", json!({}), &ours).await?;
        ask(shelf.get_file(&site.admin)).await?.expect(&[200])?;
        harm(&site, &ours, Harm::Flip(70_000))?;
        upstream.says(&shelf.file(), Say::file(theirs.clone()));
        for _ in 0..2 {
            let refused = ask(shelf.get_file(&site.admin)).await?.expect(&[503])?;
            ensure(refused.text().contains("are damaged here, and the upstream has other ones"), refused.text())?;
        }
        events(&site, "upstream.changed", 1).await?;
        upstream.says(&shelf.file(), Say::status(404));
        let gone = until_told(&shelf, &site, "the upstream has them no more").await?;
        ensure(!gone.contains("push the same bytes"), gone)?;
        counts(&site, DAMAGED, 1).await?;
        upstream.says(&shelf.file(), Say::file(ours.clone()));
    }
    Ok(())
}

/// Asks until that is why it is refused.
async fn until_told(shelf: &Shelf, site: &Site, why: &str) -> Result<String> {
    let begun = std::time::Instant::now();
    loop {
        let told = ask(shelf.get_file(&site.admin)).await?.expect(&[503])?.text();
        if told.contains(why) {
            return Ok(told);
        }
        ensure(begun.elapsed() < PATIENCE, told)?;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// Many at once are one fetch, also in the middle of what they read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_readers_of_a_damaged_file_are_one_fetch() -> Result<()> {
    let (site, upstream) = (site(Backing::Embedded).await?, Upstream::start().await?);
    let bytes = noise(1, LONG);
    let shelf = Shelf::stocked(&site, &upstream, "maven", json!({}), &bytes).await?;
    ask(shelf.get_file(&site.admin)).await?.expect(&[200])?;
    harm(&site, &bytes, Harm::Flip(2 << 20))?;
    let before = upstream.count(&shelf.file());
    let files = futures_util::future::join_all((0..20).map(|_| ask(shelf.get_file(&site.admin)))).await;
    for file in files {
        ensure(file?.expect(&[200])?.body == bytes, "other bytes than before")?;
    }
    let asked = upstream.count(&shelf.file()) - before;
    ensure(asked == 1, format!("fetched {asked} times"))
}
