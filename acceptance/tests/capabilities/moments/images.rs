//! Images, as they were.

use acceptance::Result;
use acceptance::http::{Answer, Request};
use acceptance::server::Persona;
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{FOR_GOOD, ask, compact};
use crate::remotes::shelf::{hex, remote};
use crate::remotes::upstream::{Say, Upstream};
use crate::site::{Site, ensure};

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// An image of one layer, that belongs to another one or to none.
pub(crate) fn image(layer: &str, subject: Option<&str>) -> String {
    let config = json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": EMPTY, "size": 2});
    let layers = [json!({"mediaType": "text/plain", "digest": digest_of(layer.as_bytes()), "size": layer.len()})];
    let mut manifest = json!({"schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": layers});
    if let Some(subject) = subject {
        manifest["subject"] = json!({"mediaType": IMAGE, "digest": subject, "size": 7});
    }
    manifest.to_string()
}

async fn push(site: &Site, tag: &str, layer: &str, subject: Option<&str>) -> Result<String> {
    push_to(&site.admin, "images/team/app", tag, layer, subject).await
}

/// Pushes an image of one layer; returns its digest.
pub(crate) async fn push_to(by: &Persona, repo: &str, tag: &str, layer: &str, subject: Option<&str>) -> Result<String> {
    for blob in ["{}", layer] {
        let upload = format!("/v2/{repo}/blobs/uploads/?digest={}", digest_of(blob.as_bytes()));
        let request = by.post(&upload).header("Content-Type", "application/octet-stream");
        ask(request.body(Bytes::from(blob.to_owned()))).await?.expect(&[201])?;
    }
    let manifest = image(layer, subject);
    let at = if tag.is_empty() { digest_of(manifest.as_bytes()) } else { tag.to_owned() };
    let put = by.put(&format!("/v2/{repo}/manifests/{at}")).header("Content-Type", IMAGE);
    ask(put.body(manifest.clone())).await?.expect(&[201])?;
    Ok(digest_of(manifest.as_bytes()))
}

pub(crate) fn manifest(site: &Site, repo: &str, at: &str) -> Request {
    site.admin.get(&format!("/v2/{repo}/manifests/{at}")).header("Accept", IMAGE)
}

pub(crate) fn digest(answer: &Answer) -> &str {
    answer.header("docker-content-digest").unwrap_or_default()
}

fn listed(answer: &Answer, field: &str) -> Result<usize> {
    Ok(answer.json()?[field].as_array().map_or(0, Vec::len))
}

async fn images_are_pulled_as_they_were(site: Site) -> Result<()> {
    ask(site.admin.post("/v1/repos").json(&json!({"repoKey": "images", "format": "oci"}))).await?.expect(&[201])?;
    let old = push(&site, "v1", "old", None).await?;
    let gone = push(&site, "gone", "gone", None).await?;
    push(&site, "", "signature", Some(&old)).await?;
    let moment = compact(&site.server.moment("clock").await?);
    let repo = format!("images/{moment}/team/app");
    let new = push(&site, "v1", "new", None).await?;
    push(&site, "v2", "new", None).await?;
    push(&site, "", "another signature", Some(&old)).await?;
    ask(site.admin.delete(&format!("/v2/images/team/app/manifests/{gone}"))).await?.expect(&[202])?;

    let then = ask(manifest(&site, &repo, "v1")).await?.expect(&[200])?;
    ensure(digest(&then) == old && then.header("cache-control") == Some(FOR_GOOD), format!("{:?}", then.headers))?;
    let now = ask(manifest(&site, "images/team/app", "v1")).await?.expect(&[200])?;
    ensure(digest(&now) == new, format!("{:?}", now.headers))?;
    for (reference, past, present) in [("gone", 200, 404), (&gone, 200, 404), ("v2", 404, 200), (&new, 404, 200)] {
        let found = ask(manifest(&site, &repo, reference)).await?;
        ensure(found.status == past, format!("{reference}: {} {}", found.status, found.text()))?;
        let found = ask(manifest(&site, "images/team/app", reference)).await?.status;
        ensure(found == present || (present == 404 && found == 410), format!("{reference} now: {found}"))?;
    }
    for (layer, status) in [("old", 200), ("gone", 200), ("new", 404)] {
        let path = format!("/v2/{repo}/blobs/{}", digest_of(layer.as_bytes()));
        ask(site.admin.get(&path)).await?.expect(&[status])?;
    }
    let tags = ask(site.admin.get(&format!("/v2/{repo}/tags/list?n=1"))).await?.expect(&[200])?;
    ensure(tags.json()? == json!({"name": repo, "tags": ["gone"]}), tags.text())?;
    ensure(tags.header("link").is_some_and(|link| link.contains(&repo)), format!("{:?}", tags.headers))?;
    ensure(tags.header("cache-control") == Some(FOR_GOOD), format!("{:?}", tags.headers))?;
    let referrers = ask(site.admin.get(&format!("/v2/{repo}/referrers/{old}"))).await?.expect(&[200])?;
    ensure(listed(&referrers, "manifests")? == 1, referrers.text())?;
    let referrers = ask(site.admin.get(&format!("/v2/images/team/app/referrers/{old}"))).await?.expect(&[200])?;
    ensure(listed(&referrers, "manifests")? == 2, referrers.text())
}

