//! An upstream's failure is not an absence, and an absence is believed for a while only.

use std::time::Instant;

use acceptance::Result;
use futures_util::future::try_join_all;
use serde_json::json;

use super::shelf::{FORMATS, INDEXED, PATIENCE, Shelf, failed, noise, of, remote, site, until};
use super::upstream::{Say, Upstream};
use crate::engines::both;
use crate::site::{Site, ensure};

/// What fails, and how.
fn failures() -> Vec<(&'static str, Say)> {
    let head = Say::default().bytes("HTTP/1.1 200 OK\r\nContent-");
    vec![
        ("a reset", Say::default().resets()),
        ("a reset in the head", head.clone().resets()),
        ("an end in the head", head),
        ("silence", Say::default().hangs()),
        ("429", Say::answer(429, &[("Retry-After", "1")], "slowly")),
        ("401", Say::answer(401, &[("WWW-Authenticate", "Basic realm=\"x\"")], "who?")),
        ("403", Say::status(403)),
        ("500", Say::status(500)),
        ("502", Say::answer(502, &[("Content-Type", "text/html")], "<html>")),
        ("503", Say::answer(503, &[("Retry-After", "1")], "")),
        ("504", Say::status(504)),
    ]
}

async fn no_failure_is_an_absence() -> Result<()> {
    try_join_all(FORMATS.map(all_failures)).await.map(drop)
}

async fn all_failures(format: &'static str) -> Result<()> {
    let (site, mut upstream) = (site().await?, Upstream::start().await?);
    let (bytes, bare) = (noise(1, 5000), Shelf::bare(format));
    for (number, (what, say)) in failures().into_iter().enumerate() {
        // A repository of its own for each, and one more for the index: what failed is left alone for a while.
        let (file, index) = (bare.at(&format!("{format}-f{number}")), bare.at(&format!("{format}-i{number}")));
        bare.stock(&upstream, &bytes);
        for shelf in [&file, &index] {
            remote(&site, shelf.key(), format, &upstream.url(), json!({"timeoutSeconds": 1})).await?;
        }
        if INDEXED.contains(&format) {
            file.get_index(&site.admin).send().await?.expect(&[200])?;
            upstream.says(&bare.index(), say.clone());
            let answer = index.get_index(&site.admin).send().await?;
            of(&format!("{format}, the index, {what}"), failed(format, &answer))?;
            ensure(upstream.count(&bare.index()) >= 2, "it was not asked")?;
        }
        let before = upstream.count(&bare.file());
        upstream.says(&bare.file(), say);
        let answer = file.get_file(&site.admin).send().await?;
        of(&format!("{format}, the file, {what}"), failed(format, &answer))?;
        ensure(upstream.count(&bare.file()) > before, format!("{format}, {what}: it was not asked"))?;
    }
    let shelf = bare.at(&format!("{format}-down"));
    remote(&site, shelf.key(), format, &upstream.url(), json!({})).await?;
    upstream.down().await;
    let request = if INDEXED.contains(&format) { shelf.get_index(&site.admin) } else { shelf.get_file(&site.admin) };
    of(&format!("{format}, away"), failed(format, &request.send().await?))?;
    of(&format!("{format}, away"), failed(format, &shelf.get_file(&site.admin).send().await?))?;
    upstream.up().await?;
    bare.stock(&upstream, &bytes);
    let file = until(PATIENCE, || shelf.get_file(&site.admin), 200).await?;
    ensure(file.body == bytes, format!("{format}: back again"))
}

async fn an_absence_is_believed_for_its_time() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for (format, status) in FORMATS.into_iter().zip([404, 410].into_iter().cycle()) {
        let shelf = Shelf::bare(format);
        let (kept, asked) = (shelf.at(&format!("{format}-kept")), shelf.at(&format!("{format}-asked")));
        remote(&site, kept.key(), format, &upstream.url(), json!({"missingSeconds": 3600})).await?;
        remote(&site, asked.key(), format, &upstream.url(), json!({"missingSeconds": 0})).await?;
        upstream.says(&shelf.index(), Say::status(status));
        upstream.says(&shelf.file(), Say::status(status));
        if format == "cargo" {
            upstream.says("/config.json", Say::answer(200, &[], r#"{"dl": "files"}"#));
        }
        missing(&site, &kept).await?;
        let before = upstream.total();
        missing(&site, &kept).await?;
        ensure(upstream.total() == before, format!("{format}: what is missing is believed"))?;
        missing(&site, &asked).await?;
        let bytes = noise(3, 4000);
        shelf.stock(&upstream, &bytes);
        missing(&site, &kept).await?;
        let file = asked.get_file(&site.admin).send().await?.expect(&[200])?;
        ensure(file.body == bytes, format!("{format}: there by now"))?;
    }
    Ok(())
}

async fn missing(site: &Site, shelf: &Shelf) -> Result<()> {
    if INDEXED.contains(&shelf.format) {
        of(shelf.format, shelf.get_index(&site.admin).send().await?.expect(&[404]))?;
    }
    of(shelf.format, shelf.get_file(&site.admin).send().await?.expect(&[404])).map(drop)
}

/// What was there and is gone at the upstream is gone here, but for the files that are here.
async fn a_package_that_is_withdrawn_there() -> Result<()> {
    let (site, mut upstream) = (site().await?, Upstream::start().await?);
    let settings = json!({"indexSeconds": 0, "missingSeconds": 0});
    for format in INDEXED {
        let bytes = noise(3, 4000);
        let shelf = Shelf::stocked(&site, &upstream, format, settings.clone(), &bytes).await?;
        shelf.get_index(&site.admin).send().await?.expect(&[200])?;
        shelf.get_file(&site.admin).send().await?.expect(&[200])?;
        upstream.says(&shelf.index(), Say::status(404));
        if format == "go" {
            upstream.says("/example.com/gtool/@latest", Say::status(404));
        }
        of(format, shelf.get_index(&site.admin).send().await?.expect(&[404]))?;
        let file = of(format, shelf.get_file(&site.admin).send().await?.expect(&[200]))?;
        ensure(file.body == bytes, format!("{format}: what is here stays"))?;
    }
    // It is not said to be missing by one who does not answer.
    upstream.down().await;
    for format in INDEXED {
        let answer = Shelf::bare(format).get_index(&site.admin).send().await?;
        of(format, answer.expect(&[503]))?;
    }
    upstream.up().await?;
    let start = Instant::now();
    for format in INDEXED {
        let shelf = Shelf::bare(format);
        shelf.stock(&upstream, &noise(3, 4000));
        of(format, until(PATIENCE, || shelf.get_index(&site.admin), 200).await)?;
    }
    ensure(start.elapsed() < PATIENCE, "back again")
}

both! {
    no_failure_is_an_absence;
    an_absence_is_believed_for_its_time;
    a_package_that_is_withdrawn_there;
}
