//! Images of another registry, through a remote repository.

use acceptance::http::Answer;
use acceptance::server::{Backing, Persona, Server};
use acceptance::{Result, Trouble};
use serde_json::{Value, json};

use super::upstream::{Told, Upstream};
use super::yard::{IMAGE, INDEX, LAYER, Yard, header, sha256, texts, told};

/// A server with a remote repository `mirror`.
pub(super) struct Mirror {
    pub(super) server: Server,
    pub(super) admin: Persona,
}

impl Mirror {
    /// Of the registry at this address.
    pub(super) async fn of(backing: Backing, url: &str, auth: Value, settings: Value) -> Result<Mirror> {
        let plan = Server::plan(backing).variable("ARTIFORTRESS_RATE_REQUESTS_PER_MINUTE", "0");
        let plan = plan.variable("ARTIFORTRESS_PRIVATE_UPSTREAMS", "127.0.0.0/8");
        let server = plan.apis(if backing == Backing::Scaled { 2 } else { 1 }).start().await?;
        let admin = server.admin()?;
        let mut body = json!({"repoKey": "mirror", "format": "oci", "repoType": "remote", "upstreamUrl": url,
            "settings": {"upstream": settings}});
        if !auth.is_null() {
            body["upstreamAuth"] = auth;
        }
        admin.post("/v1/repos").json(&body).send().await?.expect(&[201])?;
        Ok(Mirror { server, admin })
    }

    /// Of a registry that the test plays; its answers are believed for this long.
    pub(super) async fn played(backing: Backing, upstream: &Upstream, seconds: u32) -> Result<Mirror> {
        let settings = json!({"indexSeconds": seconds, "missingSeconds": 0, "timeoutSeconds": 5});
        Mirror::of(backing, &format!("http://{}", upstream.address), Value::Null, settings).await
    }

    async fn get(&self, path: &str) -> Result<Answer> {
        self.admin.get(&format!("/v2/mirror/{path}")).send().await
    }

    fn count(&self, sql: &str) -> Result<u64> {
        let text = self.server.sql(sql)?;
        text.trim().parse().map_err(|_| Trouble::new(format!("{sql}: {text}")))
    }
}

fn stale(answer: &Answer) -> bool {
    answer.header("warning").is_some_and(|warning| warning.starts_with("110"))
        && answer.header("x-artifortress-stale-since").is_some()
}

/// An image of two blobs.
pub(super) fn image(note: &str, config: &[u8], layer: &[u8]) -> String {
    let one = |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "digest": sha256(bytes), "size": bytes.len()});
    let config = one("application/vnd.oci.image.config.v1+json", config);
    json!({"schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [one(LAYER, layer)],
        "annotations": {"note": note}})
    .to_string()
}

