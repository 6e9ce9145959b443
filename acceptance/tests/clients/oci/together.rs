//! Images through virtual repositories: whose names are whose, whose rights count, where what is pushed goes.

use acceptance::Result;
use acceptance::http::{Answer, Http};
use acceptance::server::{Backing, Persona};
use serde_json::{Value, json};

use super::remote::{Mirror, image};
use super::upstream::{Told, Upstream};
use super::yard::{IMAGE, INDEX, LAYER, header, push_as, sha256, texts, told};

/// A server with `own`, hosted, `mirror`, of a registry that the test plays, and `all`, of both.
struct Hall {
    upstream: Upstream,
    mirror: Mirror,
    admin: Persona,
}

impl Hall {
    async fn open(backing: Backing) -> Result<Hall> {
        let upstream = Upstream::open().await?;
        let mirror = Mirror::played(backing, &upstream, 0).await?;
        let admin = mirror.admin.clone();
        let hall = Hall { upstream, mirror, admin };
        hall.make(json!({"repoKey": "own"})).await?;
        hall.together("all", &["mirror", "own"], json!({"deployTo": "own"})).await?;
        Ok(hall)
    }

    async fn make(&self, mut fields: Value) -> Result<Answer> {
        fields["format"] = json!("oci");
        self.admin.post("/v1/repos").json(&fields).send().await?.expect(&[201])
    }

    async fn together(&self, key: &str, members: &[&str], settings: Value) -> Result<Answer> {
        let fields = json!({"repoKey": key, "repoType": "virtual", "memberRepos": members,
            "settings": {"virtual": settings}});
        self.make(fields).await
    }

    async fn get(&self, path: &str) -> Result<Answer> {
        self.admin.get(&format!("/v2/{path}")).send().await
    }

    async fn person(&self, subject: &str, scopes: &[&str]) -> Result<Persona> {
        let body = json!({"subject": subject, "scopes": scopes});
        let token = self.admin.post("/v1/auth/pats").json(&body).send().await?.expect(&[200])?.string("/token")?;
        Ok(Persona::new(subject, token, self.mirror.server.http()?))
    }

    /// Pushes an image of two blobs. Returns its digest.
    async fn push(&self, by: &Http, at: &str, tag: &str, note: &str) -> Result<String> {
        let (config, layer) = (format!("config {note}"), format!("layer {note}"));
        for blob in [&config, &layer] {
            let digest = sha256(blob.as_bytes());
            by.post(&format!("/v2/{at}/blobs/uploads/?digest={digest}"))
                .body(blob.clone())
                .send()
                .await?
                .expect(&[201])?;
        }
        let manifest = image(note, config.as_bytes(), layer.as_bytes());
        let put = push_as(by, &format!("/v2/{at}"), tag, IMAGE, &manifest).await?.expect(&[201])?;
        header(&put, "docker-content-digest")
    }
}

/// A token for these scopes, as clients get it.
async fn exchange(http: &Http, secret: &str, scopes: &str) -> Result<Http> {
    let asked = http.get(&format!("/v2/token?service=x&{scopes}")).basic("anybody", secret).send().await?;
    Ok(http.with_token(&asked.expect(&[200])?.string("/token")?))
}

