//! Images that are brought from an upstream before anybody pulls them.

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::{Value, json};

use super::remote::{Mirror, image};
use super::upstream::{Told, Upstream};
use super::yard::{IMAGE, INDEX, LAYER, sha256};

/// An index of two images, what attests one of them, a signature under a tag, and a bill that refers to the index.
struct Goods {
    index: String,
    digest: String,
    amd64: String,
    arm64: String,
    attests: String,
    bill: String,
    signature: String,
}

fn listed(manifest: &str, architecture: &str) -> Value {
    json!({"mediaType": IMAGE, "digest": sha256(manifest.as_bytes()), "size": manifest.len(),
        "platform": {"os": if architecture == "unknown" { "unknown" } else { "linux" }, "architecture": architecture}})
}

impl Goods {
    fn at(upstream: &Upstream) -> Goods {
        let by_digest = |manifest: &str, kind: &str, blobs: &[&[u8]]| {
            let digest = sha256(manifest.as_bytes());
            upstream.has("team/app", &digest, kind, manifest, blobs)
        };
        let bodies = ["amd64", "arm64", "unknown"].map(|kind| image(kind, b"config", kind.as_bytes()));
        let [amd64, arm64, attests] = ["amd64", "arm64", "unknown"]
            .map(|kind| by_digest(&image(kind, b"config", kind.as_bytes()), IMAGE, &[b"config", kind.as_bytes()]));
        let mut attesting = listed(&bodies[2], "unknown");
        attesting["annotations"] = json!({"vnd.docker.reference.digest": amd64});
        let manifests = json!([listed(&bodies[0], "amd64"), listed(&bodies[1], "arm64"), attesting]);
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).to_string();
        let digest = upstream.has("team/app", "1.0", INDEX, &index, &[]);
        let signature = image("signature", b"sign config", b"signature");
        let tag = format!("{}.sig", digest.replace(':', "-"));
        let signature = upstream.has("team/app", &tag, IMAGE, &signature, &[b"sign config", b"signature"]);
        let mut bill: Value = serde_json::from_str(&image("bill", b"bill config", b"bill")).unwrap_or_default();
        bill["subject"] = json!({"mediaType": INDEX, "digest": digest, "size": index.len()});
        let bill = bill.to_string();
        let about = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {"mediaType": IMAGE, "digest": sha256(bill.as_bytes()), "size": bill.len(), "artifactType": "application/x.bill"}]});
        let bill = by_digest(&bill, IMAGE, &[b"bill config", b"bill"]);
        upstream.says(
            &format!("/v2/team/app/referrers/{digest}"),
            Told::new(200, about.to_string()).with("content-type", INDEX),
        );
        Goods { index, digest, amd64, arm64, attests, bill, signature }
    }
}

impl Mirror {
    async fn bring(&self, items: Value) -> Result<Value> {
        let body = json!({"items": items});
        self.admin.post("/v1/repos/mirror/prefetch").json(&body).send().await?.expect(&[200])?.json()
    }

    /// The status of each of these, below the image's name.
    async fn statuses(&self, paths: &[String]) -> Result<Vec<u16>> {
        let mut found = Vec::new();
        for path in paths {
            found.push(self.admin.get(&format!("/v2/mirror/team/app/{path}")).send().await?.status);
        }
        Ok(found)
    }

    async fn offline(&self) -> Result<()> {
        let offline = json!({"settings": {"upstream": {"offline": true}}});
        self.admin.patch("/v1/repos/mirror").json(&offline).send().await?.expect(&[200]).map(drop)
    }
}

fn manifest(digest: &str) -> String {
    format!("manifests/{digest}")
}

fn blob(bytes: &[u8]) -> String {
    format!("blobs/{}", sha256(bytes))
}