/// Everything that a client asks, from a private registry with tokens that is another server of ours; then that is gone.
#[tokio::test]
async fn a_private_registry_is_read_and_what_came_stays() -> Result<()> {
    let mut yard = Yard::open(Backing::Embedded).await?;
    let (digest, body) = yard.tagged("/v2/oci/team/app", "v1").await?;
    yard.tagged("/v2/oci/team/app", "v2").await?;
    let (config, layer) = blobs(&body)?;
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": IMAGE, "digest": digest, "size": body.len(), "platform": {"architecture": "arm64", "os": "linux"}},
    ]})
    .to_string();
    super::yard::push_as(&yard.admin, "/v2/oci/team/app", "many", INDEX, &index).await?.expect(&[201])?;
    let bill = json!({"schemaVersion": 2, "mediaType": IMAGE, "artifactType": "application/x.bill",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 20}, "layers": [],
        "subject": {"mediaType": IMAGE, "digest": digest, "size": body.len()}})
    .to_string();
    yard.push("/v2/oci/team/app", &sha256(bill.as_bytes()), &bill).await?.expect(&[201])?;
    let token = yard.person("robot", &["repo:oci:read"]).await?.token().to_owned();
    let auth = json!({"kind": "basic", "user": "robot", "password": token});
    let url = format!("http://{}/oci", yard.server.address()?);
    let settings = json!({"indexSeconds": 0, "missingSeconds": 0});
    let mirror = Mirror::of(Backing::Embedded, &url, auth, settings).await?;

    for _ in 0..2 {
        let shown = mirror.get("team/app/manifests/v1").await?.expect(&[200])?;
        assert_eq!((shown.text(), header(&shown, "docker-content-digest")?), (body.clone(), digest.clone()));
        assert!(header(&shown, "content-type")? == IMAGE && !stale(&shown), "{shown:?}");
    }
    assert_eq!(mirror.get(&format!("team/app/manifests/{digest}")).await?.expect(&[200])?.text(), body);
    let many = mirror.get("team/app/manifests/many").await?.expect(&[200])?;
    assert_eq!((many.text(), header(&many, "content-type")?), (index, INDEX.to_owned()));
    let part = mirror.admin.get(&format!("/v2/mirror/team/app/blobs/{config}")).range("bytes=5-9").send().await?;
    assert_eq!(part.expect(&[206])?.body.len(), 5);
    let blob = mirror.get(&format!("team/app/blobs/{layer}")).await?.expect(&[200])?;
    assert_eq!((sha256(&blob.body), header(&blob, "docker-content-digest")?), (layer.clone(), layer.clone()));
    let tags = mirror.get("team/app/tags/list?n=2").await?.expect(&[200])?;
    assert_eq!(texts(&tags, "/tags")?, ["many", "v1"]);
    assert_eq!(header(&tags, "link")?, "</v2/mirror/team/app/tags/list?n=2&last=v1>; rel=\"next\"");
    let referring = mirror.get(&format!("team/app/referrers/{digest}?artifactType=application/x.bill")).await?;
    let referring = referring.expect(&[200])?;
    assert_eq!(referring.string("/manifests/0/digest")?, sha256(bill.as_bytes()));
    assert_eq!(referring.string("/manifests/0/artifactType")?, "application/x.bill");
    let listed = mirror.admin.get("/v2/_catalog").send().await?.expect(&[200])?;
    assert_eq!(texts(&listed, "/repositories")?, ["mirror/team/app"]);

    // What names its blobs holds them by now, and nothing is pinned beside.
    let whole = "SELECT count(*) FROM versions v WHERE v.sealed_at IS NOT NULL AND v.version =";
    assert_eq!(mirror.count(&format!("{whole} '{digest}'"))?, 1);
    assert_eq!(mirror.count("SELECT count(*) FROM pins")?, 0);

    told(mirror.get("team/app/manifests/none").await?, 404, "MANIFEST_UNKNOWN")?;
    told(mirror.get(&format!("team/app/blobs/{}", sha256(b"none"))).await?, 404, "BLOB_UNKNOWN")?;
    told(mirror.get("team/none/tags/list").await?, 404, "NAME_UNKNOWN")?;
    let put = mirror.admin.put("/v2/mirror/team/app/manifests/v9").header("Content-Type", IMAGE).body(body.clone());
    told(put.send().await?, 403, "DENIED")?;

    // A tag that moves is seen to.
    let (moved, _) = yard.tagged("/v2/oci/team/app", "v1").await?;
    let shown = mirror.admin.head("/v2/mirror/team/app/manifests/v1").send().await?.expect(&[200])?;
    assert_eq!(header(&shown, "docker-content-digest")?, moved);

    yard.server.stop()?;
    let shown = mirror.get("team/app/manifests/v1").await?.expect(&[200])?;
    assert!(header(&shown, "docker-content-digest")? == moved && stale(&shown), "{shown:?}");
    assert!(stale(&mirror.get("team/app/tags/list").await?.expect(&[200])?));
    let referring = mirror.get(&format!("team/app/referrers/{digest}?artifactType=application/x.bill")).await?;
    assert!(stale(&referring.expect(&[200])?));
    for here in [format!("manifests/{digest}"), format!("blobs/{layer}"), format!("blobs/{config}")] {
        let here = mirror.get(&format!("team/app/{here}")).await?.expect(&[200])?;
        assert!(!stale(&here), "what a digest names is never old");
    }
    told(mirror.get("team/app/manifests/v2").await?, 503, "UNKNOWN")?;
    told(mirror.get(&format!("team/app/blobs/{}", sha256(b"none"))).await?, 503, "UNKNOWN")?;
    told(mirror.get(&format!("team/app/manifests/{}", sha256(b"none"))).await?, 503, "UNKNOWN")?;
    told(mirror.get("other/tags/list").await?, 503, "UNKNOWN").map(drop)
}

fn blobs(manifest: &str) -> Result<(String, String)> {
    let manifest: Value = serde_json::from_str(manifest).map_err(|error| Trouble::new(error.to_string()))?;
    let digest = |pointer| manifest.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let both = digest("/config/digest").zip(digest("/layers/0/digest"));
    both.ok_or_else(|| Trouble::new("a manifest without blobs"))
}

