//! Remote repositories over the API: making, reading, changing; what is refused; where their secrets are not.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use acceptance::Result;
use acceptance::http::Answer;
use acceptance::server::Persona;
use serde_json::{Value, json};

use crate::engines::both;
use crate::shape::ask;
use crate::site::{Site, ensure, plan, program};

const URL: &str = "https://packages.example/raw";
/// What must be nowhere but in the request that gives it.
const CANARY: &str = "canary-4711-hunter2";

async fn make(site: &Site, key: &str, more: Value) -> Result<Answer> {
    let mut body = json!({"repoKey": key, "format": "raw", "repoType": "remote", "upstreamUrl": URL});
    if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
        body.extend(more.clone());
        body.retain(|_, value| !value.is_null());
    }
    ask(site.admin.post("/v1/repos").json(&body)).await
}

fn basic() -> Value {
    json!({"kind": "basic", "user": "ada", "password": CANARY, "realm": "https://Login.example/"})
}

async fn patched(by: &Persona, key: &str, body: Value) -> Result<Answer> {
    ask(by.patch(&format!("/v1/repos/{key}")).json(&body)).await
}

/// Where the first fault of a refusal is.
fn fault(answer: &Answer) -> Result<String> {
    answer.string("/errors/0/path")
}

async fn a_remote_repository_is_made_read_and_changed() -> Result<()> {
    let site = Site::here().await?;
    let auth = json!({"upstreamUrl": "https://Packages.example:443/raw/", "upstreamAuth": basic(),
        "settings": {"upstream": {"indexSeconds": 10, "proxy": "http://proxy.example:3128"}}});
    let made = make(&site, "up", auth).await?.expect(&[201])?;
    let seen = ask(site.admin.get("/v1/repos/up")).await?.expect(&[200])?;
    for view in [&made, &seen] {
        let said = view.json()?;
        let auth = json!({"kind": "basic", "user": "ada", "realm": "https://login.example"});
        ensure(said["repoType"] == "remote" && said["upstreamUrl"] == URL, view.text())?;
        ensure(said["upstreamAuth"] == auth && !view.text().contains(CANARY), view.text())?;
        let upstream = &said["settings"]["upstream"];
        ensure(upstream["indexSeconds"] == 10 && upstream["staleHours"] == 168, view.text())?;
        ensure(upstream["proxy"] == "http://proxy.example:3128", view.text())?;
    }
    let reader = site.person("reader", &["repo:up:read"]).await?;
    let listed = ask(reader.get("/v1/repos")).await?.expect(&[200])?;
    let one = ask(reader.get("/v1/repos/up")).await?.expect(&[200])?;
    for said in [&listed.json()?["items"][0], &one.json()?] {
        ensure(said["upstreamUrl"] == URL, "whose packages these are is no secret")?;
        ensure(said.get("upstreamAuth").is_none() && said["settings"].get("upstream").is_none(), said.to_string())?;
    }
    patched(&reader, "up", json!({"upstreamUrl": "https://evil.example"})).await?.expect(&[403])?;

    let merged =
        patched(&site.admin, "up", json!({"settings": {"upstream": {"connections": 4, "indexSeconds": null}}}));
    let merged = merged.await?.expect(&[200])?.json()?;
    let upstream = &merged["settings"]["upstream"];
    ensure(upstream["connections"] == 4 && upstream["indexSeconds"] == 300, merged.to_string())?;
    ensure(upstream["proxy"] == "http://proxy.example:3128", merged.to_string())?;
    let bearer = json!({"upstreamUrl": "https://other.example", "upstreamAuth": {"kind": "bearer", "token": CANARY}});
    let moved = patched(&site.admin, "up", bearer).await?.expect(&[200])?.json()?;
    ensure(moved["upstreamAuth"] == json!({"kind": "bearer"}), moved.to_string())?;
    let bare = patched(&site.admin, "up", json!({"upstreamAuth": null})).await?.expect(&[200])?.json()?;
    ensure(bare.get("upstreamAuth").is_none() && bare["upstreamUrl"] == "https://other.example", bare.to_string())
}