/// An index comes with all that it lists, their blobs, and what belongs to it; each thing once.
#[tokio::test]
async fn an_image_comes_with_all_that_it_takes() -> Result<()> {
    for backing in [Backing::Embedded, Backing::Scaled] {
        let upstream = Upstream::open().await?;
        let mirror = Mirror::played(backing, &upstream, 300).await?;
        let goods = Goods::at(&upstream);
        let said = mirror.bring(json!([{"name": "team/app", "version": "1.0"}])).await?;
        assert_eq!(
            (&said["items"][0]["state"], &said["items"][0]["versions"]),
            (&json!("fetched"), &json!([goods.digest]))
        );
        let files = said["items"][0]["files"].as_array().cloned().unwrap_or_default();
        // Six manifests; the config of three images, and each one's layer; config and layer of signature and bill.
        assert_eq!(files.len(), 6 + 4 + 4, "{said}");
        let index = format!("team/app/manifests/{}", goods.digest.replace(':', "/"));
        let own = files.iter().find(|file| file["path"] == index.as_str());
        let sum = own.and_then(|file| file["sums"]["sha256"].as_str()).unwrap_or_default();
        assert_eq!(
            (format!("sha256:{sum}"), own.map(|file| &file["sizeBytes"])),
            (goods.digest.clone(), Some(&json!(goods.index.len())))
        );

        let asked = upstream.asked();
        let mut blobs: Vec<_> = asked.iter().filter(|asked| asked.contains("/blobs/")).collect();
        blobs.sort();
        blobs.dedup();
        assert_eq!((blobs.len(), asked.iter().filter(|asked| asked.contains("/blobs/")).count()), (8, 8), "{asked:?}");
        let again = mirror.bring(json!([{"name": "team/app", "version": goods.digest}])).await?;
        assert_eq!(again["items"][0]["state"], "present", "{again}");

        upstream.leave();
        mirror.offline().await?;
        let tag = format!("manifests/{}.sig", goods.digest.replace(':', "-"));
        let mut paths = vec!["manifests/1.0".to_owned(), tag, format!("referrers/{}", goods.digest)];
        paths.extend(
            [&goods.digest, &goods.amd64, &goods.arm64, &goods.attests, &goods.bill, &goods.signature]
                .map(|one| manifest(one)),
        );
        paths.extend([&b"config"[..], b"amd64", b"arm64", b"unknown", b"sign config", b"signature", b"bill"].map(blob));
        assert!(mirror.statuses(&paths).await?.iter().all(|status| *status == 200), "{paths:?}");
        let shown = mirror.admin.get("/v2/mirror/team/app/manifests/1.0").send().await?.expect(&[200])?;
        assert_eq!(shown.text(), goods.index);
        let referring = mirror.admin.get(&format!("/v2/mirror/team/app/referrers/{}", goods.digest)).send().await?;
        assert_eq!(referring.string("/manifests/0/digest")?, goods.bill);
    }
    Ok(())
}

/// Of an index only the platforms that are wanted; the index itself stays what it is.
#[tokio::test]
async fn an_index_comes_with_the_platforms_that_are_wanted() -> Result<()> {
    let upstream = Upstream::open().await?;
    let mirror = Mirror::played(Backing::Embedded, &upstream, 300).await?;
    let goods = Goods::at(&upstream);
    let wish = |platforms: &[&str], referrers: bool| json!([{"name": "team/app", "version": "1.0", "platforms": platforms, "referrers": referrers}]);
    let said = mirror.bring(wish(&["windows/amd64"], false)).await?;
    assert_eq!(said["items"][0]["state"], "missing", "{said}");
    assert!(said.to_string().contains("the index has nothing for windows/amd64"), "{said}");
    let said = mirror.bring(wish(&["linux/arm64/v8"], false)).await?;
    assert_eq!(said["items"][0]["state"], "fetched", "{said}");
    let asked = upstream.asked().join("\n");
    let hidden = [&goods.amd64, &goods.attests, &goods.bill, &goods.signature].map(|one| one.as_str());
    assert!(hidden.iter().all(|hidden| !asked.contains(hidden)), "{asked}");
    assert!(!asked.contains("referrers") && !asked.contains(".sig"), "{asked}");
    let said = mirror.bring(wish(&["linux/amd64"], true)).await?;
    assert_eq!(said["items"][0]["state"], "fetched", "{said}");
    upstream.leave();
    mirror.offline().await?;
    let shown = mirror.admin.get("/v2/mirror/team/app/manifests/1.0").send().await?.expect(&[200])?;
    assert_eq!(shown.text(), goods.index);
    let paths = [&goods.amd64, &goods.arm64, &goods.attests, &goods.bill, &goods.signature].map(|one| manifest(one));
    assert_eq!(mirror.statuses(&paths).await?, [200; 5]);
    Ok(())
}

