//! What clients prove by signatures is passed on as the upstream says it.

use acceptance::Result;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::shelf::{Shelf, noise, of, remote, site};
use super::upstream::{Gate, Say, Upstream};
use crate::engines::both;
use crate::site::{Site, ensure};
use crate::virtuals::put_together;

const PAGE: &str = "<!DOCTYPE html><p>Please sign in</p>";
const SIGNED: &str = "go.sum database tree\n3\naGFzaA==\n\n\u{2014} sum.example.org Az3gsig\n";

async fn claim(site: &Site, key: &str, pattern: &str) -> Result<()> {
    site.rules(key, json!([{"kind": "claim", "pattern": pattern}])).await
}

async fn a_checksum_database_is_passed_on() -> Result<()> {
    let (site, mut upstream) = (site().await?, Upstream::start().await?);
    let settings = json!({"indexSeconds": 0, "missingSeconds": 0});
    remote(&site, "modules", "go", &upstream.url(), settings).await?;
    site.admin.post("/v1/repos").json(&json!({"repoKey": "own", "format": "go"})).send().await?.expect(&[201])?;
    put_together(&site, "all", "go", &["own", "modules"], json!({})).await?;
    let record = format!("1\nexample.com/Acme/tool v1.0.0 h1:eA==\n\n{SIGNED}");
    let lookup = "/sumdb/sum.example.org/lookup/example.com/!acme/tool@v1.0.0";
    let tile = "/sumdb/sum.example.org/tile/8/0/x001/234.p/3";
    upstream.says("/sumdb/sum.example.org/supported", Say::answer(200, &[], ""));
    upstream.says("/sumdb/sum.example.org/latest", Say::answer(200, &[], SIGNED));
    upstream.says("/example.com/%21acme/tool/@v/list", Say::answer(200, &[], "v1.0.0\n"));
    upstream.says(lookup, Say::answer(200, &[], record.clone()));
    upstream.says(tile, Say::answer(200, &[], noise(1, 96)));
    let at = |key: &str, path: &str| site.admin.get(&format!("/repository/{key}{path}"));
    for key in ["modules", "all"] {
        of(key, at(key, "/sumdb/sum.example.org/supported").send().await?.expect(&[200]))?;
        let latest = of("latest", at(key, "/sumdb/sum.example.org/latest").send().await?.expect(&[200]))?;
        ensure(latest.body == SIGNED.as_bytes(), format!("{latest:?}"))?;
        let found = of(key, at(key, &lookup.replace('!', "%21")).send().await?.expect(&[200]))?;
        ensure(found.body == record.as_bytes(), format!("{found:?}"))?;
        let found = at(key, tile).send().await?.expect(&[200])?;
        ensure(found.body == noise(1, 96), "a tile is passed on byte by byte")?;
        at(key, "/sumdb/sum.example.org/tile/8/0/x009/999").send().await?.expect(&[404])?;
        at(key, "/sumdb/other.example.org/supported").send().await?.expect(&[404])?;
    }
    ensure((upstream.count(lookup), upstream.count(tile)) == (1, 1), "what never changes is asked for once")?;
    // Many at once are one question.
    let (crowded, gate) = ("/sumdb/sum.example.org/tile/8/0/007", Gate::new());
    upstream.says(crowded, Say::announces(32).waits(&gate).bytes(noise(3, 32)));
    let readers = join_all((0..50).map(|_| at("modules", crowded).send()));
    let opened = async {
        while upstream.count(crowded) == 0 {
            tokio::task::yield_now().await;
        }
        gate.open();
    };
    for answer in tokio::join!(readers, opened).0 {
        ensure(answer?.expect(&[200])?.body == noise(3, 32), "all get the same")?;
    }
    ensure(upstream.count(crowded) == 1, format!("{} questions", upstream.count(crowded)))?;
    // What is no answer of a database is not kept; what is known of it holds.
    upstream.says("/sumdb/sum.example.org/latest", Say::answer(200, &[("Content-Type", "text/html")], PAGE));
    let stale = at("modules", "/sumdb/sum.example.org/latest").send().await?.expect(&[200])?;
    ensure(stale.body == SIGNED.as_bytes() && stale.header("warning").is_some(), format!("{stale:?}"))?;
    upstream.says("/sumdb/sum.example.org/lookup/example.com/x@v1.0.0", Say::answer(200, &[], PAGE));
    at("modules", "/sumdb/sum.example.org/lookup/example.com/x@v1.0.0").send().await?.expect(&[503])?;
    // A name that is ours is told to nobody.
    claim(&site, "own", "secret.example/*").await?;
    let before = upstream.total();
    let secret = "/sumdb/sum.example.org/lookup/secret.example/thing@v1.0.0";
    let told = at("all", secret).send().await?.expect(&[404])?.text();
    ensure(told.contains("secret.example/thing is claimed here") && told.contains("GONOSUMDB"), told)?;
    // Who may not read every member learns nothing of what is claimed.
    let rita = site.person("rita", &["repo:all:read", "repo:modules:read"]).await?;
    let told = rita.get(&format!("/repository/all{secret}")).send().await?.expect(&[404])?.text();
    ensure(!told.contains("claimed"), told)?;
    claim(&site, "modules", "secret.example/*").await?;
    at("modules", secret).send().await?.expect(&[404])?;
    ensure(upstream.total() == before, "a claimed module is nobody else's")?;
    upstream.down().await;
    at("modules", lookup).send().await?.expect(&[200])?;
    at("all", tile).send().await?.expect(&[200])?;
    at("modules", "/sumdb/sum.example.org/tile/8/0/000").send().await?.expect(&[503])?;
    at("own", "/sumdb/sum.example.org/supported").send().await?.expect(&[404])?;
    Ok(())
}