async fn what_makes_no_sense_is_refused_with_its_field() -> Result<()> {
    let site = Site::here().await?;
    let refused = [
        (json!({"upstreamUrl": null}), "upstreamUrl"),
        (json!({"upstreamUrl": format!("https://u:{CANARY}@a.example")}), "upstreamUrl"),
        (json!({"upstreamUrl": format!("https://a.example/?k={CANARY}")}), "upstreamUrl"),
        (json!({"upstreamUrl": "ftp://a.example"}), "upstreamUrl"),
        (json!({"upstreamUrl": "https://"}), "upstreamUrl"),
        (json!({"upstreamAuth": CANARY}), "upstreamAuth"),
        (json!({"upstreamAuth": {"kind": CANARY}}), "upstreamAuth"),
        (json!({"upstreamAuth": {"kind": "basic", "user": "a", "password": CANARY, "token": CANARY}}), "upstreamAuth"),
        (json!({"upstreamAuth": {"kind": "bearer", "token": CANARY, "realm": "nowhere"}}), "upstreamAuth"),
        (json!({"repoType": "local"}), "upstreamUrl"),
        (json!({"repoType": "local", "upstreamUrl": null, "upstreamAuth": basic()}), "upstreamAuth"),
        (json!({"repoType": "local", "upstreamUrl": null, "settings": {"upstream": {}}}), "settings.upstream"),
        (json!({"repoType": "virtual"}), "upstreamUrl"),
        (json!({"repoType": "virtual", "upstreamUrl": null}), "memberRepos"),
        (
            json!({"repoType": "virtual", "upstreamUrl": null, "format": "oci", "memberRepos": ["x"],
                "settings": {"virtual": {"merging": "union"}}}),
            "settings.virtual.merging",
        ),
        (json!({"memberRepos": ["x"]}), "memberRepos"),
        (json!({"format": "maven", "settings": {"allowOverwrite": true}}), "settings.allowOverwrite"),
        (json!({"format": "oci", "settings": {"allowOverwrite": true}}), "settings.allowOverwrite"),
        (json!({"settings": {"immutableRefs": ["v*"]}}), "settings.immutableRefs"),
        (json!({"settings": {"upstream": {"indexSeconds": 86401}}}), "settings.upstream.indexSeconds"),
        (json!({"settings": {"upstream": {"timeoutSeconds": 0}}}), "settings.upstream.timeoutSeconds"),
        (json!({"settings": {"upstream": {"extraCa": "none"}}}), "settings.upstream.extraCa"),
    ];
    for (more, field) in refused {
        let answer = make(&site, "up", more.clone()).await?.expect(&[400])?;
        ensure(fault(&answer)? == field, format!("{more}: {}", answer.text()))?;
        ensure(!answer.text().contains("hunter2"), format!("{more}: {}", answer.text()))?;
    }
    for odd in [json!({"indexSeconds": "1"}), json!({"indexSeconds": -1}), json!({"unknown": 1}), json!({"proxy": "x"})]
    {
        let answer = make(&site, "up", json!({"settings": {"upstream": odd}})).await?.expect(&[400])?;
        ensure(fault(&answer)?.starts_with("settings.upstream"), answer.text())?;
    }
    make(&site, "up", json!({"upstreamAuth": basic()})).await?.expect(&[201])?;
    for (change, field) in [
        (json!({"upstreamUrl": "https://evil.example"}), "upstreamUrl"),
        (json!({"upstreamUrl": "http://packages.example/raw"}), "upstreamUrl"),
        (json!({"settings": {"upstream": {"proxy": "http://evil.example"}}}), "settings.upstream.proxy"),
    ] {
        let answer = patched(&site.admin, "up", change).await?.expect(&[409])?;
        ensure(fault(&answer)? == field && answer.text().contains("upstreamAuth"), answer.text())?;
    }
    let unchanged = ask(site.admin.get("/v1/repos/up")).await?.json()?;
    ensure(unchanged["upstreamUrl"] == URL && unchanged["upstreamAuth"]["user"] == "ada", unchanged.to_string())?;
    site.repository("libs", json!({})).await?;
    for change in [json!({"upstreamUrl": URL}), json!({"upstreamAuth": basic()}), json!({"settings": {"upstream": {}}})]
    {
        patched(&site.admin, "libs", change).await?.expect(&[400])?;
    }
    Ok(())
}

