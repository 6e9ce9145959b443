//! What is decided here and not at the upstream: who may read, what is withdrawn, how much may be stored; and that a
//! server that dies while a file comes has nothing of it.

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::json;

use super::shelf::{FORMATS, INDEXED, PATIENCE, Shelf, allow, noise, of, remote, site, until};
use super::upstream::{Gate, Say, Upstream};
use crate::engines::both;
use crate::site::{Site, ensure};

async fn what_is_withdrawn_here_is_neither_shown_nor_fetched_again() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for format in FORMATS {
        let bytes = noise(1, 3000);
        let shelf = Shelf::stocked(&site, &upstream, format, json!({"indexSeconds": 0}), &bytes).await?;
        shelf.get_file(&site.admin).send().await?.expect(&[200])?;
        of(format, tombstone(&site, &shelf).await)?;
        let asked = upstream.count(&shelf.file());
        for _ in 0..2 {
            of(format, shelf.get_file(&site.admin).send().await?.expect(&[410]))?;
            of(format, shelf.get_file(&site.admin).range("bytes=0-1").send().await?.expect(&[410]))?;
            if INDEXED.contains(&format) {
                let index = of(format, shelf.get_index(&site.admin).send().await?.expect(&[200, 404, 410]))?;
                let shows = index.status == 200 && index.text().contains("1.0.0");
                ensure(!shows, format!("{format}: it is shown: {}", index.text()))?;
            }
        }
        ensure(upstream.count(&shelf.file()) == asked, format!("{format}: fetched again"))?;
    }
    Ok(())
}

/// The same name with other bytes is never taken here; another repository of the same upstream takes what is there now.
async fn a_withdrawn_version_is_read_through_another_repository() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for format in FORMATS {
        let (poison, good) = (noise(1, 3000), noise(2, 3000));
        let shelf = Shelf::stocked(&site, &upstream, format, json!({"indexSeconds": 0}), &poison).await?;
        shelf.get_file(&site.admin).send().await?.expect(&[200])?;
        of(format, tombstone(&site, &shelf).await)?;
        shelf.stock(&upstream, &good);
        let (all, second) = (shelf.at(&format!("{format}-all")), shelf.at(&format!("{format}-2")));
        let made = json!({"repoKey": all.key(), "format": format, "repoType": "virtual", "memberRepos": [shelf.key()]});
        site.admin.post("/v1/repos").json(&made).send().await?.expect(&[201])?;
        for withdrawn in [&shelf, &all] {
            of(format, withdrawn.get_file(&site.admin).send().await?.expect(&[404, 410]))?;
        }
        remote(&site, second.key(), format, &upstream.url(), json!({})).await?;
        let members = json!({"memberRepos": [second.key(), shelf.key()]});
        site.admin.patch(&format!("/v1/repos/{}", all.key())).json(&members).send().await?.expect(&[200])?;
        let file = of(format, all.get_file(&site.admin).send().await?.expect(&[200]))?;
        ensure(file.body == good, format!("{format}: other bytes"))?;
    }
    Ok(())
}

/// Withdraws the one version that is here.
async fn tombstone(site: &Site, shelf: &Shelf) -> Result<()> {
    let of = format!("/v1/repos/{}/packages", shelf.key());
    let sql = format!(
        "SELECT {} FROM versions v JOIN packages p ON p.id = v.package_id JOIN repositories r
         ON r.id = p.repo_id WHERE r.key = '{}'",
        if site.server.backing() == Backing::Scaled { "v.id" } else { "lower(hex(v.id))" },
        shelf.key()
    );
    let id = site.server.sql(&sql)?.replace('-', "");
    let id = [&id[..8], &id[8..12], &id[12..16], &id[16..20], id[20..].trim()].join("-");
    let body = json!({"reason": "bad"});
    site.admin.post(&format!("{of}/versions/{id}/tombstone")).json(&body).send().await?.expect(&[200]).map(drop)
}

