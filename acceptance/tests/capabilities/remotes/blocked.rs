//! What a rule that blocks an image covers, and what it does not.

use acceptance::Result;
use acceptance::http::Answer;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::shelf::{hex, remote, site};
use super::upstream::{Say, Upstream};
use crate::engines::both;
use crate::site::{Site, ensure};
use crate::virtuals::put_together;

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

fn digest(text: &str) -> String {
    format!("sha256:{}", hex(&Sha256::digest(text)))
}

/// An image of these layers under the tag `v1`, as the upstream has it; returns its digest.
fn has(upstream: &Upstream, name: &str, layers: &[&str]) -> String {
    let layer = |text: &&str| json!({"mediaType": "a/b", "digest": digest(text), "size": text.len()});
    let all: Vec<Value> = layers.iter().map(layer).collect();
    let manifest = json!({"schemaVersion": 2, "mediaType": IMAGE, "config": all[0], "layers": all}).to_string();
    let headers = [("Content-Type", IMAGE), ("Docker-Content-Digest", &*digest(&manifest))];
    for reference in ["v1", &digest(&manifest)] {
        let at = format!("/v2/{name}/manifests/{reference}");
        upstream.says(&at, Say::answer(200, &headers, manifest.clone()));
    }
    for text in layers {
        upstream.says(&format!("/v2/{name}/blobs/{}", digest(text)), Say::file((*text).to_owned()));
    }
    digest(&manifest)
}

async fn read(site: &Site, repo: &str, what: &str) -> Result<Answer> {
    site.admin.get(&format!("/v2/{repo}/{what}")).header("Accept", IMAGE).send().await
}

async fn a_block_of_an_image_covers_what_came_with_it() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    let evil = has(&upstream, "evil", &["evil's own", "the base"]);
    let good = has(&upstream, "good", &["the base", "good's own"]);
    remote(&site, "up", "oci", &upstream.url(), json!({})).await?;
    put_together(&site, "all", "oci", &["up"], json!({})).await?;
    for (name, image, layers) in
        [("evil", &evil, ["evil's own", "the base"]), ("good", &good, ["the base", "good's own"])]
    {
        read(&site, "up", &format!("{name}/manifests/{image}")).await?.expect(&[200])?;
        for layer in layers {
            read(&site, "up", &format!("{name}/blobs/{}", digest(layer))).await?.expect(&[200])?;
        }
    }
    let block = json!({"rules": [{"kind": "block", "pattern": "evil*"}]});
    site.admin.put("/v1/repos/up/rules").json(&block).send().await?.expect(&[200])?;
    let before = upstream.total();
    let (own, base) = (digest("evil's own"), digest("the base"));
    for repo in ["up", "all"] {
        for (what, status) in [
            ("evil/manifests/v1".to_owned(), 403),
            (format!("evil/manifests/{evil}"), 403),
            ("evil/tags/list".to_owned(), 403),
            (format!("evil/blobs/{own}"), 403),
            (format!("evil/blobs/{base}"), 403),
            // Under whatever name, but for what an image has that is let in.
            (format!("other/blobs/{own}"), 403),
            (format!("good/blobs/{own}"), 403),
            (format!("good/blobs/{base}"), 200),
            (format!("other/blobs/{base}"), 200),
        ] {
            let answer = read(&site, repo, &what).await?;
            ensure(answer.status == status, format!("{repo}/{what}: {} {}", answer.status, answer.text()))?;
        }
    }
    site.admin.get(&format!("/v1/repos/up/blobs/{own}")).send().await?.expect(&[423])?;
    ensure(upstream.total() == before, "nobody is asked")
}

async fn a_layer_that_no_image_here_has_is_asked_for_under_the_name_in_the_request() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    has(&upstream, "evil", &["strict", "lax", "before"]);
    remote(&site, "up", "oci", &upstream.url(), json!({"missingSeconds": 0})).await?;
    put_together(&site, "all", "oci", &["up"], json!({})).await?;
    let blob = |name: &str, text: &str| format!("{name}/blobs/{}", digest(text));
    read(&site, "up", &blob("evil", "before")).await?.expect(&[200])?;
    let block = json!({"rules": [{"kind": "block", "pattern": "evil*"}]});
    site.admin.put("/v1/repos/up/rules").json(&block).send().await?.expect(&[200])?;
    upstream.says(&format!("/v2/{}", blob("other", "lax")), Say::file("lax"));
    for repo in ["up", "all"] {
        for text in ["strict", "lax", "before"] {
            read(&site, repo, &blob("evil", text)).await?.expect(&[403])?;
        }
        read(&site, repo, &blob("other", "strict")).await?.expect(&[404])?;
        read(&site, repo, &blob("other", "lax")).await?.expect(&[200])?;
        read(&site, repo, &blob("other", "before")).await?.expect(&[200])?;
    }
    for text in ["strict", "lax"] {
        let (evil, other) = (format!("/v2/{}", blob("evil", text)), format!("/v2/{}", blob("other", text)));
        ensure(upstream.count(&evil) == 0, format!("{text}: nobody asks for what is blocked"))?;
        ensure(upstream.count(&other) > 0, format!("{text}: it is asked for by that name"))?;
    }
    Ok(())
}

both! {
    a_block_of_an_image_covers_what_came_with_it;
    a_layer_that_no_image_here_has_is_asked_for_under_the_name_in_the_request;
}