async fn a_name_that_is_hosted_comes_from_nowhere_else(backing: Backing) -> Result<()> {
    let hall = Hall::open(backing).await?;
    let theirs = image("theirs", b"c", b"l");
    let foreign = hall.upstream.has("team/app", "99.9.9", IMAGE, &theirs, &[b"c", b"l"]);
    hall.upstream.says("/v2/team/app/tags/list", Told::new(200, r#"{"name":"team/app","tags":["99.9.9"]}"#));
    let shown = hall.get("all/team/app/manifests/99.9.9").await?.expect(&[200])?;
    assert_eq!((shown.text(), header(&shown, "docker-content-digest")?), (theirs, foreign.clone()));
    hall.get(&format!("all/team/app/blobs/{}", sha256(b"l"))).await?.expect(&[200])?;
    assert_eq!(texts(&hall.get("all/team/app/tags/list").await?.expect(&[200])?, "/tags")?, ["99.9.9"]);

    let ours = hall.push(&hall.admin, "own/team/app", "1.0", "ours").await?;
    hall.upstream.asked();
    let tags = hall.get("all/team/app/tags/list").await?.expect(&[200])?;
    assert_eq!((texts(&tags, "/tags")?, tags.string("/name")?), (vec!["1.0".to_owned()], "all/team/app".to_owned()));
    for foreign in ["manifests/99.9.9", &format!("manifests/{foreign}"), &format!("manifests/{}", sha256(b"none"))] {
        told(hall.get(&format!("all/team/app/{foreign}")).await?, 404, "MANIFEST_UNKNOWN")?;
    }
    told(hall.get(&format!("all/team/app/blobs/{}", sha256(b"l"))).await?, 404, "BLOB_UNKNOWN")?;
    let shown = hall.admin.head("/v2/all/team/app/manifests/1.0").send().await?.expect(&[200])?;
    assert_eq!(header(&shown, "docker-content-digest")?, ours);
    // Ever had: also what was withdrawn keeps its name.
    hall.admin.delete(&format!("/v2/own/team/app/manifests/{ours}")).send().await?.expect(&[202])?;
    told(hall.get("all/team/app/manifests/99.9.9").await?, 404, "MANIFEST_UNKNOWN")?;
    // Nor does a name that is claimed.
    let rules = json!({"rules": [{"kind": "claim", "pattern": "inner/*"}]});
    hall.admin.put("/v1/repos/own/rules").json(&rules).send().await?.expect(&[200])?;
    hall.upstream.has("inner/tool", "v1", IMAGE, &image("far", b"c", b"l"), &[]);
    told(hall.get("all/inner/tool/manifests/v1").await?, 404, "MANIFEST_UNKNOWN")?;
    told(hall.get("all/inner/tool/tags/list").await?, 404, "NAME_UNKNOWN")?;
    assert_eq!(hall.upstream.asked(), [""; 0], "nobody is asked for a name that is ours");
    assert_eq!(texts(&hall.get("_catalog").await?.expect(&[200])?, "/repositories")?, ["mirror/team/app"]);
    Ok(())
}

async fn each_member_is_read_by_who_may_read_it(backing: Backing) -> Result<()> {
    let hall = Hall::open(backing).await?;
    hall.push(&hall.admin, "own/secret", "v1", "secret").await?;
    hall.push(&hall.admin, "own/both", "v1", "both").await?;
    for name in ["secret", "both", "open"] {
        hall.upstream.has(name, "v1", IMAGE, &image(name, b"c", b"l"), &[b"c", b"l"]);
        hall.get(&format!("mirror/{name}/manifests/v1")).await?.expect(&[200])?;
    }
    let outsider = hall.person("out", &["repo:all:read", "repo:mirror:read"]).await?;
    let nobody = hall.person("no", &["repo:all:read"]).await?;
    let insider = hall.person("in", &["repo:all:read", "repo:own:read"]).await?;
    hall.upstream.asked();
    let blob = sha256(b"layer secret");
    for path in ["secret/manifests/v1", "secret/tags/list", &format!("secret/blobs/{blob}")] {
        hall.get(&format!("all/{path}")).await?.expect(&[200])?;
        insider.get(&format!("/v2/all/{path}")).send().await?.expect(&[200])?;
        for by in [&outsider, &nobody] {
            by.get(&format!("/v2/all/{path}")).send().await?.expect(&[404])?;
        }
    }
    for path in ["open/manifests/v1", "open/tags/list", "open/manifests/none"] {
        nobody.get(&format!("/v2/all/{path}")).send().await?.expect(&[404])?;
    }
    assert_eq!(hall.upstream.asked(), [""; 0], "nobody makes a remote ask that he may not read");
    outsider.get("/v2/all/open/manifests/v1").send().await?.expect(&[200])?;
    let listed = async |by: &Http| texts(&by.get("/v2/_catalog").send().await?.expect(&[200])?, "/repositories");
    let through = |names: Vec<String>| names.into_iter().filter(|name| name.starts_with("all/")).collect::<Vec<_>>();
    assert_eq!(through(listed(&hall.admin).await?), ["all/both", "all/open", "all/secret"], "each name once");
    assert_eq!(through(listed(&outsider).await?), ["all/open"]);
    assert_eq!(through(listed(&insider).await?), ["all/both", "all/secret"]);
    assert_eq!(through(listed(&nobody).await?), [""; 0]);
    // A token that is made for an image of the virtual repository does what its caller may do there.
    let http = hall.mirror.server.http()?;
    let pull = exchange(&http, outsider.token(), "scope=repository:all/open:pull").await?;
    pull.get("/v2/all/open/manifests/v1").send().await?.expect(&[200])?;
    pull.get("/v2/all/secret/manifests/v1").send().await?.expect(&[404])?;
    let pull = exchange(&http, hall.admin.token(), "scope=repository:all/open:pull").await?;
    pull.get("/v2/all/secret/manifests/v1").send().await?.expect(&[200])?;
    let refused = told(pull.post("/v2/all/open/blobs/uploads/").body("").send().await?, 401, "DENIED")?;
    assert!(header(&refused, "www-authenticate")?.contains("scope=\"repository:all/open:pull,push\""), "{refused:?}");
    let push = exchange(&http, hall.admin.token(), "scope=repository:all/new:pull,push").await?;
    hall.push(&push, "all/new", "v1", "new").await?;
    let reader = exchange(&http, insider.token(), "scope=repository:all/new:pull,push").await?;
    told(reader.post("/v2/all/new/blobs/uploads/").body("").send().await?, 403, "DENIED").map(drop)
}

async fn what_is_pushed_goes_to_one_member(backing: Backing) -> Result<()> {
    let hall = Hall::open(backing).await?;
    hall.together("none", &["own", "mirror"], json!({})).await?;
    for refused in [
        hall.admin.post("/v2/none/app/blobs/uploads/").body(""),
        hall.admin.put("/v2/none/app/manifests/v1").header("Content-Type", IMAGE).body("{}"),
        hall.admin.delete("/v2/none/app/manifests/v1"),
        hall.admin.delete(&format!("/v2/none/app/blobs/{}", sha256(b"x"))),
    ] {
        let refused = told(refused.send().await?, 405, "UNSUPPORTED")?;
        assert!(refused.text().contains("deployTo"), "{}", refused.text());
    }
    // Each process sees at once what another took.
    let addresses = hall.mirror.server.addresses();
    let processes: Vec<Persona> = addresses.into_iter().map(|address| hall.admin.at(address)).collect();
    let (one, other) = (&processes[0], &processes[processes.len() - 1]);
    // In chunks: the session is at the virtual address.
    let begun = one.post("/v2/all/app/blobs/uploads/").body("").send().await?.expect(&[202])?;
    let session = header(&begun, "location")?;
    assert!(session.starts_with("/v2/all/app/blobs/uploads/"), "{session}");
    one.patch(&session).body("lay").send().await?.expect(&[202])?;
    let stands = other.get(&session).send().await?.expect(&[204])?;
    assert_eq!((header(&stands, "range")?, header(&stands, "location")?), ("0-2".to_owned(), session.clone()));
    let digest = sha256(b"layer");
    let put = other.put(&format!("{session}?digest={digest}")).body("er").send().await?.expect(&[201])?;
    assert_eq!(header(&put, "location")?, format!("/v2/all/app/blobs/{digest}"));
    one.get(&format!("/v2/all/app/blobs/{digest}")).send().await?.expect(&[200])?;
    let gone = one.post("/v2/all/app/blobs/uploads/").body("").send().await?.expect(&[202])?;
    one.delete(&header(&gone, "location")?).send().await?.expect(&[204])?;
    // At once, and from elsewhere: also from an image of the virtual repository itself.
    hall.push(&hall.admin, "own/base", "v1", "base").await?;
    let layer = sha256(b"layer base");
    let mount = format!("/v2/all/app/blobs/uploads/?mount={layer}&from=all/base");
    let mounted = one.post(&mount).body("").send().await?.expect(&[201])?;
    assert_eq!(header(&mounted, "location")?, format!("/v2/all/app/blobs/{layer}"));
    one.post(&format!("/v2/all/app/blobs/uploads/?digest={}", sha256(b"config")))
        .body("config")
        .send()
        .await?
        .expect(&[201])?;
    let body = image("one", b"config", b"layer");
    let put = push_as(one, "/v2/all/app", "v1", IMAGE, &body).await?.expect(&[201])?;
    let manifest = sha256(body.as_bytes());
    assert_eq!(header(&put, "location")?, format!("/v2/all/app/manifests/{manifest}"));
    for by in [other, one] {
        let shown = by.get("/v2/all/app/manifests/v1").send().await?.expect(&[200])?;
        assert_eq!((shown.text(), header(&shown, "content-type")?), (body.clone(), IMAGE.to_owned()));
        by.get(&format!("/v2/own/app/manifests/{manifest}")).send().await?.expect(&[200])?;
        let part = by.get(&format!("/v2/all/app/blobs/{digest}")).range("bytes=1-2").send().await?.expect(&[206])?;
        assert_eq!(part.text(), "ay");
    }
    assert_eq!(texts(&other.get("/v2/all/app/tags/list").send().await?.expect(&[200])?, "/tags")?, ["v1"]);
    // What belongs to it, and what was not asked for.
    let bill = json!({"schemaVersion": 2, "mediaType": IMAGE, "artifactType": "application/x.bill", "layers": [],
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": sha256(b"config"), "size": 6},
        "subject": {"mediaType": IMAGE, "digest": manifest, "size": body.len()}})
    .to_string();
    push_as(one, "/v2/all/app", &sha256(bill.as_bytes()), IMAGE, &bill).await?.expect(&[201])?;
    let referring = |name: &str, kind: &str| {
        other.get(&format!("/v2/all/{name}/referrers/{manifest}?artifactType=application/{kind}"))
    };
    let found = referring("app", "x.bill").send().await?.expect(&[200])?;
    assert_eq!(found.string("/manifests/0/digest")?, sha256(bill.as_bytes()));
    for (name, kind) in [("app", "x.other"), ("nothing", "x.bill")] {
        assert_eq!(
            referring(name, kind).send().await?.expect(&[200])?.json()?["manifests"],
            json!([]),
            "{name} {kind}"
        );
    }
    // A tag alone, the image, and bytes that nothing has.
    push_as(one, "/v2/all/app", "v2", IMAGE, &body).await?.expect(&[201])?;
    one.delete("/v2/all/app/manifests/v2").send().await?.expect(&[202])?;
    assert_eq!(texts(&other.get("/v2/own/app/tags/list").send().await?.expect(&[200])?, "/tags")?, ["v1"]);
    one.delete(&format!("/v2/all/app/blobs/{layer}")).send().await?.expect(&[409])?;
    one.delete(&format!("/v2/all/app/manifests/{manifest}")).send().await?.expect(&[202])?;
    told(other.get("/v2/own/app/manifests/v1").send().await?, 404, "MANIFEST_UNKNOWN").map(drop)
}

/// Clients do not send what they saw under the name: it is taken over from whoever has it.
async fn what_was_seen_need_not_be_sent(backing: Backing) -> Result<()> {
    let hall = Hall::open(backing).await?;
    let part = image("part", b"config", b"base");
    let digest = hall.upstream.has("app", "old", IMAGE, &part, &[b"config", b"base"]);
    let base = sha256(b"base");
    hall.admin.head(&format!("/v2/all/app/blobs/{base}")).send().await?.expect(&[200])?;
    let index = |listed: Value| json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [listed]}).to_string();
    let many = index(json!({"mediaType": IMAGE, "digest": digest, "size": part.len()}));
    push_as(&hall.admin, "/v2/all/app", "many", INDEX, &many).await?.expect(&[201])?;
    // Also what a cache of a build lists.
    let (part, layer) = (image("built", b"config", b"layer"), sha256(b"layer"));
    hall.upstream.has("built", "old", IMAGE, &part, &[b"config", b"layer"]);
    hall.admin.head(&format!("/v2/all/built/blobs/{layer}")).send().await?.expect(&[200])?;
    let cache = index(json!({"mediaType": LAYER, "digest": layer, "size": 5}));
    push_as(&hall.admin, "/v2/all/built", "cache", INDEX, &cache).await?.expect(&[201])?;
    hall.get(&format!("own/built/blobs/{layer}")).await?.expect(&[200])?;
    hall.upstream.leave();
    for path in ["manifests/many", &format!("manifests/{digest}"), &format!("blobs/{base}")] {
        hall.get(&format!("own/app/{path}")).await?.expect(&[200])?;
        hall.get(&format!("all/app/{path}")).await?.expect(&[200])?;
    }
    told(hall.get("all/app/manifests/old").await?, 404, "MANIFEST_UNKNOWN")?;
    // What nobody has must be sent.
    let body = image("x", b"never", b"sent");
    told(push_as(&hall.admin, "/v2/all/app", "v1", IMAGE, &body).await?, 404, "MANIFEST_BLOB_UNKNOWN").map(drop)
}

