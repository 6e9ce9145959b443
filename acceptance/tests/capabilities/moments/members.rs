//! What comes from elsewhere, and what is put together, as it was.

use std::time::Duration;

use acceptance::Result;
use bytes::Bytes;
use serde_json::json;

use super::{FOR_GOOD, ask};
use crate::engines::both;
use crate::remotes::shelf::{DECLARED, FORMATS, INDEXED, Shelf, noise, of, site};
use crate::remotes::upstream::{Say, Upstream};
use crate::site::{Site, ensure};
use crate::virtuals::{hosted, put_together};
use crate::wares::Ware;

const ALWAYS: u64 = 0;

/// What the upstream has of each format, and a repository of each that has asked for indexes and for no file.
async fn heard(site: &Site, upstream: &Upstream) -> Result<Vec<Shelf>> {
    let mut shelves = Vec::new();
    for (seed, format) in (1..).zip(FORMATS) {
        let settings = json!({"indexSeconds": ALWAYS, "missingSeconds": ALWAYS});
        let shelf = Shelf::stocked(site, upstream, format, settings, &noise(seed, 3000)).await?;
        if INDEXED.contains(&format) {
            of(format, ask(shelf.get_index(&site.admin)).await?.expect(&[200]))?;
        }
        shelves.push(shelf);
    }
    Ok(shelves)
}

/// The same, its files as well.
async fn fetched(site: &Site, upstream: &Upstream) -> Result<Vec<Shelf>> {
    let shelves = heard(site, upstream).await?;
    for shelf in &shelves {
        of(shelf.format, ask(shelf.get_file(&site.admin)).await?.expect(&[200]))?;
    }
    Ok(shelves)
}

async fn of_an_upstream_is_told_what_was_known_then() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let shelves = heard(&site, &upstream).await?;
    let then = site.server.moment("clock").await?;
    let of_then = |shelf: &Shelf| shelf.at(&format!("{}@{then}", shelf.key()));
    let mut indexes = Vec::new();
    for shelf in shelves.iter().filter(|shelf| INDEXED.contains(&shelf.format)) {
        let told = of(shelf.format, ask(of_then(shelf).get_index(&site.admin)).await?.expect(&[200]))?;
        ensure(told.header("cache-control") == Some(FOR_GOOD), format!("{}: {:?}", shelf.format, told.headers))?;
        indexes.push(told.text());
    }
    // The upstream forgets all of it. The files are still where they were.
    for shelf in &shelves {
        if INDEXED.contains(&shelf.format) {
            upstream.says(&shelf.index(), Say::status(404));
            upstream.says("/example.com/gtool/@latest", Say::status(404));
            of(shelf.format, ask(shelf.get_index(&site.admin)).await?.expect(&[404]))?;
        }
    }
    let asked = upstream.total();
    for (shelf, before) in shelves.iter().filter(|shelf| INDEXED.contains(&shelf.format)).zip(indexes) {
        let told = of(shelf.format, ask(of_then(shelf).get_index(&site.admin)).await?.expect(&[200]))?.text();
        ensure(told == before && told.contains("1.0.0"), format!("{}: {told} and not {before}", shelf.format))?;
        if shelf.format == "npm" {
            let link = format!("/repository/npm-up@{then}/ntool/-/ntool-1.0.0.tgz");
            ensure(told.contains(&link), format!("{told} without {link}"))?;
        }
    }
    ensure(upstream.total() == asked, "nobody is asked what was told then")?;
    for (seed, shelf) in (1..).zip(&shelves) {
        let first = ask(of_then(shelf).get_file(&site.admin)).await?;
        if !DECLARED.contains(&shelf.format) {
            // Nothing of then says which bytes they were.
            let why = format!("{}: {} {}", shelf.format, first.status, first.text());
            ensure(first.status == 404 && first.text().contains("nothing was known here of"), why)?;
            continue;
        }
        let again = ask(of_then(shelf).get_file(&site.admin)).await?;
        for found in [of(shelf.format, first.expect(&[200]))?, of(shelf.format, again.expect(&[200]))?] {
            ensure(found.body == noise(seed, 3000), format!("{}: other bytes", shelf.format))?;
        }
        ensure(upstream.count(&shelf.file()) == 1, format!("{}: fetched once", shelf.format))?;
    }
    ask(of_then(&shelves[1]).at("npm-up@2020-01-01").get_index(&site.admin)).await?.expect(&[404])?;
    Ok(())
}

