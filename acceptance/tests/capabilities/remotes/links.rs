//! Where other vendors' indexes lead: links of each kind, addresses beneath a path, and links that lead nowhere.

use acceptance::Result;
use serde_json::json;

use super::shelf::{DECLARED, FORMATS, INDEXED, Shelf, failed, noise, of, remote, site};
use super::upstream::{Say, Upstream};
use crate::engines::both;
use crate::site::{Site, ensure};

async fn reads(site: &Site, shelf: &Shelf, bytes: &[u8]) -> Result<()> {
    if INDEXED.contains(&shelf.format) {
        let index = of(shelf.key(), shelf.get_index(&site.admin).send().await?.expect(&[200]))?;
        ensure(!index.text().contains("/files/"), format!("{}: a link of theirs: {}", shelf.key(), index.text()))?;
    }
    let file = of(shelf.key(), shelf.get_file(&site.admin).send().await?.expect(&[200]))?;
    ensure(file.body == bytes, format!("{}: other bytes", shelf.key()))
}

async fn links_are_followed_however_they_are_written() -> Result<()> {
    let (site, upstream, elsewhere) = (site().await?, Upstream::start().await?, Upstream::start().await?);
    for format in DECLARED {
        let (bytes, bare) = (noise(1, 3000), Shelf::bare(format));
        let beside = if format == "pypi" { ".." } else { "." };
        let written = [
            ("whole", upstream.url()),
            ("scheme", upstream.url().replace("http:", "")),
            ("root", String::new()),
            ("beside", beside.to_owned()),
            ("dots", format!("{beside}/x/../y/%2e%2e")),
            ("foreign", elsewhere.url()),
            ("foreign-scheme", elsewhere.url().replace("http:", "")),
        ];
        for (what, base) in written {
            let shelf = bare.at(&format!("{format}-{what}"));
            remote(&site, shelf.key(), format, &upstream.url(), json!({})).await?;
            let (there, other) =
                if what.starts_with("foreign") { (&elsewhere, &upstream) } else { (&upstream, &elsewhere) };
            shelf.stock(there, &bytes);
            other.says(&shelf.file(), Say::status(404));
            shelf.tell(&upstream, &base, &bytes);
            reads(&site, &shelf, &bytes).await?;
        }
    }
    Ok(())
}

async fn an_upstream_may_lie_beneath_a_path() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for prefix in ["/repository/up", "/artifactory/api/kind/up", "/nexus/content/groups/up"] {
        upstream.lies_beneath(prefix);
        for format in FORMATS {
            let (bytes, bare) = (noise(1, 3000), Shelf::bare(format));
            let ending = prefix.rsplit('/').nth(1).unwrap_or_default();
            for (what, base) in [("root", prefix.to_owned()), ("whole", format!("{}{prefix}", upstream.url()))] {
                let shelf = bare.at(&format!("{format}-{ending}-{what}"));
                shelf.stock(&upstream, &bytes);
                shelf.tell(&upstream, &base, &bytes);
                remote(&site, shelf.key(), format, &format!("{}{prefix}/", upstream.url()), json!({})).await?;
                reads(&site, &shelf, &bytes).await?;
            }
        }
    }
    let outside: Vec<_> =
        upstream.asked().into_iter().filter(|asked| asked.path.matches("/up/").count() != 1).collect();
    ensure(outside.is_empty(), format!("outside of the address: {outside:?}"))
}

/// What such a link names is in no index with an address that anybody could follow, and is not there.
async fn links_that_nobody_fetches_lead_nowhere() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let host = upstream.url().replace("http://", "");
    for format in DECLARED {
        let (bytes, bare) = (noise(1, 3000), Shelf::bare(format));
        let odd = [
            "javascript:alert(1)//".to_owned(),
            "data:text/html,<script>alert(1)</script>".to_owned(),
            "file:///etc".to_owned(),
            "ftp://127.0.0.1".to_owned(),
            format!("http://ada:secret@{host}"),
            format!("http:\\\\{host}"),
            format!("{}\n", upstream.url()),
        ];
        for (number, base) in odd.into_iter().enumerate() {
            let shelf = bare.at(&format!("{format}-{number}"));
            shelf.stock(&upstream, &bytes);
            shelf.tell(&upstream, &base, &bytes);
            remote(&site, shelf.key(), format, &upstream.url(), json!({})).await?;
            let index = shelf.get_index(&site.admin).send().await?;
            let text = index.text();
            let theirs = ["javascript:", "data:text", "file:", "ftp:", "secret", "alert"];
            let leads = theirs.into_iter().find(|theirs| text.contains(theirs));
            ensure(leads.is_none(), format!("{format}, {base:?}: {text}"))?;
            let before = upstream.count(&shelf.file());
            let file = shelf.get_file(&site.admin).send().await?;
            match file.status {
                // What cannot be fetched is not there, whatever else the index tells of.
                404 => ensure([200, 404].contains(&index.status), format!("{format}, {base:?}: {}", index.status))?,
                _ => of(&format!("{format}, {base:?}"), failed(format, &file))?,
            }
            ensure(upstream.count(&shelf.file()) == before, format!("{format}, {base:?}: it was followed"))?;
        }
    }
    Ok(())
}

both! {
    links_are_followed_however_they_are_written;
    an_upstream_may_lie_beneath_a_path;
    links_that_nobody_fetches_lead_nowhere;
}