/// What the API calls by its names, a command explains with its flags.
async fn a_refusal_is_said_in_flags_too() -> Result<()> {
    let site = Site::here().await?;
    make(&site, "up", json!({"upstreamAuth": basic()})).await?.expect(&[201])?;
    site.repository("libs", json!({})).await?;
    site.admin.put("/repository/libs/a.txt").body("a").send().await?.expect(&[201])?;
    let proxy = "upstream={\"proxy\": \"http://proxy.example\"}";
    let cases: [(&[&str], &[&str]); 5] = [
        (
            &["update", "up", "--upstream-url", "https://e.example"],
            &["upstreamUrl is --upstream-url", "--no-upstream-auth"],
        ),
        (&["update", "up", "--setting", proxy], &["settings.upstream.proxy is --setting", "--upstream-token-file"]),
        (&["update", "libs", "--member", "up"], &["memberRepos is --member"]),
        (&["delete", "libs"], &["mode=tombstone is --tombstone"]),
        (&["create", "v", "--type", "virtual"], &["memberRepos is --member"]),
    ];
    for (words, flags) in cases {
        let done = program(&site.server, site.admin.token(), &[&["admin", "repos"], words].concat())?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure(done.status.code() == Some(1), format!("{words:?}: {said}"))?;
        ensure(flags.iter().all(|flag| said.contains(flag)), format!("{words:?}: {said}"))?;
    }
    Ok(())
}

/// Every client's own way to publish, and that of the API.
async fn nobody_publishes_to_a_remote_repository() -> Result<()> {
    let site = Site::here().await?;
    let doors = [
        ("raw", "PUT", "/repository/raw-up/a.txt"),
        ("npm", "PUT", "/repository/npm-up/tool"),
        ("pypi", "POST", "/repository/pypi-up/"),
        ("cargo", "PUT", "/repository/cargo-up/api/v1/crates/new"),
        ("maven", "PUT", "/repository/maven-up/org/example/a/1/a-1.pom"),
        ("oci", "POST", "/v2/oci-up/image/blobs/uploads/"),
        ("oci", "PUT", "/v2/oci-up/image/manifests/latest"),
        ("raw", "POST", "/v1/repos/raw-up/uploads"),
        ("raw", "POST", "/v1/repos/raw-up/packages/versions/drafts"),
    ];
    for (format, ..) in &doors[..6] {
        make(&site, &format!("{format}-up"), json!({"format": format})).await?.expect(&[201])?;
    }
    for (_, method, path) in doors {
        let request = site.admin.request(method, path);
        let request = match path.contains("pypi") {
            true => request.header("Content-Type", "multipart/form-data; boundary=x").body("--x--"),
            false => request.json(&json!({})),
        };
        let answer = request.send().await?.expect(&[403])?;
        ensure(answer.text().contains("is remote"), format!("{method} {path}: {}", answer.text()))?;
    }
    ensure(site.server.sql("SELECT count(*) FROM versions")?.trim() == "0", "nothing was published")
}

