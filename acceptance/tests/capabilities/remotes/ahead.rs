//! What is brought from an upstream before anybody asks for it, by the API and by `artifortress mirror`.

use acceptance::Result;
use acceptance::http::Answer;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

use super::shelf::{FORMATS, Shelf, hex, noise, of, remote, site};
use super::upstream::{Gate, Say, Upstream};
use crate::engines::both;
use crate::site::{Site, ensure, program};

/// How the one package of a format is wished for.
fn wish(format: &str) -> Value {
    match format {
        "raw" => json!({"path": "files/tool.tar.gz"}),
        "maven" => json!({"path": "org/example/mtool/1.0.0/mtool-1.0.0.jar"}),
        "go" => json!({"name": "example.com/gtool", "version": "v1.0.0"}),
        "npm" => json!({"name": "ntool"}),
        "pypi" => json!({"name": "PTool", "version": "1.0"}),
        _ => json!({"name": "ctool", "version": "*"}),
    }
}

/// What else a format's upstream has.
fn beside(upstream: &Upstream, format: &str) {
    if format == "go" {
        let info = json!({"Version": "v1.0.0", "Time": "2024-05-06T07:08:09Z"});
        upstream.says("/example.com/gtool/@v/v1.0.0.info", Say::answer(200, &[], info.to_string()));
        upstream.says("/example.com/gtool/@v/v1.0.0.mod", Say::file("module example.com/gtool\n"));
    }
}

async fn bring(site: &Site, key: &str, items: &Value) -> Result<Answer> {
    let body = json!({"items": items, "waitSeconds": 20});
    site.admin.post(&format!("/v1/repos/{key}/prefetch")).json(&body).send().await
}

async fn what_is_brought_ahead_is_there_when_the_upstream_is_away() -> Result<()> {
    let site = site().await?;
    for format in FORMATS {
        let (upstream, bytes) = (Upstream::start().await?, noise(1, 3000));
        let shelf = Shelf::stocked(&site, &upstream, format, json!({}), &bytes).await?;
        beside(&upstream, format);
        let reader = site.person("reader", &[&format!("repo:{}:read", shelf.key())]).await?;
        for (state, count) in [("fetched", 1), ("present", 1)] {
            let body = json!({"items": [wish(format)]});
            let asked = reader.post(&format!("/v1/repos/{}/prefetch", shelf.key())).json(&body).send().await?;
            let said = of(format, asked.expect(&[200]))?.json()?;
            let item = &said["items"][0];
            ensure(item["state"] == state, format!("{format}: {said}"))?;
            let files = item["files"].as_array().cloned().unwrap_or_default();
            let sha256 = hex(&Sha256::digest(&bytes));
            let ours = files.iter().find(|file| file["sums"]["sha256"] == sha256.as_str());
            let path = ours.and_then(|file| file["path"].as_str()).unwrap_or_default();
            ensure(shelf.our_file().ends_with(path) && !path.is_empty(), format!("{format}: {said}"))?;
            ensure(upstream.count(&shelf.file()) == count, format!("{format}: fetched once"))?;
        }
        let total = upstream.total();
        let file = of(format, shelf.get_file(&reader).send().await?.expect(&[200]))?;
        ensure(file.body == bytes && upstream.total() == total, format!("{format}: it is here"))?;
        if format == "go" {
            let at = |end: &str| format!("/repository/go-up/example.com/gtool/@v/v1.0.0.{end}");
            for end in ["info", "mod"] {
                reader.get(&at(end)).send().await?.expect(&[200])?;
            }
            ensure(upstream.total() == total, "nothing was asked for")?;
        }
    }
    Ok(())
}