async fn other_bytes_than_those_of_then_are_not_served() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let shelves = heard(&site, &upstream).await?;
    let then = site.server.moment("clock").await?;
    for shelf in shelves.iter().filter(|shelf| DECLARED.contains(&shelf.format)) {
        let past = shelf.at(&format!("{}@{then}", shelf.key()));
        // Not fetched yet, and others by now where they were: they are not kept.
        upstream.says(&shelf.file(), Say::file(noise(99, 3000)));
        let lied = ask(past.get_file(&site.admin)).await;
        ensure(lied.is_err() || lied.is_ok_and(|lied| lied.status == 503), format!("{}: bytes of now", shelf.format))?;
        // The index tells of them by now, and they are fetched: then there were others.
        shelf.stock(&upstream, &noise(99, 3000));
        crate::remotes::shelf::until(Duration::from_secs(60), || shelf.get_file(&site.admin), 200).await?;
        let gone = of(shelf.format, ask(past.get_file(&site.admin)).await?.expect(&[410]))?;
        ensure(gone.text().contains("had other bytes then"), gone.text())?;
    }
    Ok(())
}

async fn what_was_fetched_and_withdrawn_is_as_it_was() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let shelves = fetched(&site, &upstream).await?;
    let then = site.server.moment("clock").await?;
    for shelf in &shelves {
        let key = shelf.key();
        let package = ask(site.admin.get(&format!("/v1/repos/{key}/packages"))).await?.expect(&[200])?;
        let name = package.string("/items/0/packageName")?;
        let namespace = if shelf.format == "maven" { "&namespace=org.example" } else { "" };
        let path = format!("/v1/repos/{key}/packages/versions?package={name}{namespace}");
        let id = ask(site.admin.get(&path)).await?.expect(&[200])?.string("/items/0/versionId")?;
        let tombstone = site.admin.post(&format!("/v1/repos/{key}/packages/versions/{id}/tombstone"));
        ask(tombstone.json(&json!({"reason": "a test"}))).await?.expect(&[200])?;
        of(shelf.format, ask(shelf.get_file(&site.admin)).await?.expect(&[410]))?;
        let past = shelf.at(&format!("{key}@{then}"));
        let found = of(shelf.format, ask(past.get_file(&site.admin)).await?.expect(&[200]))?;
        ensure(found.header("cache-control") == Some(FOR_GOOD), format!("{}: {:?}", shelf.format, found.headers))?;
        if INDEXED.contains(&shelf.format) {
            let told = of(shelf.format, ask(past.get_index(&site.admin)).await?.expect(&[200]))?;
            ensure(told.text().contains("1.0.0"), format!("{}: {}", shelf.format, told.text()))?;
        }
    }
    Ok(())
}

async fn the_rules_of_today_hold_for_every_moment() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let shelves = fetched(&site, &upstream).await?;
    let then = site.server.moment("clock").await?;
    for shelf in &shelves {
        let rules = json!({"rules": [{"kind": "block", "pattern": "*", "reason": "found out today"}]});
        ask(site.admin.put(&format!("/v1/repos/{}/rules", shelf.key())).json(&rules)).await?.expect(&[200])?;
        let past = shelf.at(&format!("{}@{then}", shelf.key()));
        let refused = of(shelf.format, ask(past.get_file(&site.admin)).await?.expect(&[403, 423]))?;
        ensure(refused.text().contains("found out today"), refused.text())?;
        if INDEXED.contains(&shelf.format) {
            of(shelf.format, ask(past.get_index(&site.admin)).await?.expect(&[403, 423]))?;
        }
        // What rules keep out of an index they may let in later: it is not kept for good.
        let rules = json!({"rules": [{"kind": "block", "pattern": "other*"}]});
        ask(site.admin.put(&format!("/v1/repos/{}/rules", shelf.key())).json(&rules)).await?.expect(&[200])?;
        if INDEXED.contains(&shelf.format) {
            let told = of(shelf.format, ask(past.get_index(&site.admin)).await?.expect(&[200]))?;
            ensure(told.header("cache-control") == Some("private, no-cache"), format!("{:?}", told.headers))?;
        }
        of(shelf.format, ask(past.get_file(&site.admin)).await?.expect(&[200]))?;
    }
    Ok(())
}

