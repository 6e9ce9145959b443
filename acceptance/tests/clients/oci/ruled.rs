//! Rules of a remote repository of images, as clients meet them.

use acceptance::Result;
use acceptance::server::Backing;
use serde_json::{Value, json};

use super::programs::sh;
use super::remote::{Mirror, image};
use super::upstream::{Told, Upstream};
use super::yard::{IMAGE, header, sha256, texts, told};
use crate::desk::Desk;

async fn rule(mirror: &Mirror, rules: Value) -> Result<()> {
    let put = mirror.admin.put("/v1/repos/mirror/rules").json(&json!({"rules": rules}));
    put.send().await?.expect(&[200]).map(drop)
}

async fn an_image_is_denied_until_it_was_known_long_enough(backing: Backing) -> Result<()> {
    let upstream = Upstream::open().await?;
    let mirror = Mirror::played(backing, &upstream, 0).await?;
    let all = json!({"repoKey": "all", "format": "oci", "repoType": "virtual", "memberRepos": ["mirror"]});
    mirror.admin.post("/v1/repos").json(&all).send().await?.expect(&[201])?;
    let digest = upstream.has("team/app", "v1", IMAGE, &image("a", b"c", b"l"), &[b"c", b"l"]);
    upstream.says("/v2/team/app/tags/list", Told::new(200, r#"{"name":"team/app","tags":["v1","v2"]}"#));
    rule(&mirror, json!([{"kind": "claim", "pattern": "acme/*"}, {"kind": "minimumAge", "hours": 72}])).await?;
    let layer = sha256(b"l");
    for at in ["mirror", "all"] {
        for path in ["manifests/v1", &format!("manifests/{digest}"), &format!("blobs/{layer}")] {
            let path = format!("/v2/{at}/team/app/{path}");
            let denied = told(mirror.admin.get(&path).send().await?, 403, "DENIED")?;
            assert!(denied.header("www-authenticate").is_none(), "no other token helps: {denied:?}");
            mirror.admin.head(&path).send().await?.expect(&[403])?;
        }
        let denied = told(mirror.admin.get(&format!("/v2/{at}/team/app/manifests/v1")).send().await?, 403, "DENIED")?;
        for part in ["team/app v1", "is let in at", "an admin of mirror can waive it", "artifortress explain mirror"] {
            assert!(denied.text().contains(part), "{part}: {}", denied.text());
        }
        let tags = mirror.admin.get(&format!("/v2/{at}/team/app/tags/list")).send().await?.expect(&[200])?;
        assert_eq!(texts(&tags, "/tags")?, ["v2"]);
        told(mirror.admin.get(&format!("/v2/{at}/acme/app/manifests/v1")).send().await?, 404, "MANIFEST_UNKNOWN")?;
    }
    assert!(!upstream.asked().iter().any(|asked| asked.contains("/blobs/") || asked.contains("acme")), "nobody asked");
    let explain = mirror.admin.get("/v1/repos/mirror/explain?name=team/app&version=v1").send().await?.expect(&[200])?;
    assert_eq!(explain.string("/verdict")?, "deny");
    // Some time ahead.
    let clock = json!({"subject": "bob", "scopes": ["repo:mirror:read"], "ttlMinutes": 60, "name": "clock"});
    let clock = mirror.admin.post("/v1/auth/pats").json(&clock).send().await?.expect(&[200])?;
    let ahead = clock.string("/expiresAtUtc")?;
    let until = json!({"package": "team/app", "version": "v1", "reason": "a fix", "until": ahead});
    mirror.admin.post("/v1/repos/mirror/waivers").json(&until).send().await?.expect(&[200, 201])?;
    for path in ["manifests/v1", &format!("manifests/{digest}"), &format!("blobs/{layer}")] {
        mirror.admin.get(&format!("/v2/all/team/app/{path}")).send().await?.expect(&[200])?;
    }
    // What is here is judged as what is not.
    rule(&mirror, json!([{"kind": "block", "pattern": "team/*", "reason": "an evil layer"}])).await?;
    let other = upstream.has("team/other", "v1", IMAGE, &image("b", b"c", b"l"), &[b"c", b"l"]);
    for path in [format!("manifests/{other}"), format!("blobs/{layer}"), "tags/list".to_owned()] {
        let denied = told(mirror.admin.get(&format!("/v2/mirror/team/other/{path}")).send().await?, 403, "DENIED")?;
        assert!(denied.text().contains("an evil layer"), "{}", denied.text());
    }
    rule(&mirror, json!([])).await?;
    let shown = mirror.admin.get("/v2/mirror/team/app/manifests/v1").send().await?.expect(&[200])?;
    assert_eq!(header(&shown, "docker-content-digest")?, digest);
    let odd = json!({"rules": [{"kind": "block", "pattern": "a", "versions": "<2"}]});
    let refused = mirror.admin.put("/v1/repos/mirror/rules").json(&odd).send().await?.expect(&[400])?;
    assert!(refused.text().contains("the format oci has no ranges of versions"), "{}", refused.text());
    Ok(())
}

#[tokio::test]
async fn on_sqlite_and_disk() -> Result<()> {
    an_image_is_denied_until_it_was_known_long_enough(Backing::Embedded).await
}

#[tokio::test]
async fn on_postgresql_and_s3() -> Result<()> {
    an_image_is_denied_until_it_was_known_long_enough(Backing::Scaled).await
}

// The upstream answers while the programs run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_show_why_and_the_program_explains_it() -> Result<()> {
    let upstream = Upstream::open().await?;
    let mirror = Mirror::played(Backing::Embedded, &upstream, 0).await?;
    upstream.has("team/app", "v1", IMAGE, &image("a", b"c", b"l"), &[b"c", b"l"]);
    rule(&mirror, json!([{"kind": "minimumAge", "hours": 72}])).await?;
    let admin = mirror.admin.token().to_owned();
    let desk = Desk::at(mirror.server, "mirror", admin)?;
    let (host, token) = (desk.server.address()?.to_string(), desk.admin.token().to_owned());
    desk.write("auth.json", "{}")?;
    sh(&desk, &format!("crane auth login {host} -u x -p {token}"))?.works()?;
    let words = ["is let in at", "an admin of mirror can waive it"];
    sh(&desk, &format!("crane manifest {host}/mirror/team/app:v1"))?.fails_saying(&words)?;
    let copy =
        format!("skopeo copy --src-tls-verify=false --src-creds x:{token} docker://{host}/mirror/team/app:v1 oci:a:1");
    sh(&desk, &copy)?.fails_saying(&words[..1])?;
    let pull = format!("podman pull --tls-verify=false --creds x:{token} {host}/mirror/team/app:v1");
    sh(&desk, &pull)?.fails_saying(&words[..1])?;
    let explained = sh(&desk, "artifortress explain mirror team/app:v1")?.works()?;
    assert!(explained.contains("deny") && explained.contains("minimumAge"), "{explained}");
    sh(&desk, "artifortress admin waivers give mirror team/app --version v1 --reason 'a fix' --days 1")?.works()?;
    sh(&desk, &format!("crane manifest {host}/mirror/team/app:v1"))?.works().map(drop)
}