async fn keys_and_statements_of_packages_are_passed_on() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let shelf = Shelf::stocked(&site, &upstream, "npm", json!({}), &noise(2, 3000)).await?;
    site.admin.post("/v1/repos").json(&json!({"repoKey": "own", "format": "npm"})).send().await?.expect(&[201])?;
    put_together(&site, "all", "npm", &["own", shelf.key()], json!({})).await?;
    let keys = json!({"keys": [{"keyid": "SHA256:k", "keytype": "ecdsa", "key": "MFkw", "expires": null}]}).to_string();
    let stated =
        json!({"attestations": [{"predicateType": "https://x.example/v1", "bundle": {"n": 1.10}}]}).to_string();
    upstream.says("/-/npm/v1/keys", Say::answer(200, &[], keys.clone()));
    upstream.says("/-/npm/v1/attestations/ntool@1.0.0", Say::answer(200, &[], stated.clone()));
    upstream.says("/-/npm/v1/attestations/@acme%2fx@1.0.0", Say::answer(200, &[], stated.clone()));
    // The index tells of them, at our address.
    let told: Value = serde_json::from_str(
        &shelf.index_body("ntool", &format!("{}{}", upstream.url(), shelf.file()), &noise(2, 3000)).1,
    )?;
    let (mut told, version) = (told, "1.0.0");
    told["versions"][version]["dist"]["attestations"] = json!({"url": format!("{}/-/npm/v1/attestations/ntool@1.0.0", upstream.url()),
            "provenance": {"predicateType": "https://x.example/v1"}});
    upstream.says("/ntool", Say::answer(200, &[("Content-Type", "application/json")], told.to_string()));
    for key in [shelf.key(), "all"] {
        let at = |path: &str| site.admin.get(&format!("/repository/{key}/{path}"));
        let index: Value = of(key, at("ntool").send().await?.expect(&[200]))?.json()?;
        let said = &index["versions"][version]["dist"]["attestations"];
        let url = said["url"].as_str().unwrap_or_default();
        let ours = url.ends_with(&format!("/repository/{key}/-/npm/v1/attestations/ntool@1.0.0"));
        ensure(ours && said["provenance"]["predicateType"] == "https://x.example/v1", format!("{said}"))?;
        for (path, body) in [
            ("-/npm/v1/keys", &keys),
            ("-/npm/v1/attestations/ntool@1.0.0", &stated),
            ("-/npm/v1/attestations/@acme%2fx@1.0.0", &stated),
        ] {
            // Of a package that nobody knows, a virtual repository asks nobody.
            if key == "all" && path.contains("acme") {
                continue;
            }
            let found = of(path, at(path).send().await?.expect(&[200]))?;
            ensure(found.body == body.as_bytes(), format!("{path}: {found:?}"))?;
            ensure(found.header("content-type") == Some("application/json"), format!("{:?}", found.headers))?;
        }
        at("-/npm/v1/attestations/ntool@2.0.0").send().await?.expect(&[404])?;
    }
    upstream.says("/-/npm/v1/attestations/ntool@3.0.0", Say::answer(200, &[], PAGE));
    let path = format!("/repository/{}/-/npm/v1/attestations/ntool@3.0.0", shelf.key());
    site.admin.get(&path).send().await?.expect(&[503])?;
    claim(&site, "own", "ntool").await?;
    let before = upstream.total();
    site.admin.get("/repository/all/-/npm/v1/attestations/ntool@1.0.0").send().await?.expect(&[404])?;
    ensure(upstream.total() == before, "a claimed name is nobody else's")?;
    Ok(())
}

both! {
    a_checksum_database_is_passed_on;
    keys_and_statements_of_packages_are_passed_on;
}