/// All tags of an image, over the upstream's pages.
#[tokio::test]
async fn every_tag_of_an_image_comes() -> Result<()> {
    let upstream = Upstream::open().await?;
    let mirror = Mirror::played(Backing::Embedded, &upstream, 0).await?;
    let goods = Goods::at(&upstream);
    let plain = upstream.has("team/app", "2.0", IMAGE, &image("two", b"config", b"two"), &[b"config", b"two"]);
    let tag = format!("{}.sig", goods.digest.replace(':', "-"));
    let page = |tags: &[&str]| Told::new(200, json!({"name": "team/app", "tags": tags}).to_string());
    let link = "</v2/team/app/tags/list?n=2&last=2.0>; rel=\"next\"";
    upstream.says("/v2/team/app/tags/list?n=1000", page(&["1.0", "2.0"]).with("link", link));
    upstream.says("/v2/team/app/tags/list?n=2&last=2.0", page(&["3.0", &tag]));
    let said = mirror.bring(json!([{"name": "team/app", "version": "*"}])).await?;
    assert_eq!(said["items"][0]["state"], "missing", "3.0 is listed and not there: {said}");
    let missing: Vec<_> =
        said["items"][0]["files"].as_array().into_iter().flatten().filter(|file| file["state"] != "fetched").collect();
    assert_eq!((missing.len(), &missing[0]["path"]), (1, &json!("team/app:3.0")), "{said}");
    let asked = upstream.asked();
    assert_eq!(asked.iter().filter(|asked| asked.contains(".sig")).count(), 1, "no tag is guessed: {asked:?}");
    // Whoever asks again goes on: what the upstream said just now holds.
    upstream.has("team/app", "3.0", IMAGE, &image("three", b"config", b"three"), &[b"config", b"three"]);
    let said = mirror.bring(json!([{"name": "team/app", "version": "*"}])).await?;
    assert_eq!(said["items"][0]["state"], "fetched", "{said}");
    let asked = upstream.asked();
    assert!(!asked.iter().any(|asked| asked.ends_with("/1.0") || asked.contains("tags/list")), "{asked:?}");
    mirror.offline().await?;
    let paths = ["1.0", "2.0", "3.0", &tag, &plain, &goods.signature].map(manifest);
    assert_eq!(mirror.statuses(&paths).await?, [200; 6]);
    Ok(())
}

/// What cannot come is said of each item, and nothing wrong is kept.
#[tokio::test]
async fn what_cannot_come_is_told() -> Result<()> {
    let upstream = Upstream::open().await?;
    let mirror = Mirror::played(Backing::Embedded, &upstream, 0).await?;
    upstream.has("app", "latest", IMAGE, &image("", b"config", b"layer"), &[b"config", b"layer"]);
    upstream.has("liar", "1", IMAGE, &image("", b"config", b"true"), &[b"config"]);
    upstream.says(&format!("/v2/liar/blobs/{}", sha256(b"true")), Told::new(200, "lies"));
    let config =
        json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": sha256(b"config"), "size": 6});
    let far =
        json!({"mediaType": LAYER.replace("layer.", "layer.nondistributable."), "digest": sha256(b"far"), "size": 3});
    let foreign = json!({"schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [far]}).to_string();
    upstream.has("foreign", "1", IMAGE, &foreign, &[b"config"]);
    upstream.says("/v2/broken/manifests/1", Told::new(500, ""));
    upstream.has("own/app", "1", IMAGE, &image("", b"config", b"own"), &[b"config", b"own"]);
    let rules = json!({"rules": [{"kind": "claim", "pattern": "own/*"}, {"kind": "block", "pattern": "blocked", "reason": "it bites"}]});
    mirror.admin.put("/v1/repos/mirror/rules").json(&rules).send().await?.expect(&[200])?;
    let digest = sha256(b"nothing");
    for (item, state, why) in [
        (json!({"name": "app"}), "fetched", ""),
        (json!({"name": "liar", "version": "1"}), "failed", ""),
        (json!({"name": "foreign", "version": "1"}), "fetched", ""),
        (json!({"name": "broken", "version": "1"}), "failed", "the upstream cannot be read"),
        (json!({"name": "app", "version": "2"}), "missing", "was not found"),
        (json!({"name": "app", "version": "no tag"}), "missing", "was not found"),
        (json!({"name": "app", "version": digest}), "missing", "was not found"),
        (json!({"name": "own/app", "version": "1"}), "missing", ""),
        (json!({"name": "blocked", "version": "1"}), "refused", "it bites"),
        (json!({"name": "app", "files": ["manifest"]}), "refused", "comes whole"),
        (json!({"path": "app/manifests/sha256/00"}), "refused", "not by a path"),
    ] {
        let said = mirror.bring(json!([item])).await?;
        assert_eq!(said["items"][0]["state"], state, "{item}: {said}");
        assert!(said.to_string().contains(why), "{item}: {said}");
    }
    let asked = upstream.asked().join("\n");
    assert!(!asked.contains("/own/") && !asked.contains("/blocked/"), "{asked}");
    let kept = mirror.admin.get(&format!("/v2/mirror/liar/blobs/{}", sha256(b"true"))).send().await?;
    assert!(kept.status >= 400, "{kept:?}");
    for odd in [json!({"name": "app", "platforms": ["linux"]}), json!({"path": "x", "referrers": false})] {
        let body = json!({"items": [odd]});
        mirror.admin.post("/v1/repos/mirror/prefetch").json(&body).send().await?.expect(&[400])?;
    }
    Ok(())
}