async fn an_upstream_that_fails_is_no_absence(backing: Backing) -> Result<()> {
    let hall = Hall::open(backing).await?;
    let there = format!("http://{}", hall.upstream.address);
    hall.make(json!({"repoKey": "second", "repoType": "remote", "upstreamUrl": there})).await?;
    hall.together("outer", &["all", "second"], json!({"deployTo": "own"})).await?;
    let digest = hall.upstream.has("app", "v1", IMAGE, &image("a", b"c", b"l"), &[b"c", b"l"]);
    hall.get("mirror/app/manifests/v1").await?.expect(&[200])?;
    hall.push(&hall.admin, "own/inner", "v1", "inner").await?;
    hall.upstream.leave();
    for path in ["all/other/manifests/v1", "outer/other/tags/list", "outer/other/manifests/v1"] {
        told(hall.get(path).await?, 503, "UNKNOWN")?;
    }
    // What is hosted needs nobody, nor does what came once.
    for path in ["outer/inner/manifests/v1", "outer/app/manifests/v1", &format!("outer/app/manifests/{digest}")] {
        hall.get(path).await?.expect(&[200])?;
    }
    // Who is about to push sends everything then.
    let http = hall.mirror.server.http()?;
    let blob = format!("/v2/outer/fresh/blobs/{}", sha256(b"layer fresh"));
    let pull = exchange(&http, hall.admin.token(), "scope=repository:outer/fresh:pull").await?;
    pull.head(&blob).send().await?.expect(&[503])?;
    let push = exchange(&http, hall.admin.token(), "scope=repository:outer/fresh:pull,push").await?;
    push.head(&blob).send().await?.expect(&[404])?;
    told(push.get(&blob).send().await?, 503, "UNKNOWN")?;
    hall.push(&push, "outer/fresh", "v1", "fresh").await?;
    push.get("/v2/outer/fresh/manifests/v1").send().await?.expect(&[200]).map(drop)
}

