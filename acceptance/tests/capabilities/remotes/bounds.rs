//! What an upstream or a reader can make of a repository is bounded: pages, lengths, and what is kept for nothing.

use acceptance::Result;
use acceptance::http::Answer;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::shelf::{hex, remote, site};
use super::upstream::{Say, Upstream};
use crate::site::{Site, ensure};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

async fn get(site: &Site, path: &str) -> Result<Answer> {
    site.admin.get(path).send().await
}

#[tokio::test]
async fn a_list_that_leads_in_a_circle_is_no_list() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    remote(&site, "up", "oci", &upstream.url(), json!({})).await?;
    let link = "<http://127.0.0.2:1/v2/app/tags/list?last=a>; rel=\"next\"";
    let page = json!({"name": "app", "tags": ["a"]}).to_string();
    let headers = [("Content-Type", "application/json"), ("Link", link)];
    upstream.says("/v2/app/tags/list", Say::answer(200, &headers, page));
    get(&site, "/v2/up/app/tags/list").await?.expect(&[503])?;
    let lists = upstream.asked().iter().filter(|asked| asked.path.starts_with("/v2/app/tags/list")).count();
    ensure(lists == 2, format!("no page is asked for twice: {lists}"))
}

#[tokio::test]
async fn nothing_is_kept_of_what_belongs_to_an_image_that_nobody_has() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    remote(&site, "up", "oci", &upstream.url(), json!({})).await?;
    for number in 0..3 {
        let path = format!("app/referrers/sha256:{}", hex(&Sha256::digest(format!("{number}"))));
        let empty = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).to_string();
        upstream.says(&format!("/v2/{path}"), Say::answer(200, &[("Content-Type", INDEX)], empty));
        for _ in 0..2 {
            let told: Value = get(&site, &format!("/v2/up/{path}")).await?.expect(&[200])?.json()?;
            ensure(told["manifests"] == json!([]), format!("{told}"))?;
        }
        ensure(upstream.count(&format!("/v2/{path}")) == 1, "what was said just now is believed")?;
        let then = get(&site, &format!("/v2/up/at-20200101t000000z/{path}")).await?;
        ensure(then.status == 404, format!("nobody had asked then: {} {}", then.status, then.text()))?;
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_that_ends_in_two_ways_is_none() -> Result<()> {
    let (site, upstream) = (site().await?, Upstream::start().await?);
    remote(&site, "up", "raw", &upstream.url(), json!({})).await?;
    let say = Say::default()
        .bytes("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")
        .chunk(&[7; 100_000])
        .bytes("0\r\n\r\n");
    upstream.says("/both", say);
    get(&site, "/repository/up/both").await?.expect(&[503]).map(drop)
}
