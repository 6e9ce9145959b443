//! What upstreams could slip in: prefixes of plugins that are ours, other spellings, and what caches would hand on.

use acceptance::Result;
use acceptance::http::Request;
use bytes::Bytes;
use serde_json::json;

use super::shelf::{Shelf, noise, remote, site};
use super::upstream::{Say, Upstream};
use crate::engines::both;
use crate::site::{Site, ensure};
use crate::virtuals::{hosted, put_together};

const GROUP: &str = "/org/acme/maven-metadata.xml";
const JAR: &str = "/org/acme/acme-maven-plugin/1.0/acme-maven-plugin-1.0.jar";

/// A plugin's archive: its descriptor, stored as it is.
fn plugin() -> Vec<u8> {
    let (name, content) = (b"META-INF/maven/plugin.xml", b"<plugin><goalPrefix>acme</goalPrefix></plugin>");
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let long = |value: usize| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
    let size = long(content.len());
    let about = [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &crc.sum().to_le_bytes(), &size, &size].concat();
    let about = [&about[..], &[name.len() as u8, 0, 0, 0]].concat();
    let directory = [&b"PK\x01\x02\x14\x00"[..], &about, &[0; 14], name].concat();
    let (begins, lasts) = (long(30 + name.len() + content.len()), long(directory.len()));
    let end = [&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &lasts, &begins, &[0; 2]].concat();
    [&b"PK\x03\x04"[..], &about, name, content, &directory, &end].concat()
}

/// The group's index at the upstream: one that takes the prefix, one that takes the name, one of its own.
fn tell(upstream: &Upstream) {
    let entry = |prefix: &str, artifact: &str| {
        format!("<plugin><name>x</name><prefix>{prefix}</prefix><artifactId>{artifact}</artifactId></plugin>")
    };
    let entries =
        [entry("acme", "aaa-maven-plugin"), entry("more", "acme-maven-plugin"), entry("other", "other-plugin")];
    let body = format!("<metadata><plugins>{}</plugins></metadata>", entries.concat());
    upstream.says(GROUP, Say::answer(200, &[("Content-Type", "text/xml")], body));
}

fn index(site: &Site, key: &str) -> Request {
    site.admin.get(&format!("/repository/{key}{GROUP}"))
}

async fn no_upstream_takes_the_prefix_of_a_plugin() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    tell(&upstream);
    remote(&site, "up", "maven", &upstream.url(), json!({})).await?;
    hosted(&site, "own", "maven").await?;
    put_together(&site, "all", "maven", &["up", "own"], json!({})).await?;
    let before = index(&site, "all").send().await?.expect(&[200])?.text();
    ensure(before.contains("aaa-maven-plugin"), format!("nothing is ours yet: {before}"))?;
    site.admin.put(&format!("/repository/own{JAR}")).body(Bytes::from(plugin())).send().await?.expect(&[200, 201])?;
    let then = site.server.moment("clock").await?;
    for key in ["all".to_owned(), format!("all@{then}")] {
        let text = index(&site, &key).send().await?.expect(&[200])?.text();
        let ours = text.contains("<prefix>acme</prefix>") && text.contains("acme-maven-plugin");
        ensure(ours && text.contains("other-plugin"), format!("{key}: {text}"))?;
        ensure(!text.contains("aaa-maven-plugin") && !text.contains("more"), format!("{key}: {text}"))?;
    }
    // Who may not read the plugin is not shown another one in its place.
    let outsider = site.person("out", &["repo:all:read", "repo:up:read"]).await?;
    let text = outsider.get(&format!("/repository/all{GROUP}")).send().await?.expect(&[200])?.text();
    ensure(text.contains("other-plugin") && !text.contains("acme"), text)
}

async fn claims_and_blocks_hold_for_plugins_of_a_group() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    tell(&upstream);
    hosted(&site, "own", "maven").await?;
    remote(&site, "up", "maven", &upstream.url(), json!({})).await?;
    put_together(&site, "all", "maven", &["own", "up"], json!({"hostedClaims": false})).await?;
    for pattern in ["org.acme:*", "org.acme*", "org.acme.*"] {
        for (ruled, read) in [("up", "up"), ("up", "all"), ("own", "up"), ("own", "all"), ("all", "all")] {
            site.rules(ruled, json!([{"kind": "claim", "pattern": pattern}])).await?;
            let answer = index(&site, read).send().await?;
            ensure(answer.status == 404, format!("{pattern} in {ruled}, read from {read}: {}", answer.text()))?;
            site.rules(ruled, json!([])).await?;
        }
    }
    ensure(upstream.count(GROUP) == 0, "a group that is claimed is not asked for")?;
    for (ruled, kind) in [("own", "claim"), ("all", "claim"), ("up", "block")] {
        site.rules(ruled, json!([{"kind": kind, "pattern": "org.acme:aaa*"}])).await?;
        let text = index(&site, "all").send().await?.expect(&[200])?.text();
        let shown = text.contains("other-plugin") && !text.contains("aaa-maven-plugin");
        ensure(shown, format!("{kind} in {ruled}: {text}"))?;
        site.rules(ruled, json!([])).await?;
    }
    Ok(())
}

