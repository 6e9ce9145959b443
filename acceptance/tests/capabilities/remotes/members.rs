//! Remote repositories as members of virtual ones: what holds directly holds through them.

use acceptance::Result;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::shelf::{DECLARED, Shelf, hex, noise, of, remote, site};
use super::upstream::{Say, Upstream};
use crate::engines::both;
use crate::site::ensure;
use crate::virtuals::put_together;

async fn what_is_here_is_served_and_owned_for_good() -> Result<()> {
    let (site, upstream, evil) = (site().await?, Upstream::start().await?, Upstream::start().await?);
    for format in DECLARED {
        let shelf = Shelf::stocked(
            &site,
            &upstream,
            format,
            json!({"indexSeconds": 0, "missingSeconds": 0, "staleHours": 0}),
            b"good",
        )
        .await?;
        let (other, all) = (format!("{format}-other"), format!("{format}-all"));
        shelf.at(&other).stock(&evil, b"evil");
        remote(&site, &other, format, &evil.url(), json!({})).await?;
        put_together(&site, &all, format, &[shelf.key(), &other], json!({})).await?;
        let through = shelf.at(&all);
        of(format, through.get_file(&site.admin).send().await?.expect(&[200]))?;
        // It is gone there, or cannot be asked: what was fetched stays, and the name does not change hands.
        for (status, right) in [(404, 404), (503, 503)] {
            upstream.says(&shelf.index(), Say::status(status));
            let file = of(format, through.get_file(&site.admin).send().await?.expect(&[200]))?;
            ensure(file.body == b"good"[..], format!("{format}: {file:?}"))?;
            of(format, through.get_index(&site.admin).send().await?.expect(&[right]))?;
        }
        let index = evil.count(&shelf.index());
        ensure(index == 0, format!("{format}: another upstream was asked for a name that is taken"))?;
    }
    Ok(())
}

async fn what_is_kept_out_is_so_for_a_reason() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for (format, merging) in [("maven", "union"), ("npm", "union"), ("npm", "owner"), ("pypi", "owner")] {
        let shelf = Shelf::bare(format);
        shelf.stock(&upstream, b"x");
        let (up, all) = (format!("{format}-{merging}"), format!("{format}-{merging}-all"));
        remote(&site, &up, format, &upstream.url(), json!({})).await?;
        put_together(&site, &all, format, &[&up], json!({"merging": merging})).await?;
        site.rules(&up, json!([{"kind": "block", "pattern": "*", "reason": "it has a hole"}])).await?;
        let before = upstream.total();
        let sent = shelf.at(&all).get_index(&site.admin).send().await?;
        let sent = of(&all, sent.expect(&[403, 423]))?;
        ensure(sent.text().contains("it has a hole"), format!("{all}: {}", sent.text()))?;
        if merging == "union" {
            ensure(upstream.total() == before, format!("{all}: a blocked name is not asked for"))?;
        }
        if format == "npm" {
            let path = format!("/v1/repos/{all}/explain?name=ntool&version=1.0.0");
            let said = site.admin.get(&path).send().await?.expect(&[200])?.json()?;
            ensure(
                said["verdict"] == "deny" && said["detail"].to_string().contains("it has a hole"),
                said.to_string(),
            )?;
        }
        site.rules(&up, json!([])).await?;
        of(&all, shelf.at(&all).get_index(&site.admin).send().await?.expect(&[200]))?;
    }
    Ok(())
}

/// A mirror that has the files of a version alone, as for revisions that no list has.
async fn what_no_list_has_is_there_through_a_virtual_repository() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    remote(&site, "up", "go", &upstream.url(), json!({})).await?;
    site.admin.post("/v1/repos").json(&json!({"repoKey": "own", "format": "go"})).send().await?.expect(&[201])?;
    put_together(&site, "all", "go", &["own", "up"], json!({})).await?;
    let revision = "v0.0.0-20260101000000-abcdefabcdef";
    let at = |kind: &str| format!("/example.com/lone/@v/{revision}{kind}");
    let info = json!({"Version": revision, "Time": "2026-01-01T00:00:00Z"}).to_string();
    upstream.says(&at(".info"), Say::answer(200, &[], info));
    upstream.says(&at(".mod"), Say::file("module example.com/lone\n"));
    for key in ["up", "all"] {
        for kind in [".info", ".mod"] {
            let path = format!("/repository/{key}{}", at(kind));
            of(&path, site.admin.get(&path).send().await?.expect(&[200]))?;
        }
    }
    site.rules("own", json!([{"kind": "claim", "pattern": "example.com/*"}])).await?;
    // What is hosted here holds for every upstream of the format, through whichever repository it is asked.
    let asked = upstream.total();
    for path in [at(".mod"), "/example.com/new/@v/list".to_owned(), "/example.com/new/@v/v1.0.0.info".to_owned()] {
        for key in ["up", "all"] {
            site.admin.get(&format!("/repository/{key}{path}")).send().await?.expect(&[404])?;
        }
    }
    ensure(upstream.total() == asked, "the upstream is told of a claimed name")?;
    site.rules("own", json!([])).await?;
    site.admin.get(&format!("/repository/up{}", at(".mod"))).send().await?.expect(&[200])?;
    Ok(())
}

/// Who may read a repository with rules gets nothing of what they keep out by claiming to have the bytes already.
async fn blocked_bytes_are_not_lent() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let bytes = noise(9, 200_000);
    let shelf = Shelf::stocked(&site, &upstream, "raw", json!({}), &bytes).await?;
    site.admin.post("/v1/repos").json(&json!({"repoKey": "own", "format": "raw"})).send().await?.expect(&[201])?;
    shelf.get_file(&site.admin).send().await?.expect(&[200])?;
    let digest = hex(&Sha256::digest(&bytes));
    let begin = async || -> Result<Value> {
        let body = json!({"expectedDigest": digest, "expectedLength": bytes.len()});
        let begun = site.admin.post("/v1/repos/own/uploads").json(&body).send().await?.expect(&[200, 201])?;
        begun.json()
    };
    site.rules(shelf.key(), json!([{"kind": "block", "pattern": "*"}])).await?;
    let begun = begin().await?;
    ensure(begun["deduped"] == false, format!("the bytes are to be sent: {begun}"))?;
    site.rules(shelf.key(), json!([])).await?;
    let begun = begin().await?;
    ensure(begun["deduped"] == true, format!("they are known: {begun}"))
}

/// A name that is none is not asked for, in whatever way it comes.
async fn odd_names_are_asked_of_nobody() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for (format, names) in [
        ("pypi", ["secret-lib?x", "foo/../secret-lib", "secret-lib#x"]),
        ("go", ["!acme/secret", "example.com/../secret", "example.com/secret?x"]),
        ("npm", ["secret?x", "../secret", "@a/../secret"]),
        ("cargo", ["secret?x", "../secret", "se/cr/secret"]),
    ] {
        remote(&site, format, format, &upstream.url(), json!({})).await?;
        for name in names {
            let name = name.replace('?', "%3F").replace('#', "%23").replace('/', "%2F");
            let path = format!("/v1/repos/{format}/explain?name={name}");
            let said = site.admin.get(&path).send().await?;
            ensure(said.status < 500, format!("{path}: {said:?}"))?;
        }
    }
    ensure(upstream.total() == 0, format!("{:?}", upstream.asked()))
}

both! {
    what_is_here_is_served_and_owned_for_good;
    what_is_kept_out_is_so_for_a_reason;
    what_no_list_has_is_there_through_a_virtual_repository;
    blocked_bytes_are_not_lent;
    odd_names_are_asked_of_nobody;
}