#[tokio::test]
async fn secrets_are_nowhere() -> Result<()> {
    let server = plan().variable("ARTIFORTRESS_LOG", "trace").start().await?;
    let site = Site { admin: server.admin()?, server };
    let given = json!({"upstreamAuth": basic()});
    let body =
        json!({"repoKey": "once", "format": "raw", "repoType": "remote", "upstreamUrl": URL, "upstreamAuth": basic()});
    for _ in 0..2 {
        let post = site.admin.post("/v1/repos").header("Idempotency-Key", "once").json(&body);
        ask(post).await?.expect(&[201])?;
    }
    make(&site, "up", given.clone()).await?.expect(&[201])?;
    patched(&site.admin, "up", given).await?.expect(&[200])?;
    patched(&site.admin, "up", json!({"upstreamUrl": "https://evil.example"})).await?.expect(&[409])?;
    patched(&site.admin, "up", json!({"upstreamAuth": {"kind": "bearer", "token": format!("{CANARY} ")}}))
        .await?
        .expect(&[400])?;
    let last = "01a1fd17-0000-7000-8000-000000000002";
    ask(site.admin.get("/v1/repos/up").header("X-Correlation-Id", last)).await?.expect(&[200])?;
    let journal = site.server.sql("SELECT detail FROM events")?;
    ensure(journal.contains(r#""upstreamAuth":"replaced""#), journal.clone())?;
    ensure(!journal.contains(CANARY) && !site.server.logged(last).await?.contains(CANARY), "in journal or log")?;
    ensure(found(&site.server.data(), "packages.example")?.is_some(), "the search finds what is there")?;
    let place = found(&site.server.data(), CANARY)?;
    ensure(place.is_none(), format!("in {place:?}"))?;
    let key = site.server.data().join("master-key");
    ensure(fs::metadata(&key)?.permissions().mode() & 0o777 == 0o600, "others may read the key")?;
    let key = fs::read_to_string(&key)?.trim().to_string();
    ensure(key.len() == 64 && !site.server.log().contains(&key), "the key is logged")
}

/// The first file below `folder` that holds `text`.
fn found(folder: &Path, text: &str) -> Result<Option<String>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if let Some(file) = found(&path, text)? {
                return Ok(Some(file));
            }
            continue;
        }
        let mut bytes = Vec::new();
        fs::File::open(&path)?.read_to_end(&mut bytes)?;
        if bytes.windows(text.len()).any(|part| part == text.as_bytes()) {
            return Ok(Some(path.display().to_string()));
        }
    }
    Ok(None)
}

#[tokio::test]
async fn another_master_key_is_said_and_stops_nobody_else() -> Result<()> {
    let server = plan().start().await?;
    let mut site = Site { admin: server.admin()?, server };
    make(&site, "up", json!({"upstreamAuth": basic()})).await?.expect(&[201])?;
    site.repository("libs", json!({})).await?;
    site.server.stop()?;
    let file = site.server.data().join("master-key");
    let key = fs::read_to_string(&file)?;
    fs::write(&file, format!("{}\n", "5".repeat(64)))?;
    site.server.resume().await?;
    site.admin = site.server.admin()?;
    let log = site.server.log();
    ensure(log.contains("another master key") && log.contains("up"), log)?;
    ask(site.admin.put("/repository/libs/a").body("a")).await?.expect(&[201])?;
    let said = ask(site.admin.get("/v1/repos/up")).await?.expect(&[200])?.json()?;
    let problem = said["upstreamAuth"]["problem"].as_str().unwrap_or_default();
    ensure(problem.contains("another master key") && problem.contains("give upstreamAuth again"), said.to_string())?;

    site.server.stop()?;
    fs::write(&file, key)?;
    site.server.resume().await?;
    site.admin = site.server.admin()?;
    let said = ask(site.admin.get("/v1/repos/up")).await?.expect(&[200])?.json()?;
    ensure(said["upstreamAuth"]["user"] == "ada", said.to_string())
}

both! {
    a_remote_repository_is_made_read_and_changed;
    what_makes_no_sense_is_refused_with_its_field;
    a_refusal_is_said_in_flags_too;
    nobody_publishes_to_a_remote_repository;
}