#[tokio::test]
async fn embedded_images_are_pulled_as_they_were() -> Result<()> {
    images_are_pulled_as_they_were(Site::embedded().await?).await
}

#[tokio::test]
async fn scaled_images_are_pulled_as_they_were() -> Result<()> {
    images_are_pulled_as_they_were(Site::scaled().await?).await
}

#[tokio::test]
async fn a_moment_is_judged_by_its_repository_and_only_read() -> Result<()> {
    let site = Site::embedded().await?;
    ask(site.admin.post("/v1/repos").json(&json!({"repoKey": "images", "format": "oci"}))).await?.expect(&[201])?;
    let old = push(&site, "v1", "old", None).await?;
    let moment = compact(&site.server.moment("clock").await?);
    let at = format!("/v2/images/{moment}/team/app");
    let reader = site.person("reader", &["repo:images:read"]).await?;
    let scope = format!("repository:images/{moment}/team/app:pull,push");
    let token: Value = ask(reader.get(&format!("/v2/token?service=x&scope={scope}"))).await?.expect(&[200])?.json()?;
    let token = token["token"].as_str().unwrap_or_default().to_owned();
    let nobody = site.server.http()?;
    let refused = ask(nobody.get(&format!("{at}/manifests/v1"))).await?.expect(&[401])?;
    let wanted = format!("scope=\"repository:images/{moment}/team/app:pull\"");
    let challenge = refused.header("www-authenticate").unwrap_or_default();
    ensure(challenge.contains(&wanted), format!("{challenge} without {wanted}"))?;
    ask(nobody.get(&format!("{at}/manifests/v1")).bearer(&token)).await?.expect(&[200])?;
    for request in [
        site.admin.put(&format!("{at}/manifests/v2")).header("Content-Type", IMAGE).body(image("old", None)),
        site.admin.delete(&format!("{at}/manifests/v1")),
        site.admin.delete(&format!("{at}/manifests/{old}")),
        site.admin.delete(&format!("{at}/blobs/{EMPTY}")),
        site.admin.post(&format!("{at}/blobs/uploads/")),
        site.admin.post(&format!("{at}/blobs/uploads/?digest={EMPTY}")).body("{}"),
    ] {
        let path = format!("{request:?}");
        let said = ask(request).await?;
        ensure(said.status == 405 && said.text().contains("can only be read"), format!("{path}: {}", said.text()))?;
    }
    let shape = "a time in UTC such as at-20260131t120000z";
    for (moment, why) in [
        ("at-29990101t000000z", "at least 60 seconds ago"),
        ("at-20261301t000000z", shape),
        ("at-2026-11-22", shape),
        ("at-20261122", shape),
        ("at-2026-11-22t10-00-00z", shape),
        ("at-20261122T000000Z", shape),
        ("at-2026-11-22T00:00:00+01:00", shape),
        ("at-1795305600", shape),
    ] {
        for rest in ["manifests/v1", "tags/list"] {
            let said = ask(site.admin.get(&format!("/v2/images/{moment}/team/app/{rest}"))).await?.expect(&[400])?;
            let error = &said.json()?["errors"][0];
            let told = error["message"].as_str().is_some_and(|told| told.contains(why));
            ensure(told && error["code"] == "NAME_INVALID", said.text())?;
        }
    }
    // What is no attempt at a moment is an image's name.
    for folder in ["at-home", "at-24", "at-2026things"] {
        ask(site.admin.post(&format!("/v2/images/{folder}/app/blobs/uploads/?digest={EMPTY}")).body("{}"))
            .await?
            .expect(&[201])?;
        ask(site.admin.get(&format!("/v2/images/{folder}/app/manifests/v1"))).await?.expect(&[404])?;
    }
    ask(site.admin.get("/v2/images/at-20200101t000000z/team/app/manifests/v1")).await?.expect(&[404])?;
    Ok(())
}