async fn members_of_members_and_lists_in_pages(backing: Backing) -> Result<()> {
    let hall = Hall::open(backing).await?;
    hall.make(json!({"repoKey": "more"})).await?;
    hall.together("outer", &["more", "all"], json!({})).await?;
    for (at, note) in [("own/a", "one"), ("own/c", "two"), ("more/a", "three"), ("more/b", "four")] {
        for tag in ["v1", "v2", "v3"] {
            hall.push(&hall.admin, at, tag, note).await?;
        }
    }
    let shown = hall.get("outer/a/manifests/v1").await?.expect(&[200])?;
    assert_eq!(shown.text(), image("three", b"config three", b"layer three"), "the first member's");
    hall.get("outer/c/manifests/v1").await?.expect(&[200])?;
    let page = hall.get("outer/c/tags/list?n=2").await?.expect(&[200])?;
    assert_eq!(texts(&page, "/tags")?, ["v1", "v2"]);
    assert_eq!(header(&page, "link")?, "</v2/outer/c/tags/list?n=2&last=v2>; rel=\"next\"");
    let (mut seen, mut last) = (Vec::new(), String::new());
    loop {
        let page = texts(&hall.get(&format!("_catalog?n=1&last={last}")).await?.expect(&[200])?, "/repositories")?;
        let Some(name) = page.first() else { break };
        last.clone_from(name);
        seen.extend(page);
    }
    let all = ["all/a", "all/c", "more/a", "more/b", "outer/a", "outer/b", "outer/c", "own/a", "own/c"];
    assert_eq!(seen, all);
    let union = json!({"repoKey": "u", "format": "oci", "repoType": "virtual", "memberRepos": ["own"],
        "settings": {"virtual": {"merging": "union"}}});
    let refused = hall.admin.post("/v1/repos").json(&union).send().await?.expect(&[400])?;
    assert!(refused.text().contains("a name belongs to one member"), "{}", refused.text());
    Ok(())
}

macro_rules! both {
    ($($flow:ident;)+) => {
        mod embedded {
            $(#[tokio::test]
            async fn $flow() -> acceptance::Result<()> {
                super::$flow(acceptance::server::Backing::Embedded).await
            })+
        }

        /// With two processes.
        mod on_postgresql_and_s3 {
            $(#[tokio::test]
            async fn $flow() -> acceptance::Result<()> {
                super::$flow(acceptance::server::Backing::Scaled).await
            })+
        }
    };
}

both! {
    a_name_that_is_hosted_comes_from_nowhere_else;
    each_member_is_read_by_who_may_read_it;
    what_is_pushed_goes_to_one_member;
    what_was_seen_need_not_be_sent;
    an_upstream_that_fails_is_no_absence;
    members_of_members_and_lists_in_pages;
}