/// A name that was an upstream's becomes one of ours: of then, it was the upstream's.
async fn each_member_is_read_as_of_the_same_moment() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let shelves = heard(&site, &upstream).await?;
    for shelf in &shelves {
        let (own, all) = (format!("{}-own", shelf.format), format!("{}-all", shelf.format));
        hosted(&site, &own, shelf.format).await?;
        put_together(&site, &all, shelf.format, &[&own, shelf.key()], json!({})).await?;
        of(shelf.format, ask(shelf.at(&all).get_file(&site.admin)).await?.expect(&[200]))?;
    }
    let then = site.server.moment("clock").await?;
    for shelf in &shelves {
        let (own, all) = (format!("{}-own", shelf.format), format!("{}-all", shelf.format));
        let past = shelf.at(&format!("{all}@{then}"));
        if shelf.format == "maven" {
            let path = shelf.at(&own).our_file().replace("1.0.0", "9.9.9");
            ask(site.admin.put(&path).body(Bytes::from_static(b"ours"))).await?.expect(&[200, 201])?;
        }
        if shelf.format == "raw" {
            ask(site.admin.put(&shelf.at(&own).our_file()).body(Bytes::from_static(b"ours"))).await?.expect(&[201])?;
            ensure(ask(shelf.at(&all).get_file(&site.admin)).await?.text() == "ours", "the hosted one comes first")?;
        }
        let found = of(shelf.format, ask(past.get_file(&site.admin)).await?.expect(&[200]))?;
        ensure(found.header("cache-control") == Some(FOR_GOOD), format!("{}: {:?}", shelf.format, found.headers))?;
        ensure(found.body.len() == 3000, format!("{}: the upstream's bytes", shelf.format))?;
        if INDEXED.contains(&shelf.format) {
            let told = of(shelf.format, ask(past.get_index(&site.admin)).await?.expect(&[200]))?;
            let text = told.text();
            ensure(text.contains("1.0.0") && !text.contains("9.9.9"), format!("{}: {text}", shelf.format))?;
            ensure(told.header("cache-control") == Some(FOR_GOOD), format!("{}: {:?}", shelf.format, told.headers))?;
        }
        let put = site.admin.put(&past.our_file()).body(Bytes::from_static(b"x"));
        ask(put).await?.expect(&[405])?;
    }
    let listed =
        ask(site.admin.get(&format!("/repository/raw-all@{then}/files/?format=json"))).await?.expect(&[200])?;
    ensure(listed.json()?["items"][0]["size"] == 3000, listed.text())?;
    Ok(())
}

/// What is hosted in a virtual repository, and what was in neither member.
async fn hosted_members_are_as_they_were() -> Result<()> {
    let site = Site::here().await?;
    for ware in crate::wares::FORMATS.map(Ware) {
        ware.shelf(&site).await?;
        put_together(&site, &format!("{}-all", ware.0), ware.0, &[ware.0], json!({})).await?;
        ware.publish(&site.admin, "0.1.0").await?;
    }
    let then = site.server.moment("clock").await?;
    for ware in crate::wares::FORMATS.map(Ware) {
        ware.publish(&site.admin, "0.2.0").await?;
        let through = |path: String| path.replacen(ware.0, &format!("{}-all@{then}", ware.0), 1);
        let path = |version| through(ware.file("", version)).replace("//", "/");
        of(ware.0, ask(site.admin.get(&path("0.1.0"))).await?.expect(&[200]))?;
        of(ware.0, ask(site.admin.get(&path("0.2.0"))).await?.expect(&[404]))?;
        let (index, accept) = ware.indexes("").swap_remove(0);
        let told = ask(site.admin.get(&through(index)).header("Accept", accept)).await?;
        let told = of(ware.0, told.expect(&[200]))?.text();
        ensure(told.contains("0.1.0") && !told.contains("0.2.0"), format!("{}: {told}", ware.0))?;
    }
    Ok(())
}

/// What some see in a repository that is put together, caches do not hand to others.
async fn what_a_private_member_had_is_kept_by_no_shared_cache() -> Result<()> {
    let site = site().await?;
    for (key, public, version) in [("pub", true, "1.0"), ("priv", false, "6.6.6-secret")] {
        hosted(&site, key, "maven").await?;
        let change = json!({"anonymousRead": public});
        ask(site.admin.patch(&format!("/v1/repos/{key}")).json(&change)).await?.expect(&[200])?;
        let pom = format!(
            "<project><modelVersion>4.0.0</modelVersion><groupId>g</groupId><artifactId>lib</artifactId>\
             <version>{version}</version></project>"
        );
        let path = format!("/repository/{key}/g/lib/{version}/lib-{version}.pom");
        ask(site.admin.put(&path).body(pom)).await?.expect(&[200, 201])?;
    }
    put_together(&site, "mv", "maven", &["pub", "priv"], json!({})).await?;
    ask(site.admin.patch("/v1/repos/mv").json(&json!({"anonymousRead": true}))).await?.expect(&[200])?;
    let then = site.server.moment("clock").await?;
    for path in ["g/lib/maven-metadata.xml", "g/lib/maven-metadata.xml.sha1", "g/lib/?format=json", "g/lib/"] {
        let told = ask(site.admin.get(&format!("/repository/mv@{then}/{path}"))).await?.expect(&[200])?;
        let cache = told.header("cache-control").unwrap_or_default();
        ensure(!cache.contains("public") || cache.contains("no-cache"), format!("{path}: {cache}"))?;
    }
    Ok(())
}

both! {
    of_an_upstream_is_told_what_was_known_then;
    other_bytes_than_those_of_then_are_not_served;
    what_was_fetched_and_withdrawn_is_as_it_was;
    the_rules_of_today_hold_for_every_moment;
    each_member_is_read_as_of_the_same_moment;
    hosted_members_are_as_they_were;
    what_a_private_member_had_is_kept_by_no_shared_cache;
}
