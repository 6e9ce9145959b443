//! Names and digests that somebody makes up: whoever asks for them, in whatever number, adds no rows.

use acceptance::Result;
use acceptance::http::Request;
use serde_json::json;

use super::shelf::{FORMATS, Shelf, noise, of, remote, site};
use super::upstream::{Say, Upstream};
use crate::engines::both;
use crate::moments::images::{IMAGE, digest_of, image};
use crate::site::{Site, ensure};
use crate::virtuals::{hosted, put_together};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// What could be written of a question or of its answer.
const TABLES: [&str; 16] = [
    "observations",
    "outlooks",
    "flights",
    "blobs",
    "copies",
    "inline_bytes",
    "packages",
    "versions",
    "manifests",
    "aliases",
    "entries",
    "locations",
    "refs",
    "subjects",
    "cached",
    "events",
];

/// How many rows there are in each.
fn rows(site: &Site) -> Result<Vec<String>> {
    TABLES
        .iter()
        .map(|table| Ok(format!("{table} {}", site.server.sql(&format!("SELECT count(*) FROM {table}"))?)))
        .collect()
}

async fn answer(status: u16, requests: Vec<Request>) -> Result<()> {
    for request in requests {
        let asked = format!("{request:?}");
        of(&asked, request.send().await?.expect(&[status]))?;
    }
    Ok(())
}

async fn what_belongs_to_no_image_adds_no_rows() -> Result<()> {
    let (site, upstream, other) = (site().await?, Upstream::start().await?, Upstream::start().await?);
    let (text, known) = (image("layer", None), digest_of(image("layer", None).as_bytes()));
    let headers = [("Content-Type", IMAGE), ("Docker-Content-Digest", known.as_str())];
    for at in ["v1", &known] {
        upstream.says(&format!("/v2/app/manifests/{at}"), Say::answer(200, &headers, text.clone()));
    }
    let tags = json!({"name": "app", "tags": ["v1"]}).to_string();
    upstream.says("/v2/app/tags/list", Say::answer(200, &[], tags));
    remote(&site, "up", "oci", &upstream.url(), json!({"missingSeconds": 0})).await?;
    remote(&site, "other", "oci", &other.url(), json!({"missingSeconds": 0})).await?;
    hosted(&site, "own", "oci").await?;
    put_together(&site, "all", "oci", &["own", "up", "other"], json!({})).await?;
    let keys = ["up", "all"];
    let get = |key: &str, rest: &str| site.admin.get(&format!("/v2/{key}/{rest}")).header("Accept", IMAGE);
    answer(200, keys.iter().map(|key| get(key, "app/manifests/v1")).collect()).await?;
    answer(200, keys.iter().map(|key| get(key, "app/tags/list")).collect()).await?;
    let none = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).to_string();
    let before = rows(&site)?;
    for number in 0..6 {
        let digest = digest_of(format!("made up {number}").as_bytes());
        if number % 2 == 0 {
            let say = Say::answer(200, &[("Content-Type", INDEX)], none.clone());
            upstream.says(&format!("/v2/app/referrers/{digest}"), say);
        }
        let asked = upstream.count(&format!("/v2/app/referrers/{digest}"));
        for key in keys {
            let belonging = get(key, &format!("app/referrers/{digest}")).send().await?.expect(&[200])?;
            ensure(belonging.json()?["manifests"] == json!([]), belonging.text())?;
        }
        ensure(upstream.count(&format!("/v2/app/referrers/{digest}")) > asked, "the upstream is asked")?;
        for rest in ["manifests", "blobs"] {
            answer(404, keys.iter().map(|key| get(key, &format!("app/{rest}/{digest}"))).collect()).await?;
        }
        let tag = format!("app/manifests/made-up-{number}");
        answer(404, keys.iter().map(|key| get(key, &tag)).collect()).await?;
        let name = format!("made-up-{number}");
        answer(404, keys.iter().map(|key| get(key, &format!("{name}/tags/list"))).collect()).await?;
        answer(200, vec![get("up", &format!("{name}/referrers/{digest}"))]).await?;
    }
    let now = rows(&site)?;
    ensure(now == before, format!("{now:?} and not {before:?}"))?;
    // Of what was read here it is kept that nothing belongs to it.
    upstream.says(&format!("/v2/app/referrers/{known}"), Say::answer(200, &[("Content-Type", INDEX)], none));
    answer(200, vec![get("up", &format!("app/referrers/{known}"))]).await?;
    let now = rows(&site)?;
    ensure(now[0] != before[0], format!("{now:?} as before"))
}

async fn names_that_nobody_has_add_no_rows() -> Result<()> {
    let (site, upstream, other) = (site().await?, Upstream::start().await?, Upstream::start().await?);
    let config = json!({"dl": format!("{}/files", other.url())}).to_string();
    other.says("/config.json", Say::answer(200, &[], config));
    let mut shelves = Vec::new();
    for (seed, format) in (0..).zip(FORMATS) {
        let shelf = Shelf::stocked(&site, &upstream, format, json!({"missingSeconds": 0}), &noise(seed, 3000)).await?;
        let [own, there, all] = ["own", "there", "all"].map(|word| format!("{format}-{word}"));
        hosted(&site, &own, format).await?;
        remote(&site, &there, format, &other.url(), json!({"missingSeconds": 0})).await?;
        put_together(&site, &all, format, &[&own, shelf.key(), &there], json!({})).await?;
        for through in [&shelf, &shelf.at(&all)] {
            of(format, shelf.get_index(&site.admin).send().await)?;
            of(format, through.get_file(&site.admin).send().await?.expect(&[200]))?;
        }
        shelves.push(shelf);
    }
    // Of the first question something may be kept that is not of the name: where a registry has its files.
    let (mut before, asked) = (Vec::new(), upstream.total());
    for number in 0..4 {
        for shelf in &shelves {
            of(shelf.format, nobody_has(&site, shelf, number).await)?;
        }
        if number == 0 {
            before = rows(&site)?;
        }
    }
    let now = rows(&site)?;
    ensure(upstream.total() > asked + 20, format!("nobody was asked: {:?}", upstream.asked()))?;
    ensure(now == before, format!("{now:?} and not {before:?}"))
}

async fn nobody_has(site: &Site, shelf: &Shelf, number: usize) -> Result<()> {
    let name = shelf.index().trim_matches('/').replace("/maven-metadata.xml", "").replace("/@v/list", "");
    let name = name.rsplit('/').next().unwrap_or_default().to_owned();
    // As long as the other: some folders are called as the first letters of what is in them.
    let made_up = format!("{}{number}", &name[..name.len() - 1]);
    for key in [shelf.key(), &format!("{}-all", shelf.format)] {
        let through = shelf.at(key);
        for path in [through.our_index(), through.our_file()] {
            answer(404, vec![site.admin.get(&path.replace(&name, &made_up))]).await?;
        }
    }
    Ok(())
}

both! {
    what_belongs_to_no_image_adds_no_rows;
    names_that_nobody_has_add_no_rows;
}