async fn what_members_have_is_in_no_shared_cache() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    for (format, paths) in
        [("maven", vec![GROUP.to_owned(), format!("{GROUP}.sha1")]), ("pypi", vec!["/simple/".into()])]
    {
        let (own, all) = (format!("{format}-own"), format!("{format}-all"));
        hosted(&site, &own, format).await?;
        remote(&site, &format!("{format}-far"), format, &upstream.url(), json!({})).await?;
        put_together(&site, &all, format, &[&own], json!({})).await?;
        let open = json!({"anonymousRead": true});
        site.admin.patch(&format!("/v1/repos/{all}")).json(&open).send().await?.expect(&[200])?;
        if format == "maven" {
            let put = site.admin.put(&format!("/repository/{own}{JAR}"));
            put.body(Bytes::from(plugin())).send().await?.expect(&[200, 201])?;
        }
        let then = site.server.moment(&format!("{format}-clock")).await?;
        for (key, path) in
            [all.clone(), format!("{all}@{then}")].iter().flat_map(|key| paths.iter().map(move |path| (key, path)))
        {
            let answer = site.admin.get(&format!("/repository/{key}{path}")).send().await?.expect(&[200])?;
            let cache = answer.header("cache-control").unwrap_or_default();
            ensure(cache.starts_with("private"), format!("{key}{path}: {cache}"))?;
        }
    }
    Ok(())
}

async fn what_a_waiver_lets_in_is_not_kept() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let shelf = Shelf::stocked(&site, &upstream, "npm", json!({}), &noise(1, 3000)).await?;
    let said = async |cache: &str| -> Result<()> {
        shelf.get_file(&site.admin).send().await?.expect(&[200])?;
        let answer = shelf.get_file(&site.admin).send().await?.expect(&[200])?;
        ensure(answer.header("cache-control") == Some(cache), format!("{cache}: {:?}", answer.headers))
    };
    said("private, max-age=31536000, immutable").await?;
    site.rules(shelf.key(), json!([{"kind": "block", "pattern": "*", "versions": ">=1"}])).await?;
    // Some time ahead.
    let wanted = json!({"subject": "bob", "scopes": ["repo:*:read"], "ttlMinutes": 60, "name": "clock"});
    let until = site.admin.post("/v1/auth/pats").json(&wanted).send().await?.string("/expiresAtUtc")?;
    let waiver = json!({"package": "ntool", "version": "1.0.0", "reason": "wanted", "until": until});
    let post = site.admin.post(&format!("/v1/repos/{}/waivers", shelf.key())).json(&waiver);
    post.send().await?.expect(&[201])?;
    said("private, no-cache").await
}

async fn rules_for_paths_know_every_spelling() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    remote(&site, "files", "raw", &upstream.url(), json!({})).await?;
    for pattern in ["caf\u{e9}/*", "cafe\u{301}/*", "/caf\u{e9}/*", "/cafe\u{301}/*"] {
        site.rules("files", json!([{"kind": "block", "pattern": pattern}])).await?;
        for path in ["caf%C3%A9/x", "cafe%CC%81/x"] {
            upstream.says(&format!("/{path}"), Say::file("x"));
            let answer = site.admin.get(&format!("/repository/files/{path}")).send().await?;
            ensure(answer.status == 423, format!("{pattern} {path}: {}", answer.status))?;
        }
    }
    Ok(())
}

/// A hosted path is not had from an upstream by writing it in other code points.
async fn hosted_paths_are_known_in_every_spelling() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    hosted(&site, "own", "raw").await?;
    remote(&site, "far", "raw", &upstream.url(), json!({})).await?;
    put_together(&site, "all", "raw", &["own", "far"], json!({})).await?;
    let spellings = ["%C3%A9", "e%CC%81"];
    let at = |key: &str, path: &str| format!("/repository/{key}/{path}");
    let status = async |path: &str| -> Result<u16> { Ok(site.admin.get(&at("all", path)).send().await?.status) };
    for (file, own, other) in [("one", spellings[0], spellings[1]), ("two", spellings[1], spellings[0])] {
        let (own, other) = (format!("caf{own}/{file}"), format!("caf{other}/{file}"));
        for path in [&own, &other] {
            upstream.says(&format!("/{path}"), Say::file("theirs"));
        }
        site.admin.put(&at("own", &own)).body("ours").send().await?.expect(&[201])?;
        ensure(site.admin.get(&at("all", &own)).send().await?.text() == "ours", own.clone())?;
        ensure(status(&other).await? == 404, format!("{other}: not had from the upstream"))?;
        site.admin.delete(&at("own", &own)).send().await?.expect(&[204])?;
        ensure(status(&own).await? == 410, format!("{own}: withdrawn"))?;
        ensure(status(&other).await? == 404, format!("{other}: nor after the withdrawal"))?;
        // Both are hosted: each is its own.
        site.admin.put(&at("own", &other)).body("also ours").send().await?.expect(&[201])?;
        ensure(site.admin.get(&at("all", &other)).send().await?.text() == "also ours", other.clone())?;
    }
    // A folder from one system, a file from another.
    site.admin.put(&at("own", "cafe%CC%81/d%C3%A9j%C3%A0")).body("ours").send().await?.expect(&[201])?;
    for path in ["caf%C3%A9/d%C3%A9j%C3%A0", "cafe%CC%81/de%CC%81ja%CC%80", "caf%C3%A9/de%CC%81ja%CC%80"] {
        upstream.says(&format!("/{path}"), Say::file("theirs"));
        ensure(status(path).await? == 404, format!("{path}: not had from the upstream"))?;
    }
    upstream.says("/caf%C3%A9/three", Say::file("theirs"));
    ensure(status("caf%C3%A9/three").await? == 200, "what nobody hosts comes from the upstream")
}

both! {
    hosted_paths_are_known_in_every_spelling;
    no_upstream_takes_the_prefix_of_a_plugin;
    claims_and_blocks_hold_for_plugins_of_a_group;
    what_members_have_is_in_no_shared_cache;
    what_a_waiver_lets_in_is_not_kept;
    rules_for_paths_know_every_spelling;
}
