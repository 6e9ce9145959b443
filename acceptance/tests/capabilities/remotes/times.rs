//! When things were published, told one by one: failures to tell it, files that say it themselves, and what nobody
//! vouches for.

use acceptance::Result;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::shelf::{PATIENCE, hex, noise, of, remote, site, until};
use super::upstream::{Say, Upstream};
use crate::site::ensure;
use crate::virtuals::put_together;

fn waits() -> Value {
    json!([{"kind": "minimumAge", "hours": 72}])
}

fn info(version: &str) -> (String, Say) {
    let told = json!({"Version": version, "Time": "2024-05-06T07:08:09Z"}).to_string();
    (format!("/example.com/gtool/@v/{version}.info"), Say::answer(200, &[], told))
}

fn list(upstream: &Upstream, versions: &str) {
    upstream.says("/example.com/gtool/@v/list", Say::answer(200, &[], versions.to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_that_is_not_told_is_a_failure_and_no_absence() -> Result<()> {
    let (mut site, upstream) = (site().await?, Upstream::start().await?);
    remote(&site, "up", "go", &upstream.url(), json!({"indexSeconds": 0, "timeoutSeconds": 1})).await?;
    site.rules("up", waits()).await?;
    let at = |file: &str| format!("/repository/up/example.com/gtool/@v/{file}");
    for version in ["v1.0.0", "v1.1.0"] {
        let (path, say) = info(version);
        upstream.says(&path, say);
    }
    list(&upstream, "v1.0.0\nv1.1.0\n");
    for (what, say) in [("a failure", Say::status(503)), ("silence", Say::default().hangs())] {
        upstream.says(&info("v1.1.0").0, say);
        for file in ["list", "v1.1.0.info"] {
            let answer = of(what, site.admin.get(&at(file)).send().await?.expect(&[503]))?;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            ensure(file != "list" || text.contains("gtool v1.1.0"), format!("{what}: {text}"))?;
        }
    }
    let (path, say) = info("v1.1.0");
    upstream.says(&path, say);
    let known = until(PATIENCE, || site.admin.get(&at("list")), 200).await?;
    ensure(known.body == "v1.0.0\nv1.1.0\n", format!("{:?}", known.body))?;

    list(&upstream, "v1.0.0\nv1.1.0\nv1.2.0\n");
    upstream.says(&info("v1.2.0").0, Say::status(503));
    let stale = site.admin.get(&at("list")).send().await?.expect(&[200])?;
    let marked = stale.header("warning").is_some_and(|warning| warning.starts_with("110 "))
        && stale.header("x-artifortress-stale-since").is_some();
    ensure(marked && stale.body == known.body, format!("{:?} {:?}", stale.headers, stale.body))?;
    site.admin.get(&at("v1.2.0.info")).send().await?.expect(&[503])?;
    site.server.restart().await?;
    site.admin = site.server.admin()?;
    site.admin.get(&at("list")).send().await?.expect(&[503])?;
    Ok(())
}

fn dated(time: &str, body: &str) -> Say {
    Say::answer(200, &[("Last-Modified", time)], body.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raw_files_wait_and_say_why() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    remote(&site, "up", "raw", &upstream.url(), json!({})).await?;
    put_together(&site, "all", "raw", &["up"], json!({})).await?;
    site.rules("up", waits()).await?;
    upstream.says("/old", dated("Mon, 06 May 2024 07:08:09 GMT", "old"));
    upstream.says("/young", dated("Fri, 01 Jan 2100 00:00:00 GMT", "young"));
    upstream.says("/timeless", Say::file("timeless"));
    for key in ["up", "all"] {
        let old = site.admin.get(&format!("/repository/{key}/old")).send().await?.expect(&[200])?;
        ensure(old.body == "old", key.to_owned())?;
        for (file, why) in [("young", "is younger than the 72 hours of up"), ("timeless", "its upstream tells no time")]
        {
            let path = format!("/repository/{key}/{file}");
            let denied = of(&path, site.admin.get(&path).send().await?.expect(&[423]))?;
            let text = String::from_utf8_lossy(&denied.body).into_owned();
            ensure(text.contains(why) && text.contains("an admin of up can waive it"), format!("{path}: {text}"))?;
            of(&path, site.admin.head(&path).send().await?.expect(&[423]))?;
        }
    }
    site.rules("up", json!([{"kind": "freeze", "notAfter": "2024-01-01T00:00:00Z"}])).await?;
    for key in ["up", "all"] {
        let path = format!("/repository/{key}/old");
        let denied = of(&path, site.admin.get(&path).send().await?.expect(&[423]))?;
        let text = String::from_utf8_lossy(&denied.body).into_owned();
        ensure(text.contains("where up is frozen"), format!("{path}: {text}"))?;
    }
    Ok(())
}

/// Whoever wants to know how old a file is (Renovate asks for the POM of a version) is told when it appeared there, not
/// when we fetched it. What they have is compared with what is here: its time there may be that of other bytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_as_old_as_where_they_come_from() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let then = "Mon, 06 May 2024 07:08:09 GMT";
    for (format, path) in [("raw", "/old"), ("maven", "/org/example/tool/1.0/tool-1.0.pom")] {
        let (key, all) = (format!("up-{format}"), format!("all-{format}"));
        upstream.says(path, dated(then, "<project/>"));
        upstream.says(&format!("{path}.later"), dated("Fri, 01 Jan 2100 00:00:00 GMT", "<project/>"));
        remote(&site, &key, format, &upstream.url(), json!({})).await?;
        put_together(&site, &all, format, &[&key], json!({})).await?;
        for (method, key) in [("HEAD", &key), ("GET", &key), ("HEAD", &key), ("HEAD", &all), ("GET", &all)] {
            let at = format!("/repository/{key}{path}");
            let found = of(&at, site.admin.request(method, &at).send().await?.expect(&[200]))?;
            ensure(found.header("last-modified") == Some(then), format!("{method} {at}: {:?}", found.headers))?;
        }
        let at = format!("/repository/{key}{path}");
        for (condition, status) in [("If-Modified-Since", 200), ("If-Unmodified-Since", 200)] {
            let answer = site.admin.get(&at).header(condition, then).send().await?.expect(&[status])?;
            ensure(answer.body == "<project/>", format!("{condition}: {answer:?}"))?;
        }
        let later = site.admin.get(&format!("{at}.later")).send().await?;
        ensure(!format!("{:?}", later.headers).contains("2100"), format!("of the future: {later:?}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_vouches_for_is_not_called_immutable() -> Result<()> {
    let (site, upstream, bytes) = (site().await?, Upstream::start().await?, noise(1, 3000));
    let files = [
        ("raw", "/dir/file", false),
        ("go", "/example.com/gtool/@v/v1.0.0.zip", false),
        ("maven", "/org/example/tool/1.0/tool-1.0.jar", false),
        ("maven", "/org/example/tool/1.1/tool-1.1.jar", true),
    ];
    for (number, (format, path, vouched)) in files.into_iter().enumerate() {
        let (key, all) = (format!("up-{number}"), format!("all-{number}"));
        upstream.says(path, Say::file(bytes.clone()));
        if vouched {
            upstream.says(&format!("{path}.sha1"), Say::file(hex(&Sha1::digest(&bytes))));
        }
        remote(&site, &key, format, &upstream.url(), json!({})).await?;
        put_together(&site, &all, format, &[&key], json!({})).await?;
        for (key, cache) in [
            (&key, if vouched { "private, max-age=31536000, immutable" } else { "private, max-age=3600" }),
            (&all, "private, no-cache"),
        ] {
            let at = format!("/repository/{key}{path}");
            site.admin.get(&at).send().await?.expect(&[200])?;
            let found = of(&at, site.admin.get(&at).send().await?.expect(&[200]))?;
            ensure(found.body == bytes, format!("{at}: other bytes"))?;
            ensure(found.header("cache-control") == Some(cache), format!("{at}: {:?}", found.headers))?;
        }
    }
    // A page of the wrong kind is not taken for an archive.
    remote(&site, "again", "go", &upstream.url(), json!({})).await?;
    upstream.says("/example.com/gtool/@v/v1.1.0.zip", Say::answer(200, &[("Content-Type", "text/plain")], "busy"));
    let path = "/repository/again/example.com/gtool/@v/v1.1.0.zip";
    // What has begun is cut off, and nothing of it stays.
    let refused = site.admin.get(path).send().await;
    ensure(refused.is_err() || refused.is_ok_and(|found| found.status == 503), "a page is taken for an archive")?;
    upstream.says("/example.com/gtool/@v/v1.1.0.zip", Say::status(404));
    until(PATIENCE, || site.admin.get(path), 404).await.map(drop)
}