/// Rules, lies, what is missing, what makes no sense: each said for its item alone.
async fn what_cannot_come_is_said_of_each() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let bytes = noise(1, 3000);
    let shelf = Shelf::stocked(&site, &upstream, "npm", json!({}), &bytes).await?;
    let liar = Shelf::bare("cargo");
    liar.tell(&upstream, &upstream.url(), &bytes);
    upstream.says(&liar.file(), Say::file(noise(2, 3000)));
    remote(&site, liar.key(), "cargo", &upstream.url(), json!({})).await?;
    for (key, name) in [("npm-up", "ntool"), ("cargo-up", "ctool")] {
        let none = json!([{"name": name, "version": "77.0.0"}]);
        let said = bring(&site, key, &none).await?.expect(&[200])?.json()?;
        ensure(said["items"][0]["state"] == "missing", format!("another version is none: {said}"))?;
    }
    let rules = json!({"rules": [{"kind": "claim", "pattern": "own-*"},
        {"kind": "block", "pattern": "ntool", "reason": "it bites"}]});
    site.admin.put("/v1/repos/npm-up/rules").json(&rules).send().await?.expect(&[200])?;

    let items = json!([{"name": "ntool", "version": "1.0.0"}, {"name": "own-tool"}, {"name": "nobody"}]);
    let said = bring(&site, "npm-up", &items).await?.expect(&[200])?.json()?;
    let of = |place: usize| (said["items"][place]["state"].as_str(), said["items"][place].to_string());
    ensure(of(0).0 == Some("refused") && of(0).1.contains("it bites"), said.to_string())?;
    ensure(of(1).0 == Some("missing") && of(2).0 == Some("missing"), said.to_string())?;
    ensure(upstream.count("/own-tool") == 0 && upstream.count(&shelf.file()) == 0, "a claim is not asked for")?;

    let said =
        bring(&site, "cargo-up", &json!([{"name": "ctool", "version": "1.0.0"}])).await?.expect(&[200])?.json()?;
    ensure(said["items"][0]["state"] == "failed", said.to_string())?;
    ensure(said["items"][0]["files"][0]["sums"] == json!({}), said.to_string())?;

    let built = json!([{"name": "ctool", "version": "1.0.0", "platforms": ["linux/amd64"]}]);
    let said = bring(&site, "cargo-up", &built).await?.expect(&[200])?.json()?;
    ensure(said["items"][0]["state"] == "refused", format!("crates are for no platform: {said}"))?;

    site.repository("libs", json!({})).await?;
    bring(&site, "libs", &json!([{"path": "x"}])).await?.expect(&[409])?;
    let odd = [
        json!([]),
        json!([{}]),
        json!([{"name": "a", "path": "b"}]),
        json!([{"path": "../b"}]),
        json!([{"name": "a", "version": "*"}, {"name": "b"}]),
        json!(vec![json!({"name": "a"}); 101]),
    ];
    for items in odd {
        bring(&site, "npm-up", &items).await?.expect(&[400])?;
    }
    Ok(())
}

async fn what_takes_long_is_on_its_way_and_comes() -> Result<()> {
    let (site, upstream, gate) = (site().await?, Upstream::start().await?, Gate::new());
    let bytes = noise(1, 3000);
    let shelf = Shelf::stocked(&site, &upstream, "cargo", json!({}), &bytes).await?;
    upstream.says(&shelf.file(), Say::announces(bytes.len()).waits(&gate).bytes(bytes.clone()));
    let body = json!({"items": [{"name": "ctool"}], "waitSeconds": 1});
    let at = format!("/v1/repos/{}/prefetch", shelf.key());
    let said = site.admin.post(&at).json(&body).send().await?.expect(&[200])?.json()?;
    ensure(said["items"][0]["state"] == "coming", said.to_string())?;
    gate.open();
    let said = bring(&site, shelf.key(), &json!([{"name": "ctool"}])).await?.expect(&[200])?.json()?;
    let state = said["items"][0]["state"].as_str().unwrap_or_default().to_owned();
    ensure(["present", "fetched"].contains(&state.as_str()), said.to_string())?;
    ensure(upstream.count(&shelf.file()) == 1, "it went on by itself")
}

