//! Upstreams that never come to an end: answers that crawl, and redirects in a circle.

use acceptance::Result;
use serde_json::json;

use super::shelf::{FORMATS, INDEXED, Shelf, failed, noise, of, remote, site};
use super::upstream::{Say, Upstream};
use crate::engines::both;
use crate::site::{Site, ensure};

/// The whole file never comes: it breaks off, or it is 503.
async fn no_file(site: &Site, shelf: &Shelf) -> Result<()> {
    match shelf.get_file(&site.admin).send().await {
        Err(_) => Ok(()),
        Ok(answer) => of(shelf.key(), failed(shelf.format, &answer)),
    }
}

/// Ten bytes a second are too few, although there is never a second without one.
async fn what_crawls_is_given_up() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let crawl = |length: usize| Say::announces(length).crawls(vec![b'x'; length]);
    let all = FORMATS.map(async |format| {
        let (bytes, bare) = (noise(1, 3000), Shelf::bare(format));
        let (index, file) = (bare.at(&format!("{format}-index")), bare.at(&format!("{format}-file")));
        bare.stock(&upstream, &bytes);
        for shelf in [&index, &file] {
            remote(&site, shelf.key(), format, &upstream.url(), json!({"timeoutSeconds": 1})).await?;
        }
        if INDEXED.contains(&format) {
            file.get_index(&site.admin).send().await?.expect(&[200])?;
            upstream.says(&bare.index(), crawl(3000));
            of(index.key(), failed(format, &index.get_index(&site.admin).send().await?))?;
        }
        upstream.says(&bare.file(), crawl(bytes.len()));
        no_file(&site, &file).await
    });
    futures_util::future::try_join_all(all).await?;
    ensure(site.server.sql("SELECT count(*) FROM entries")?.trim() == "0", "something of it is kept")
}

/// From one path to another, and from one host to another.
async fn redirects_in_a_circle_end() -> Result<()> {
    let (site, one, two) = (site().await?, Upstream::start().await?, Upstream::start().await?);
    for format in FORMATS {
        let (bytes, bare) = (noise(1, 3000), Shelf::bare(format));
        for (what, other) in [("paths", &one), ("hosts", &two)] {
            let (index, file) = (bare.at(&format!("{format}-{what}-i")), bare.at(&format!("{format}-{what}-f")));
            bare.stock(&one, &bytes);
            for shelf in [&index, &file] {
                remote(&site, shelf.key(), format, &one.url(), json!({})).await?;
            }
            let turn = |path: &str| {
                one.says(path, Say::redirect(&format!("{}/around{path}", other.url())));
                other.says(&format!("/around{path}"), Say::redirect(&format!("{}{path}", one.url())));
            };
            if INDEXED.contains(&format) {
                of(file.key(), file.get_index(&site.admin).send().await?.expect(&[200]))?;
                turn(&bare.index());
                let before = one.count(&bare.index());
                of(index.key(), failed(format, &index.get_index(&site.admin).send().await?))?;
                ensure((1..=5).contains(&(one.count(&bare.index()) - before)), format!("{format}: {:?}", one.asked()))?;
            }
            turn(&bare.file());
            let before = one.count(&bare.file());
            of(file.key(), failed(format, &file.get_file(&site.admin).send().await?))?;
            ensure((1..=5).contains(&(one.count(&bare.file()) - before)), format!("{format}: {:?}", one.asked()))?;
        }
    }
    Ok(())
}

both! {
    what_crawls_is_given_up;
    redirects_in_a_circle_end;
}
