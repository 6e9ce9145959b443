//! Every door behind which bytes of an upstream are read: what was let go comes again through each.

use acceptance::Result;
use acceptance::http::Request;
use acceptance::server::Backing;
use bytes::Bytes;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::evicted::{LET_GO, counts, evict, keep_nothing, site};
use super::mended::ask;
use super::shelf::{Shelf, hex, noise, of, remote};
use super::upstream::{Say, Upstream};
use crate::site::{Site, ensure};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const LENGTH: usize = 200_000;

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// A door to some bytes, and where the upstream has them.
struct Door {
    path: String,
    bytes: Vec<u8>,
    theirs: String,
}

impl Door {
    fn get(&self, site: &Site) -> Request {
        site.admin.get(&self.path).header("Accept", "*/*")
    }

    /// What is known is told without a question.
    async fn tells(&self, site: &Site, upstream: &Upstream) -> Result<()> {
        let asked = upstream.count(&self.theirs);
        let head = of(&self.path, ask(site.admin.head(&self.path).header("Accept", "*/*")).await?.expect(&[200]))?;
        ensure(head.header("content-length") == Some(&self.bytes.len().to_string()), format!("{:?}", head.headers))?;
        if let Some(tag) = head.header("etag") {
            let same = site.admin.head(&self.path).header("Accept", "*/*").header("If-None-Match", tag);
            of(&self.path, ask(same).await?.expect(&[304]))?;
        }
        ensure(upstream.count(&self.theirs) == asked, format!("{}: fetched for a head", self.path))
    }

    /// They come again, once.
    async fn opens(&self, site: &Site, upstream: &Upstream) -> Result<()> {
        let asked = upstream.count(&self.theirs);
        let part = of(&self.path, ask(self.get(site).range("bytes=3-9")).await?.expect(&[206]))?;
        ensure(part.body == self.bytes[3..=9], format!("{}: other bytes of a part", self.path))?;
        let whole = of(&self.path, ask(self.get(site)).await?.expect(&[200]))?;
        ensure(whole.body == self.bytes, format!("{}: other bytes", self.path))?;
        let asked = upstream.count(&self.theirs) - asked;
        ensure(asked == 1, format!("{}: fetched {asked} times", self.path))
    }
}

async fn files(site: &Site, upstream: &Upstream) -> Result<Vec<Door>> {
    let mut doors = Vec::new();
    remote(site, "files", "raw", &upstream.url(), json!({})).await?;
    for seed in 0..4 {
        let (bytes, theirs) = (noise(seed, LENGTH), format!("/files/{seed}"));
        upstream.says(&theirs, Say::file(bytes.clone()));
        ask(site.admin.get(&format!("/repository/files{theirs}"))).await?.expect(&[200])?;
        doors.push(Door { path: String::new(), bytes, theirs });
    }
    let all = json!({"repoKey": "all", "format": "raw", "repoType": "virtual", "memberRepos": ["files"]});
    ask(site.admin.post("/v1/repos").json(&all)).await?.expect(&[201])?;
    let then = site.server.moment("clock").await?;
    doors[0].path = "/repository/files/files/0".to_owned();
    doors[1].path = format!("/v1/repos/files/blobs/{}", sha256(&doors[1].bytes));
    doors[2].path = "/repository/all/files/2".to_owned();
    doors[3].path = format!("/repository/files@{then}/files/3");
    Ok(doors)
}

/// A package of each kind, opened by the digest of its file.
async fn packages(site: &Site, upstream: &Upstream) -> Result<Vec<Door>> {
    let mut doors = Vec::new();
    for (format, seed) in [("npm", 10), ("pypi", 11), ("cargo", 12), ("maven", 13), ("go", 14)] {
        let bytes = noise(seed, LENGTH);
        let shelf = Shelf::stocked(site, upstream, format, json!({}), &bytes).await?;
        of(format, ask(shelf.get_file(&site.admin)).await?.expect(&[200]))?;
        let path = format!("/v1/repos/{}/blobs/{}", shelf.key(), sha256(&bytes));
        doors.push(Door { path, bytes, theirs: shelf.file() });
    }
    Ok(doors)
}

/// An image of four layers, each pulled.
async fn images(site: &Site, upstream: &Upstream) -> Result<Vec<Door>> {
    let layers: Vec<_> = (20..24).map(|seed| noise(seed, LENGTH)).collect();
    let layer = |bytes: &Vec<u8>| json!({"mediaType": "text/plain", "digest": sha256(bytes), "size": bytes.len()});
    let listed: Vec<_> = layers.iter().map(layer).collect();
    let manifest = json!({"schemaVersion": 2, "mediaType": IMAGE, "config": listed[0], "layers": listed[1..]});
    let manifest = manifest.to_string();
    let digest = sha256(manifest.as_bytes());
    let headers = [("Content-Type", IMAGE), ("Docker-Content-Digest", digest.as_str())];
    let theirs = format!("/v2/app/manifests/{digest}");
    upstream.says(&theirs, Say::answer(200, &headers, manifest.clone()));
    remote(site, "there", "oci", &upstream.url(), json!({})).await?;
    let path = format!("/v2/there/app/manifests/{digest}");
    ask(site.admin.get(&path).header("Accept", IMAGE)).await?.expect(&[200])?;
    let mut doors = vec![Door { path, bytes: manifest.into_bytes(), theirs }];
    for bytes in layers {
        let theirs = format!("/v2/app/blobs/{}", sha256(&bytes));
        upstream.says(&theirs, Say::file(bytes.clone()));
        let path = format!("/v2/there/app/blobs/{}", sha256(&bytes));
        ask(site.admin.get(&path)).await?.expect(&[200])?;
        doors.push(Door { path, bytes, theirs });
    }
    let all = json!({"repoKey": "every", "format": "oci", "repoType": "virtual", "memberRepos": ["there"]});
    ask(site.admin.post("/v1/repos").json(&all)).await?.expect(&[201])?;
    doors[2].path = format!("/v1/repos/there/blobs/{}", sha256(&doors[2].bytes));
    doors[3].path = format!("/v2/every/app/blobs/{}", sha256(&doors[3].bytes));
    Ok(doors)
}