/// The lockfile of a package with these bytes.
fn lockfile(upstream: &Upstream, bytes: &[u8]) -> String {
    let integrity = format!("sha512-{}", STANDARD.encode(Sha512::digest(bytes)));
    let resolved = format!("{}/ntool/-/ntool-1.0.0.tgz", upstream.url());
    let tool = json!({"version": "1.0.0", "resolved": resolved, "integrity": integrity});
    json!({"name": "app", "lockfileVersion": 3, "packages": {"": {}, "node_modules/ntool": tool,
        "node_modules/linked": {"resolved": "../linked", "link": true},
        "node_modules/other": {"version": "1.0.0", "resolved": "https://other.example/other/-/other-1.0.0.tgz"}}})
    .to_string()
}

async fn mirror_brings_what_a_lockfile_names_and_compares_it() -> Result<()> {
    let (site, upstream, bytes) = (site().await?, Upstream::start().await?, noise(1, 3000));
    let shelf = Shelf::stocked(&site, &upstream, "npm", json!({}), &bytes).await?;
    let path = acceptance::scratch::folder("lock")?.join("package-lock.json");
    std::fs::write(&path, lockfile(&upstream, &bytes))?;
    let file = path.display().to_string();
    let mirror = |more: &[&str]| {
        let words = [&["mirror", "npm-up", "--lockfile", file.as_str()], more].concat();
        program(&site.server, site.admin.token(), &words)
    };
    let text = |done: &std::process::Output| {
        format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
    };
    let planned = mirror(&["--dry-run"])?;
    ensure(planned.status.success() && text(&planned).contains("ntool@1.0.0"), text(&planned))?;
    ensure(text(&planned).contains("linked") && text(&planned).contains("another registry"), text(&planned))?;
    ensure(upstream.total() == 0, "nobody was asked")?;

    let done = mirror(&["--json"])?;
    let said: Value = serde_json::from_str(&String::from_utf8_lossy(&done.stdout))?;
    ensure(done.status.success() && said["items"][0]["checksums"] == "same", text(&done))?;
    ensure(said["summary"]["files"]["fetched"] == 1 && said["summary"]["fetchedBytes"] == 3000, text(&done))?;
    let again = mirror(&[])?;
    ensure(again.status.success() && !text(&again).contains("1 file fetched"), text(&again))?;
    ensure(text(&again).contains("1 there already") && upstream.count(&shelf.file()) == 1, text(&again))?;

    std::fs::write(&path, lockfile(&upstream, &noise(2, 3000)))?;
    let differs = mirror(&[])?;
    ensure(differs.status.code() == Some(1) && text(&differs).contains("ntool@1.0.0 differs"), text(&differs))?;
    let missing = mirror(&["--name", "nobody"])?;
    ensure(missing.status.code() == Some(1) && text(&missing).contains("nobody missing"), text(&missing))?;
    let none = program(&site.server, site.admin.token(), &["mirror", "npm-up"])?;
    ensure(none.status.code() == Some(2), text(&none))?;
    site.repository("libs", json!({})).await?;
    let local = program(&site.server, site.admin.token(), &["mirror", "libs", "--path", "x"])?;
    ensure(local.status.code() == Some(1) && text(&local).contains("libs is local"), text(&local))
}

/// Names and paths, each in a repository of its own, so that nothing was there before.
async fn mirror_brings_what_is_named() -> Result<()> {
    let (site, upstream, bytes) = (site().await?, Upstream::start().await?, noise(1, 3000));
    let shelf = Shelf::stocked(&site, &upstream, "npm", json!({}), &bytes).await?;
    Shelf::stocked(&site, &upstream, "raw", json!({}), &bytes).await?;
    for key in ["npm-2", "npm-3"] {
        remote(&site, key, "npm", &upstream.url(), json!({})).await?;
    }
    for (number, words) in [
        &["npm-up", "--name", "ntool"][..],
        &["npm-2", "--name", "ntool@1.0.0"],
        &["npm-3", "--name", "ntool", "--all-versions"],
        &["raw-up", "--path", "/files/tool.tar.gz"],
    ]
    .into_iter()
    .enumerate()
    {
        let run = || program(&site.server, site.admin.token(), &[&["mirror"], words].concat());
        let done = run()?;
        let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        ensure(done.status.success() && said.contains("1 named: 1 file fetched"), format!("{words:?}: {said}"))?;
        ensure(upstream.count(&shelf.file()) == (number + 1).min(3), format!("{words:?}: {said}"))?;
        let again = run()?;
        let said = String::from_utf8_lossy(&again.stdout).into_owned();
        ensure(again.status.success() && said.contains("0 files fetched"), format!("{words:?}: {said}"))?;
    }
    Ok(())
}