/// What is asked of the upstream, and what is not: everything immutable once, a tag by its head.
#[tokio::test]
async fn the_upstream_is_asked_for_no_more_than_is_needed() -> Result<()> {
    let upstream = Upstream::open().await?;
    let mirror = Mirror::played(Backing::Embedded, &upstream, 0).await?;
    let body = image("one", b"config", b"layer");
    let digest = upstream.has("app", "v1", IMAGE, &body, &[b"config", b"layer"]);
    let layer = sha256(b"layer");
    for path in ["manifests/v1".to_owned(), format!("manifests/{digest}"), format!("blobs/{layer}")] {
        mirror.get(&format!("app/{path}")).await?.expect(&[200])?;
        mirror.get(&format!("app/{path}")).await?.expect(&[200])?;
    }
    let blob = format!("GET /v2/app/blobs/{layer}");
    assert_eq!(upstream.asked(), ["GET /v2/app/manifests/v1", "HEAD /v2/app/manifests/v1", blob.as_str()]);
    // One without that header has its tag.
    let plain = Told { headers: Vec::new(), ..Told::manifest(IMAGE, &body) }.with("etag", "\"x\"");
    upstream.says("/v2/app/manifests/plain", plain.with("content-type", IMAGE));
    mirror.get("app/manifests/plain").await?.expect(&[200])?;
    mirror.get("app/manifests/plain").await?.expect(&[200])?;
    let (get, head) = ("GET /v2/app/manifests/plain", "HEAD /v2/app/manifests/plain");
    assert_eq!(upstream.asked(), [get, head, get]);
    // Tags in pages, and referrers where there is no address for them.
    let page = |tags: &str| Told::new(200, format!(r#"{{"name":"app","tags":{tags}}}"#));
    let link = "</v2/app/tags/list?n=2&last=b>; rel=\"next\"";
    upstream.says("/v2/app/tags/list?n=1000", page(r#"["b","a"]"#).with("link", link));
    upstream.says("/v2/app/tags/list?n=2&last=b", page(r#"["c","no tag"]"#));
    assert_eq!(texts(&mirror.get("app/tags/list").await?.expect(&[200])?, "/tags")?, ["a", "b", "c"]);
    let one = json!({"mediaType": IMAGE, "digest": sha256(b"x"), "size": 1, "artifactType": "a/b"});
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [one]}).to_string();
    upstream.says(&format!("/v2/app/manifests/{}", digest.replace(':', "-")), Told::manifest(INDEX, &index));
    let referring = mirror.get(&format!("app/referrers/{digest}")).await?.expect(&[200])?;
    assert_eq!(referring.string("/manifests/0/digest")?, sha256(b"x"));
    let none = mirror.get(&format!("app/referrers/{}", sha256(b"y"))).await?.expect(&[200])?;
    assert_eq!(none.json()?["manifests"], json!([]));
    Ok(())
}

/// A path in the upstream's address stands in front of the name.
#[tokio::test]
async fn a_prefix_stands_in_front_of_the_name() -> Result<()> {
    let upstream = Upstream::open().await?;
    let url = format!("http://{}/library", upstream.address);
    let mirror = Mirror::of(Backing::Embedded, &url, Value::Null, json!({})).await?;
    upstream.has("library/small", "latest", IMAGE, &image("", b"c", b"l"), &[]);
    mirror.get("small/manifests/latest").await?.expect(&[200])?;
    assert_eq!(upstream.asked(), ["GET /v2/library/small/manifests/latest"]);
    Ok(())
}

/// What was withdrawn here is never fetched again, nor are the blobs that only it had.
#[tokio::test]
async fn what_is_withdrawn_stays_withdrawn() -> Result<()> {
    let upstream = Upstream::open().await?;
    let mirror = Mirror::played(Backing::Embedded, &upstream, 300).await?;
    let (one, two) = (image("one", b"config", b"bad"), image("two", b"config", b"good"));
    let bad = upstream.has("app", "v1", IMAGE, &one, &[b"config", b"bad"]);
    upstream.has("app", "v2", IMAGE, &two, &[b"config", b"good"]);
    mirror.get("app/manifests/v1").await?.expect(&[200])?;
    mirror.get(&format!("app/blobs/{}", sha256(b"bad"))).await?.expect(&[200])?;
    mirror.admin.delete(&format!("/v2/mirror/app/manifests/{bad}")).send().await?.expect(&[202])?;
    upstream.asked();
    for gone in [format!("manifests/{bad}"), "manifests/v1".to_owned()] {
        told(mirror.get(&format!("app/{gone}")).await?, 404, "MANIFEST_UNKNOWN")?;
    }
    for gone in [sha256(b"bad"), sha256(b"config")] {
        told(mirror.get(&format!("app/blobs/{gone}")).await?, 404, "BLOB_UNKNOWN")?;
    }
    assert_eq!(upstream.asked(), Vec::<String>::new());
    // A blob that another one has too comes with that.
    mirror.get("app/manifests/v2").await?.expect(&[200])?;
    mirror.get(&format!("app/blobs/{}", sha256(b"config"))).await?.expect(&[200])?;
    told(mirror.get(&format!("app/manifests/{bad}")).await?, 404, "MANIFEST_UNKNOWN")?;
    told(mirror.get(&format!("app/blobs/{}", sha256(b"bad"))).await?, 404, "BLOB_UNKNOWN").map(drop)
}

/// A blob that is asked for before its manifest is kept, and joins that.
#[tokio::test]
async fn a_blob_that_nothing_names_yet_stays_and_joins() -> Result<()> {
    let upstream = Upstream::open().await?;
    let mirror = Mirror::played(Backing::Embedded, &upstream, 300).await?;
    let body = image("", b"config", b"layer");
    upstream.has("app", "v1", IMAGE, &body, &[b"config", b"layer"]);
    let layer = format!("app/blobs/{}", sha256(b"layer"));
    mirror.get(&layer).await?.expect(&[200])?;
    assert_eq!((mirror.count("SELECT count(*) FROM pins")?, mirror.count("SELECT count(*) FROM entries")?), (1, 0));
    mirror.get("app/manifests/v1").await?.expect(&[200])?;
    assert_eq!((mirror.count("SELECT count(*) FROM pins")?, mirror.count("SELECT count(*) FROM entries")?), (0, 2));
    mirror.get(&format!("app/blobs/{}", sha256(b"config"))).await?.expect(&[200])?;
    assert_eq!((mirror.count("SELECT count(*) FROM pins")?, mirror.count("SELECT count(*) FROM entries")?), (0, 3));
    // Three entries and the answer to one question are paid for, once.
    let paid = body.len() * 2 + b"configlayer".len();
    let usage = mirror.admin.get("/v1/admin/tenant-admission-policy").send().await?.expect(&[200])?.json()?;
    assert!(usage.to_string().contains(&format!("\"logicalStorageBytes\":{paid}")), "{usage} {paid}");
    upstream.leave();
    mirror.get(&layer).await?.expect(&[200]).map(drop)
}

#[tokio::test]
async fn many_cold_pulls_ask_once() -> Result<()> {
    many(Backing::Embedded).await
}

/// Through two processes.
#[tokio::test]
async fn many_cold_pulls_of_two_processes_ask_once() -> Result<()> {
    many(Backing::Scaled).await
}

async fn many(backing: Backing) -> Result<()> {
    let upstream = Upstream::open().await?;
    let mirror = Mirror::played(backing, &upstream, 300).await?;
    let layer = vec![7; 3 << 20];
    let body = image("", b"config", &layer);
    let digest = upstream.has("app", "v1", IMAGE, &body, &[b"config", &layer]);
    let paths =
        ["manifests/v1".to_owned(), format!("blobs/{}", sha256(&layer)), format!("blobs/{}", sha256(b"config"))];
    let addresses = mirror.server.addresses();
    let mut asked = Vec::new();
    for path in &paths {
        let all = (0..50).map(|number| {
            let person = mirror.admin.at(addresses[number % addresses.len()]);
            async move { person.get(&format!("/v2/mirror/app/{path}")).send().await?.expect(&[200]) }
        });
        let all = futures_util::future::try_join_all(all).await?;
        let expected = path.rsplit('/').next().filter(|name| name.contains(':')).unwrap_or(&digest);
        assert!(all.iter().all(|answer| sha256(&answer.body) == expected), "{path}");
        asked.extend(upstream.asked());
    }
    assert_eq!(asked, paths.map(|path| format!("GET /v2/app/{path}")));
    for address in addresses {
        let person = mirror.admin.at(address);
        for path in [format!("manifests/{digest}"), format!("blobs/{}", sha256(&layer))] {
            person.head(&format!("/v2/mirror/app/{path}")).send().await?.expect(&[200])?;
        }
    }
    assert_eq!(upstream.asked(), Vec::<String>::new());
    Ok(())
}

/// An upstream that lies, breaks off or fails: nothing of it is kept, and nothing of that is "not found".
#[tokio::test]
async fn nothing_of_a_lying_upstream_is_kept() -> Result<()> {
    let upstream = Upstream::open().await?;
    let mirror = Mirror::played(Backing::Embedded, &upstream, 0).await?;
    let body = image("", b"config", b"layer");
    let digest = sha256(body.as_bytes());
    let good = || Told::manifest(IMAGE, &body);
    let html = Told::new(200, "<html>Log in</html>").with("content-type", "text/html");
    let long = json!({"schemaVersion": 2, "mediaType": IMAGE, "layers": [], "note": "x".repeat(4 << 20)}).to_string();
    let first = r#"{"schemaVersion":1,"name":"app"}"#;
    let lies = [
        good().with("docker-content-digest", &sha256(b"other")),
        Told { missing: 10, ..good() },
        Told::new(500, "{}"),
        Told::new(429, "{}"),
        Told::new(403, "{}"),
        Told::new(200, ""),
        html.clone(),
        Told::manifest(IMAGE, &long),
        Told::manifest("application/vnd.docker.distribution.manifest.v1+prettyjws", first),
        good().with("content-type", INDEX),
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        // Each under its own tag: after a failure nobody asks again at once.
        let at = format!("app/manifests/t{number}");
        upstream.says(&format!("/v2/{at}"), lie);
        told(mirror.get(&at).await?, 503, "UNKNOWN").map_err(|error| Trouble::new(format!("{number}: {error:?}")))?;
    }
    // By digest.
    for (at, lie) in [
        (format!("manifests/{}", sha256(b"1")), good()),
        (format!("manifests/{digest}"), Told { missing: 10, ..good() }),
        (format!("manifests/{}", sha256(b"<html>Log in</html>")), html.clone()),
        (format!("manifests/{}", sha256(long.as_bytes())), Told::manifest(IMAGE, &long)),
        (format!("blobs/{}", sha256(b"1")), Told::new(500, "{}")),
        (format!("blobs/{}", sha256(b"2")), html),
    ] {
        upstream.says(&format!("/v2/app/{at}"), lie);
        let answer = mirror.admin.get(&format!("/v2/mirror/app/{at}")).range("bytes=0-").send().await?;
        told(answer, 503, "UNKNOWN").map_err(|error| Trouble::new(format!("{at}: {error:?}")))?;
    }
    // Who reads along is cut off before the end.
    for (blob, lie) in [
        (sha256(b"3"), Told::new(200, vec![3; 300_000])),
        (sha256(b"4"), Told { missing: 9, ..Told::new(200, vec![4; 300_000]) }),
    ] {
        upstream.says(&format!("/v2/app/blobs/{blob}"), lie);
        let cut = mirror.get(&format!("app/blobs/{blob}")).await;
        assert!(cut.is_err(), "a body of another digest came whole: {cut:?}");
    }
    upstream.says("/v2/app/tags/list", Told::new(200, "<html>").with("content-type", "text/html"));
    told(mirror.get("app/tags/list").await?, 503, "UNKNOWN")?;
    upstream.says(&format!("/v2/app/referrers/{digest}"), Told::new(500, ""));
    told(mirror.get(&format!("app/referrers/{digest}")).await?, 503, "UNKNOWN")?;
    assert_eq!(mirror.count("SELECT count(*) FROM versions")?, 0);
    assert_eq!(mirror.count("SELECT count(*) FROM observations WHERE digest IS NOT NULL")?, 0);
    assert_eq!(mirror.count("SELECT count(*) FROM blobs")?, 0);
    Ok(())
}

/// The first reader of a blob has its first bytes before the upstream has said the last.
#[tokio::test]
async fn a_blob_is_read_while_it_comes() -> Result<()> {
    let upstream = Upstream::open().await?;
    let mirror = Mirror::played(Backing::Embedded, &upstream, 300).await?;
    let (gate, layer) = (std::sync::Arc::new(tokio::sync::Semaphore::new(0)), vec![5; 400_000]);
    let digest = sha256(&layer);
    upstream.says(
        &format!("/v2/app/blobs/{digest}"),
        Told { gate: Some(std::sync::Arc::clone(&gate)), ..Told::new(200, layer) },
    );
    let mut opened = Some(gate);
    let request = mirror.admin.get(&format!("/v2/mirror/app/blobs/{digest}"));
    let answer = request
        .send_each(|piece| {
            if let Some(gate) = opened.take().filter(|_| !piece.is_empty()) {
                gate.add_permits(1);
            }
        })
        .await?;
    answer.expect(&[200])?;
    mirror.admin.get(&format!("/v2/mirror/app/blobs/{digest}")).send().await?.expect(&[200]).map(drop)
}