/// A tag moves at the upstream; of then, it stands where it stood when we last heard, and layers that nobody fetched come now.
#[tokio::test]
async fn a_remote_registry_is_read_as_it_was_known() -> Result<()> {
    let (site, upstream) = (crate::remotes::shelf::site().await?, Upstream::start().await?);
    let (old, new) = (image("old", None), image("new", None));
    let says = |tag: &str, text: &str| {
        let digest = digest_of(text.as_bytes());
        let headers = [("Content-Type", IMAGE), ("Docker-Content-Digest", digest.as_str())];
        upstream.says(&format!("/v2/app/manifests/{tag}"), Say::answer(200, &headers, text.to_owned()));
        upstream.says(&format!("/v2/app/manifests/{digest}"), Say::answer(200, &headers, text.to_owned()));
    };
    for layer in ["old", "new"] {
        upstream.says(&format!("/v2/app/blobs/{}", digest_of(layer.as_bytes())), Say::file(layer.to_owned()));
    }
    says("v1", &old);
    remote(&site, "there", "oci", &upstream.url(), json!({"indexSeconds": 0})).await?;
    let first = ask(manifest(&site, "there/app", "v1")).await?.expect(&[200])?;
    ensure(digest(&first) == digest_of(old.as_bytes()), format!("{:?}", first.headers))?;
    let moment = compact(&site.server.moment("clock").await?);
    says("v1", &new);
    says("v2", &new);
    for tag in ["v1", "v2"] {
        let now = ask(manifest(&site, "there/app", tag)).await?.expect(&[200])?;
        ensure(digest(&now) == digest_of(new.as_bytes()), format!("{:?}", now.headers))?;
    }
    let repo = format!("there/{moment}/app");
    let then = ask(manifest(&site, &repo, "v1")).await?.expect(&[200])?;
    ensure(digest(&then) == digest_of(old.as_bytes()), format!("{:?}", then.headers))?;
    let asked = upstream.total();
    let unknown = ask(manifest(&site, &repo, "v2")).await?.expect(&[404])?;
    ensure(unknown.text().contains("nothing was known here of app:v2"), unknown.text())?;
    ask(manifest(&site, &repo, &digest_of(new.as_bytes()))).await?.expect(&[404])?;
    ask(site.admin.get(&format!("/v2/{repo}/blobs/{}", digest_of(b"new")))).await?.expect(&[404])?;
    ensure(upstream.total() == asked, "nobody is asked for what was not known")?;
    let layer = ask(site.admin.get(&format!("/v2/{repo}/blobs/{}", digest_of(b"old")))).await?.expect(&[200])?;
    ensure(layer.text() == "old" && upstream.total() == asked + 1, layer.text())
}
