//! An upstream that nobody asks, because an administrator says so; and whether one can be asked at all.

use acceptance::Result;
use serde_json::{Value, json};

use super::shelf::{FORMATS, INDEXED, Shelf, noise, of, remote, site};
use super::upstream::{Say, Upstream};
use crate::engines::both;
use crate::site::{Site, ensure, program};

async fn set(site: &Site, shelf: &Shelf, upstream: Value) -> Result<()> {
    let change = json!({"settings": {"upstream": upstream}});
    site.admin.patch(&format!("/v1/repos/{}", shelf.key())).json(&change).send().await?.expect(&[200]).map(drop)
}

async fn offline_what_is_known_is_served_and_nobody_is_asked() -> Result<()> {
    let site = site().await?;
    for format in FORMATS {
        let (upstream, bytes) = (Upstream::start().await?, noise(1, 3000));
        let settings = json!({"indexSeconds": 0, "missingSeconds": 0, "staleHours": 0});
        let shelf = Shelf::stocked(&site, &upstream, format, settings, &bytes).await?;
        of(format, shelf.get_file(&site.admin).send().await?.expect(&[200]))?;
        if INDEXED.contains(&format) {
            of(format, shelf.get_index(&site.admin).send().await?.expect(&[200]))?;
        }
        set(&site, &shelf, json!({"offline": true})).await?;
        let total = upstream.total();
        of(format, shelf.get_file(&site.admin).send().await?.expect(&[200]))?;
        if INDEXED.contains(&format) {
            let index = of(format, shelf.get_index(&site.admin).send().await?.expect(&[200]))?;
            ensure(index.text().contains("1.0.0"), format!("{format}: {}", index.text()))?;
            ensure(index.header("x-artifortress-stale-since").is_none(), format!("{format}: it is not marked"))?;
        }
        let unknown = shelf.our_file().replace("tool", "fool");
        for _ in 0..2 {
            let missing = of(format, site.admin.get(&unknown).send().await?.expect(&[404]))?;
            ensure(missing.text().contains("offline"), format!("{format}: {}", missing.text()))?;
        }
        ensure(upstream.total() == total, format!("{format}: it was asked: {:?}", upstream.asked()))?;

        // That it was unknown is forgotten with the setting.
        set(&site, &shelf, json!({"offline": null})).await?;
        let other = site.admin.get(&unknown).send().await?;
        ensure(!other.text().contains("offline") && upstream.total() > total, format!("{format}: it is asked again"))?;
    }
    Ok(())
}

/// What a check finds.
async fn problem(site: &Site, key: &str) -> Result<Value> {
    site.admin.post(&format!("/v1/repos/{key}/upstream/check")).send().await?.expect(&[200])?.json()
}

async fn checked(site: &Site, key: &str, format: &str, url: &str, upstream: Value) -> Result<Value> {
    remote(site, key, format, url, upstream).await?;
    problem(site, key).await
}

async fn a_check_says_what_is_wrong_with_an_upstream() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    // Our own server speaks no TLS.
    let (url, https) = (upstream.url(), format!("https://{}", site.server.address()?));
    for (path, say) in [
        ("/no/", Say::status(401)),
        ("/never/", Say::default().hangs()),
        ("/broken/", Say::status(500)),
        ("/shop/config.json", Say::answer(200, &[("Content-Type", "text/html")], "<h1>welcome</h1>")),
        ("/fine/config.json", Say::answer(200, &[], "{\"dl\":\"x\"}")),
    ] {
        upstream.says(path, say);
    }
    let cases = [
        ("raw", format!("{url}/nothing"), Value::Null, Some(404), "need not be there"),
        ("cargo", format!("{url}/fine"), Value::Null, Some(200), "it answers"),
        ("cargo", format!("{url}/shop"), json!("wrong_path"), Some(200), "a page for people"),
        ("cargo", format!("{url}/nothing"), json!("wrong_path"), Some(404), "config.json"),
        ("raw", format!("{url}/no"), json!("credentials"), Some(401), "401"),
        ("raw", format!("{url}/never"), json!("timeout"), None, "did not answer in time"),
        ("raw", format!("{url}/broken"), json!("failing"), Some(500), "500"),
        ("raw", https, json!("tls"), None, ""),
        ("raw", "http://nowhere.invalid".to_owned(), json!("name"), None, "nowhere.invalid"),
        ("raw", "http://10.1.2.3".to_owned(), json!("forbidden_address"), None, "10.1.2.3"),
        ("raw", "http://127.0.0.1:1".to_owned(), json!("connection"), None, "127.0.0.1:1"),
    ];
    for (number, (format, address, expected, status, words)) in cases.into_iter().enumerate() {
        let settings = if expected == "timeout" { json!({"timeoutSeconds": 1}) } else { json!({}) };
        let said = checked(&site, &format!("up-{number}"), format, &address, settings).await?;
        ensure(said["problem"] == expected, format!("{address}: {said}"))?;
        ensure(
            said["reachable"] == expected.is_null() && said["status"] == json!(status),
            format!("{address}: {said}"),
        )?;
        ensure(said["detail"].as_str().is_some_and(|detail| detail.contains(words)), format!("{address}: {said}"))?;
    }
    // Who fails again and again is left alone.
    let mut last = Value::Null;
    for _ in 0..20 {
        last = problem(&site, "up-6").await?;
        if last["problem"] == "left_alone" {
            break;
        }
    }
    ensure(last["problem"] == "left_alone", last.to_string())?;

    site.repository("libs", json!({})).await?;
    site.admin.post("/v1/repos/libs/upstream/check").send().await?.expect(&[409])?;
    let exits = [("up-0", 0), ("up-4", 1), ("nobody", 3)];
    for (key, code) in exits {
        let done = program(&site.server, site.admin.token(), &["admin", "repos", "check", key])?;
        ensure(done.status.code() == Some(code), format!("{key}: {done:?}"))?;
    }
    Ok(())
}

both! {
    offline_what_is_known_is_served_and_nobody_is_asked;
    a_check_says_what_is_wrong_with_an_upstream;
}