/// A layer that was let go is taken over by a repository of ours, or has to be sent: never half of it.
async fn mounts(site: &Site, layer: &Door) -> Result<()> {
    ask(site.admin.post("/v1/repos").json(&json!({"repoKey": "own", "format": "oci"}))).await?.expect(&[201])?;
    let digest = sha256(&layer.bytes);
    let mount = format!("/v2/own/app/blobs/uploads/?mount={digest}&from=there/app");
    let answer = ask(site.admin.post(&mount)).await?.expect(&[201, 202])?;
    let blob = format!("/v2/own/app/blobs/{digest}");
    if answer.status == 202 {
        ask(site.admin.get(&blob)).await?.expect(&[404])?;
        let send = site.admin.post(&format!("/v2/own/app/blobs/uploads/?digest={digest}"));
        let send = send.header("Content-Type", "application/octet-stream").body(Bytes::from(layer.bytes.clone()));
        ask(send).await?.expect(&[201])?;
    }
    let here = ask(site.admin.get(&blob)).await?.expect(&[200])?;
    ensure(here.body == layer.bytes, "other bytes were mounted")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_let_go_comes_again_through_every_door() -> Result<()> {
    for backing in [Backing::Embedded, Backing::Scaled] {
        let (mut site, upstream) = (site(backing).await?, Upstream::start().await?);
        let mut doors = packages(&site, &upstream).await?;
        doors.extend(images(&site, &upstream).await?);
        let mounted = doors.pop();
        doors.extend(files(&site, &upstream).await?);
        for key in ["files", "npm-up", "pypi-up", "cargo-up", "maven-up", "go-up", "there"] {
            keep_nothing(&site, key).await?;
        }
        evict(&mut site, doors.len() + 1).await?;
        for door in &doors {
            door.tells(&site, &upstream).await?;
        }
        counts(&site, LET_GO, doors.len() + 1).await?;
        for door in &doors {
            door.opens(&site, &upstream).await?;
        }
        if let Some(layer) = mounted {
            mounts(&site, &layer).await?;
        }
        let lists = ask(site.admin.get("/repository/files/files/?format=json")).await?.expect(&[200])?;
        ensure(lists.text().contains("200000"), lists.text())?;
        ensure(!site.server.log().contains("no good copy"), site.server.log())?;
    }
    Ok(())
}

/// Rules are looked at before bytes come again, and an upstream that may not be asked is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_door_by_digest_keeps_the_rules() -> Result<()> {
    let (mut site, upstream) = (site(Backing::Embedded).await?, Upstream::start().await?);
    let bytes = noise(1, LENGTH);
    let shelf = Shelf::stocked(&site, &upstream, "npm", json!({}), &bytes).await?;
    ask(shelf.get_file(&site.admin)).await?.expect(&[200])?;
    keep_nothing(&site, shelf.key()).await?;
    evict(&mut site, 1).await?;
    let asked = upstream.count(&shelf.file());
    let door = format!("/v1/repos/npm-up/blobs/{}", sha256(&bytes));
    let rules = |rules: serde_json::Value| site.admin.put("/v1/repos/npm-up/rules").json(&json!({ "rules": rules }));
    ask(rules(json!([{"kind": "block", "pattern": "ntool"}]))).await?.expect(&[200])?;
    ask(site.admin.get(&door)).await?.expect(&[423])?;
    ask(rules(json!([]))).await?.expect(&[200])?;
    let offline = |offline: bool| {
        site.admin.patch("/v1/repos/npm-up").json(&json!({"settings": {"upstream": {"offline": offline}}}))
    };
    ask(offline(true)).await?.expect(&[200])?;
    let refused = ask(site.admin.get(&door)).await?.expect(&[503])?;
    ensure(refused.text().contains("were let go here, and npm-up is offline"), refused.text())?;
    ask(site.admin.head(&door)).await?.expect(&[200])?;
    ensure(upstream.count(&shelf.file()) == asked, "it was asked for")?;
    ask(offline(false)).await?.expect(&[200])?;
    let file = ask(site.admin.get(&door)).await?.expect(&[200])?;
    ensure(file.body == bytes && upstream.count(&shelf.file()) == asked + 1, "other bytes than before")
}
