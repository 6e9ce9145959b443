//! Upstreams with TLS: an authority of one's own is believed where it was named, and nobody else is.

use acceptance::authority::Authority;
use acceptance::{Result, scratch};
use serde_json::{Value, json};

use super::shelf::{FORMATS, INDEXED, Shelf, failed, noise, of, remote};
use super::upstream::Upstream;
use crate::engines::both;
use crate::site::{Site, ensure, plan};

/// A server that may read from loopback and believes what this file holds.
async fn site(bundle: Option<&str>) -> Result<Site> {
    let mut plan = plan().variable("ARTIFORTRESS_PRIVATE_UPSTREAMS", "127.0.0.0/8");
    if let Some(pem) = bundle {
        let file = scratch::folder("bundle")?.join("ca.pem");
        std::fs::write(&file, pem)?;
        plan = plan.variable("SSL_CERT_FILE", file.display().to_string());
    }
    let server = plan.start().await?;
    Ok(Site { admin: server.admin()?, server })
}

/// Index and file are read.
async fn reads(site: &Site, shelf: &Shelf, bytes: &[u8]) -> Result<()> {
    if INDEXED.contains(&shelf.format) {
        of(shelf.key(), shelf.get_index(&site.admin).send().await?.expect(&[200]))?;
    }
    let file = of(shelf.key(), shelf.get_file(&site.admin).send().await?.expect(&[200]))?;
    ensure(file.body == bytes, format!("{}: other bytes", shelf.key()))
}

/// Neither is, and it is said why.
async fn refuses(site: &Site, shelf: &Shelf) -> Result<()> {
    let mut asked = vec![shelf.get_file(&site.admin)];
    if INDEXED.contains(&shelf.format) {
        asked.push(shelf.get_index(&site.admin));
    }
    for request in asked {
        let answer = request.send().await?;
        of(shelf.key(), failed(shelf.format, &answer))?;
        ensure(answer.text().contains("certificate"), format!("{}: {}", shelf.key(), answer.text()))?;
    }
    let check = site.admin.post(&format!("/v1/repos/{}/upstream/check", shelf.key())).send().await?;
    let check = check.expect(&[200])?.json()?;
    ensure(["tls", "left_alone"].map(Value::from).contains(&check["problem"]), format!("{}: {check}", shelf.key()))
}

async fn an_authority_is_believed_where_it_was_named() -> Result<()> {
    let (ours, other, site) = (Authority::new()?, Authority::new()?, site(None).await?);
    let upstream = Upstream::over_tls(ours.vouches_for(&["127.0.0.1"])?).await?;
    let elsewhere = Upstream::over_tls(ours.vouches_for(&["packages.invalid"])?).await?;
    for format in FORMATS {
        let (bytes, bare) = (noise(1, 3000), Shelf::bare(format));
        bare.stock(&upstream, &bytes);
        bare.stock(&elsewhere, &bytes);
        let cases = [
            ("nobody", &upstream, json!({})),
            ("other", &upstream, json!({"extraCa": other.pem()})),
            ("name", &elsewhere, json!({"extraCa": ours.pem()})),
            ("ours", &upstream, json!({"extraCa": ours.pem()})),
            ("both", &upstream, json!({"extraCa": format!("{}\n{}", other.pem(), ours.pem())})),
        ];
        for (what, upstream, settings) in cases {
            let shelf = bare.at(&format!("{format}-{what}"));
            remote(&site, shelf.key(), format, &upstream.url(), settings).await?;
            match what {
                "ours" | "both" => reads(&site, &shelf, &bytes).await?,
                _ => refuses(&site, &shelf).await?,
            }
        }
    }
    ensure(elsewhere.total() == 0, format!("asked under a wrong name: {:?}", elsewhere.asked()))
}

/// The settings of a repository are changed: what was refused is read, and refused again.
async fn an_authority_is_added_and_taken_away() -> Result<()> {
    let (ours, site, bytes) = (Authority::new()?, site(None).await?, noise(1, 3000));
    let upstream = Upstream::over_tls(ours.vouches_for(&["127.0.0.1"])?).await?;
    let shelf = Shelf::stocked(&site, &upstream, "npm", json!({"indexSeconds": 0, "staleHours": 0}), &bytes).await?;
    refuses(&site, &shelf).await?;
    let set = async |pem: Value| {
        let body = json!({"settings": {"upstream": {"extraCa": pem}}});
        site.admin.patch(&format!("/v1/repos/{}", shelf.key())).json(&body).send().await?.expect(&[200])
    };
    set(json!(ours.pem())).await?;
    reads(&site, &shelf, &bytes).await?;
    set(Value::Null).await?;
    of("taken away", failed("npm", &shelf.get_index(&site.admin).send().await?))?;
    shelf.get_file(&site.admin).send().await?.expect(&[200]).map(drop)
}

/// `SSL_CERT_FILE` stands in place of the machine's authorities, for every upstream; `extraCa` is added to it.
async fn the_bundle_of_the_environment_is_believed() -> Result<()> {
    let (ours, other) = (Authority::new()?, Authority::new()?);
    let site = site(Some(ours.pem())).await?;
    let upstream = Upstream::over_tls(ours.vouches_for(&["127.0.0.1"])?).await?;
    let private = Upstream::over_tls(other.vouches_for(&["127.0.0.1"])?).await?;
    for format in FORMATS {
        let (bytes, bare) = (noise(1, 3000), Shelf::bare(format));
        for (what, upstream, settings) in [
            ("ours", &upstream, json!({})),
            ("more", &upstream, json!({"extraCa": other.pem()})),
            ("private", &private, json!({})),
            ("named", &private, json!({"extraCa": other.pem()})),
        ] {
            let shelf = bare.at(&format!("{format}-{what}"));
            shelf.stock(upstream, &bytes);
            remote(&site, shelf.key(), format, &upstream.url(), settings).await?;
            match what {
                "private" => refuses(&site, &shelf).await?,
                _ => reads(&site, &shelf, &bytes).await?,
            }
        }
    }
    Ok(())
}

both! {
    an_authority_is_believed_where_it_was_named;
    an_authority_is_added_and_taken_away;
    the_bundle_of_the_environment_is_believed;
}