/// What clients will ask for and no lockfile pins is a failure; what comes from elsewhere is told of.
async fn mirror_ends_with_1_where_something_will_be_missing() -> Result<()> {
    let (site, upstream, bytes) = (site().await?, Upstream::start().await?, noise(1, 3000));
    Shelf::stocked(&site, &upstream, "pypi", json!({}), &bytes).await?;
    let folder = acceptance::scratch::folder("lock")?;
    let (first, base) = (folder.join("requirements.txt"), folder.join("base.txt"));
    std::fs::write(&base, "ptool==1.0.0\n")?;
    let (first_name, base_name) = (first.display().to_string(), base.display().to_string());
    let mirror = |more: &[&str]| {
        let words = [&["mirror", "pypi-up", "--json", "--lockfile", first_name.as_str()], more].concat();
        program(&site.server, site.admin.token(), &words)
    };
    let cases: [(&str, &[&str], i32, usize); 7] = [
        ("ptool==1.0.0\n-e ./here\nown @ file:///x\n", &[], 0, 0),
        ("ptool==1.0.0\n-c bounds.txt\nloose>=1\n", &[], 1, 1),
        ("ptool==1.0.0\n-e ./here\nloose>=1\n", &["--accept-gaps"], 0, 1),
        ("ptool==1.0.0\n-e ./here\nloose>=1\n", &["--dry-run"], 1, 1),
        ("ptool==1.0.0\n-e ./here\n-r base.txt\n", &[], 1, 1),
        ("ptool==1.0.0\n-e ./here\n-r base.txt\n", &["--lockfile", base_name.as_str()], 0, 0),
        ("-e ./here\nown @ file:///x\n", &[], 1, 0),
    ];
    for (text, more, code, gaps) in cases {
        std::fs::write(&first, text)?;
        let done = mirror(more)?;
        ensure(done.status.code() == Some(code), format!("{text:?} {more:?}: {done:?}"))?;
        let said: Value = serde_json::from_str(&String::from_utf8_lossy(&done.stdout))?;
        let told: Vec<bool> =
            said["passed"].as_array().into_iter().flatten().map(|one| one["needed"] == true).collect();
        ensure(told.iter().filter(|needed| **needed).count() == gaps, said.to_string())?;
        ensure(told.contains(&false), format!("what is from elsewhere is told of: {said}"))?;
        ensure(more.contains(&"--dry-run") || said["summary"]["gaps"] == gaps, said.to_string())?;
    }
    // People read which is which.
    std::fs::write(&first, "ptool==1.0.0\n-e ./here\nloose>=1\n")?;
    let done = program(&site.server, site.admin.token(), &["mirror", "pypi-up", "--lockfile", &first_name])?;
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    for words in ["passed over: -e ./here", "not brought: loose>=1: it pins no version", "1 that clients will ask for"]
    {
        ensure(told.contains(words), told.clone())?;
    }
    Ok(())
}

both! {
    what_is_brought_ahead_is_there_when_the_upstream_is_away;
    what_cannot_come_is_said_of_each;
    what_takes_long_is_on_its_way_and_comes;
    mirror_brings_what_a_lockfile_names_and_compares_it;
    mirror_brings_what_is_named;
    mirror_ends_with_1_where_something_will_be_missing;
}