async fn who_may_not_read_makes_it_ask_nothing() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    site.repository("other", json!({})).await?;
    let stranger = site.person("stranger", &["repo:other:read"]).await?;
    for format in FORMATS {
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &noise(1, 3000)).await?;
        for request in [shelf.get_index(&stranger), shelf.get_file(&stranger)] {
            of(format, request.clone().send().await?.expect(&[403, 404]))?;
            of(format, request.anonymous().send().await?.expect(&[401]))?;
        }
        of(format, stranger.head(&shelf.our_file()).anonymous().send().await?.expect(&[401]))?;
    }
    ensure(upstream.total() == 0, format!("{:?}", upstream.asked()))?;
    let reader = site.person("reader", &["repo:*:read"]).await?;
    for format in FORMATS {
        of(format, Shelf::bare(format).get_file(&reader).send().await?.expect(&[200]))?;
    }
    Ok(())
}

/// Ten mebibytes may be stored: of two files of six one has room.
async fn what_has_no_room_is_refused_and_not_kept() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    allow(&site, 10 << 20).await?;
    let bytes = noise(1, 6 << 20);
    Shelf::stocked(&site, &upstream, "raw", json!({}), &bytes).await?;
    upstream.says("/one", Say::file(bytes.clone()));
    upstream.says("/told", Say::file(bytes.clone()));
    upstream.says("/untold", Say::chunked().chunk(&bytes).bytes("0\r\n\r\n"));
    let used = async || -> Result<u64> {
        let told = site.admin.get("/v1/admin/tenant-admission-policy").send().await?.expect(&[200])?.json()?;
        Ok(told["usage"]["logicalStorageBytes"].as_u64().unwrap_or(u64::MAX))
    };
    site.admin.get("/repository/raw-up/one").send().await?.expect(&[200])?;
    let before = used().await?;
    let told = site.admin.get("/repository/raw-up/told").send().await?.expect(&[429])?;
    ensure(told.text().contains("allowance"), told.text())?;
    let untold = site.admin.get("/repository/raw-up/untold").send().await;
    ensure(untold.is_err() || untold.is_ok_and(|answer| answer.status == 429), "it was served")?;
    ensure(used().await? == before, "what was refused is counted")?;
    ensure(site.server.sql("SELECT count(*) FROM entries")?.trim() == "1", "what was refused is kept")?;
    allow(&site, 100 << 20).await?;
    for path in ["/repository/raw-up/told", "/repository/raw-up/untold"] {
        let file = until(PATIENCE, || site.admin.get(path), 200).await?;
        ensure(file.body == bytes, path)?;
    }
    Ok(())
}

async fn a_server_that_is_killed_while_a_file_comes_has_nothing_of_it() -> Result<()> {
    let (mut site, upstream) = (site().await?, Upstream::start().await?);
    for format in FORMATS {
        let (bytes, gate) = (noise(1, 1 << 20), Gate::new());
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &bytes).await?;
        let (one, two) = bytes.split_at(bytes.len() / 2);
        let say = Say::announces(bytes.len()).bytes(one.to_vec()).waits(&gate).bytes(two.to_vec());
        upstream.says(&shelf.file(), say);
        let reader = tokio::spawn(shelf.get_file(&site.admin).send());
        while upstream.count(&shelf.file()) == 0 {
            tokio::task::yield_now().await;
        }
        site.server.kill9()?;
        ensure(reader.await?.is_err(), format!("{format}: a reader got a whole answer"))?;
        site.server.resume().await?;
        site.admin = site.server.admin()?;
        gate.open();
        let file = of(format, shelf.get_file(&site.admin).send().await?.expect(&[200]))?;
        ensure(file.body == bytes, format!("{format}: other bytes"))?;
        ensure(upstream.count(&shelf.file()) == 2, format!("{format}: it is fetched again"))?;
    }
    let staging = site.server.data().join("staging");
    let left = std::fs::read_dir(&staging).map(Iterator::count).unwrap_or_default();
    ensure(left == 0, format!("{left} halves are left in {}", staging.display()))
}

both! {
    what_is_withdrawn_here_is_neither_shown_nor_fetched_again;
    a_withdrawn_version_is_read_through_another_repository;
    who_may_not_read_makes_it_ask_nothing;
    what_has_no_room_is_refused_and_not_kept;
    a_server_that_is_killed_while_a_file_comes_has_nothing_of_it;
}
